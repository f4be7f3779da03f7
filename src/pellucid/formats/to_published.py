"""Convert a finished model to one of the published classes of its family."""

from collections.abc import Mapping

from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.family import Family
from pellucid.formats.bundle import Bundle
from pellucid.formats.heads import check_expressible
from pellucid.formats.huggingface import PublishedModel, build_hf_config
from pellucid.formats.special_ids import find_role_ids
from pellucid.formats.transformer_export import convert_transformer
from pellucid.nn.model import Transformer


def to_published(bundle: Bundle) -> PublishedModel:
    """Convert a model to its family's layout; `transformer` becomes a Marian or a PEGASUS.

    Raises: ConfigError if no published class computes the same.
    """
    if bundle.family == "transformer":
        assert isinstance(bundle.model, Transformer)
        return convert_transformer(bundle.model, bundle.roles, bundle.tokenizers.target.id)
    if bundle.family not in PUBLISHED_FAMILIES:
        raise ConfigError(
            f"a model of family {bundle.family!r} has no published layout. Families that have one:"
            f" {', '.join(PUBLISHED_FAMILIES)}."
        )
    return _find_class(PUBLISHED_FAMILIES[bundle.family], bundle)


def _find_class(family: Family, bundle: Bundle) -> PublishedModel:
    """Return the model as the first published class that can express its heads and config."""
    heads, token_ids = bundle.model.head_configs, _collect_token_ids(bundle)
    errors = list[ConfigError]()
    for architecture in _list_candidates(family, heads):
        published = PublishedModel(family, bundle.model, heads, architecture, token_ids)
        try:
            for head in family.heads[architecture]:
                if head.name in heads:
                    check_expressible(head, heads[head.name], family)
            build_hf_config(published)
        except ConfigError as error:
            errors.append(error)
        else:
            return published
    if errors:
        raise errors[0]
    known = "; ".join(
        f"{name}: {', '.join(head.name for head in heads) or 'none'}"
        for name, heads in family.heads.items()
    )
    raise ConfigError(
        f"no published class of {family.name} has the heads {', '.join(heads) or 'none'}. Classes"
        f" and their heads: {known}."
    )


def _list_candidates(family: Family, heads: Mapping[str, HeadConfig]) -> list[str]:
    """Return the classes with exactly these heads; the base class too if there are none."""
    names = [
        name
        for name, of_class in family.heads.items()
        if sorted(head.name for head in of_class) == sorted(heads)
    ]
    return names if heads else list(dict.fromkeys([*names, family.base_class]))


def _collect_token_ids(bundle: Bundle) -> dict[str, int]:
    """Return the token ids for config.json: those it was opened with, or the tokenizer's."""
    tokenizer = bundle.tokenizers.target
    if bundle.token_ids or not tokenizer.is_present:
        # Forced ids belong to generation_config.json.
        return {k: i for k, i in bundle.token_ids.items() if not k.startswith("forced_")}
    ids = find_role_ids(tokenizer)
    if bundle.model.encoder is not None and bundle.model.decoder is not None:
        ids["decoder_start_token_id"] = bundle.special_ids.start
    return ids

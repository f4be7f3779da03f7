"""What tasks that read texts share: checks, building the model, exporting it.

The model is an encoder, or an encoder-decoder of which both stacks read the text.
"""

from collections.abc import Mapping, Sequence

import torch

from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import HeadConfig
from pellucid.config.run import RunConfig
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES, LOCAL_FAMILIES, PUBLISHED_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.character_ngrams import MAX_CHARACTERS, CharacterNgrams
from pellucid.nn.model import materialize
from pellucid.tasks.initialization import copy_starting_weights
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.tokenizer import Tokenizer
from pellucid.text.whole_words import find_characters, find_word_boundaries


def get_family_head(family: str, name: str) -> HeadConfig:
    """Return a family's config of a head. Raises: ConfigError if it has no such head."""
    if family in LOCAL_FAMILIES and name in LOCAL_FAMILIES[family].heads:
        return LOCAL_FAMILIES[family].heads[name]
    for heads in PUBLISHED_FAMILIES[family].heads.values() if family in PUBLISHED_FAMILIES else ():
        for head in heads:
            if head.name == name:
                return head.config
    raise ConfigError(
        f"a model of family {family} has no head {name!r}, which this task trains. Start from an"
        " encoder such as BERT, or use one of the task's sizes."
    )


def check_encoder(inputs: TaskInputs, head: str | None, roles: Sequence[str]) -> None:
    """Check that family and tokenizer have what the task needs.

    roles: special tokens that the task uses.
    Raises: ConfigError, UsageError naming what is missing.
    """
    if head is not None:
        get_family_head(inputs.config.family, head)
    max_text_tokens(inputs)
    for role in roles:
        inputs.tokenizers.source.id(role)


def check_has_no_decoder(inputs: TaskInputs) -> None:
    """Raises: ConfigError if the model is an encoder-decoder."""
    if is_encoder_decoder(inputs):
        raise ConfigError(
            f"{inputs.config.task} needs the states of an encoder, but this model of family"
            f" {inputs.config.family} has a decoder too. Start from an encoder such as BERT."
        )


def build_encoder(inputs: TaskInputs, heads: Mapping[str, HeadConfig], seed: int) -> Model:
    """Build the model of the run's config with these heads, with its initial weights."""
    with torch.device("meta"):
        module = ALL_FAMILIES[inputs.config.family].module(inputs.model_config, heads)
    model = materialize(module, seed)
    _set_characters(model, inputs.tokenizers.source)
    copy_starting_weights(model, inputs)
    return model


def build_encoder_bundle(module: Model, inputs: TaskInputs) -> Bundle:
    """Return the bundle of a trained encoder."""
    c, tokenizer = inputs.config, inputs.tokenizers.source
    # The token ids of an encoder-decoder are those of its start, or come from the tokenizer.
    ids = inputs.token_ids if is_encoder_decoder(inputs) else {"pad_token_id": tokenizer.id("pad")}
    return Bundle(
        model=module,
        model_config=module.config,
        tokenizers=inputs.tokenizers,
        task=c.task,
        roles=getattr(ALL_FAMILIES[c.family], "roles", Roles()),
        decoding=DecodingConfig(),
        languages=(c.data.source_language, c.data.target_language),
        longest_source=max_row_tokens(c),
        card="",
        family=c.family,
        token_ids=ids,
    )


def is_encoder_decoder(inputs: TaskInputs) -> bool:
    """Return whether the model has both stacks."""
    return bool(inputs.config.model.n_encoder_layers and inputs.config.model.n_decoder_layers)


def find_first_token(inputs: TaskInputs) -> int | None:
    """Return the first token of a decoder that reads a text; None means the text's last token."""
    role = getattr(ALL_FAMILIES[inputs.config.family], "roles", Roles()).start
    if role == "last":
        return None
    known = inputs.token_ids.get("decoder_start_token_id")
    return inputs.tokenizers.target.id(role) if known is None else known


def max_row_tokens(c: RunConfig) -> int:
    """Return the maximum number of tokens that a run's model reads at once."""
    return min(c.data.max_length, c.model.max_positions or c.data.max_length)


def max_text_tokens(inputs: TaskInputs, pair: bool = False) -> int:
    """Return the maximum number of tokens of an example, without special tokens.

    pair: whether an example is a pair of texts; each has a token at least.
    """
    texts = ([], []) if pair else ([],)
    n_special = len(inputs.tokenizers.source.add_special_tokens(*texts).ids)
    bound = max_row_tokens(inputs.config)
    if bound < n_special + len(texts):
        raise ConfigError(
            f"data.max_length={inputs.config.data.max_length} leaves no room for text between the"
            f" {n_special} special tokens. Use more."
        )
    return bound - n_special


def _set_characters(model: Model, tokenizer: Tokenizer) -> None:
    """Give n-grams of characters the characters and word boundaries of the vocabulary."""
    for module in model.modules():
        if isinstance(module, CharacterNgrams):
            words = find_word_boundaries(tokenizer)
            module.set_vocabulary(
                torch.from_numpy(find_characters(tokenizer, MAX_CHARACTERS)),
                torch.from_numpy(words.begins),
                torch.from_numpy(words.ends),
            )

"""The tokenizers of a run: trained, opened, or those of the model that it starts from."""

from pathlib import Path

from pellucid.config.run import RunConfig
from pellucid.errors import ConfigError, DataError
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.files import publish
from pellucid.formats.bundle import Bundle
from pellucid.text.pair import Tokenizers
from pellucid.text.published.language import language_token
from pellucid.text.published.open import open_tokenizers
from pellucid.text.special_tokens import TRANSLATION_TOKENS, SpecialTokens
from pellucid.text.train import train_tokenizers
from pellucid.training.corpus import Corpus
from pellucid.training.inputs import open_run_tokenizers
from pellucid.training.reporter import Reporter
from pellucid.training.run_directory import RunDirectory


def make_tokenizers(
    config: RunConfig, corpus: Corpus, run: RunDirectory, model: Bundle | None, reporter: Reporter
) -> Tokenizers:
    """Return the run's tokenizers. They are trained, or copied from the model, once per run."""
    if run.tokenizers.is_dir():
        return open_run_tokenizers(run, config)
    if model is not None:
        tokenizers = model.tokenizers
    elif config.start_from:
        raise DataError(
            f"{run.tokenizers} is missing: the tokenizer that came with {config.start_from}. Copy"
            " it there from that model, or use another run_dir."
        )
    elif config.tokenizer.path:
        tokenizers = open_tokenizers(Path(config.tokenizer.path))
        if ALL_FAMILIES[config.family].special_tokens == TRANSLATION_TOKENS:
            tokenizers = tokenizers.with_end_tokens()
    else:
        reporter.log("learning the tokenizer")
        special = _choose_special_tokens(config, corpus)
        tokenizers = train_tokenizers(corpus.texts, config.tokenizer, special)
    with publish(run.tokenizers) as temp:
        tokenizers.save(temp)
    return open_run_tokenizers(run, config)


def _choose_special_tokens(config: RunConfig, corpus: Corpus) -> SpecialTokens:
    """Return the special tokens of the family, with those of the task or of the languages.

    Raises: ConfigError if the family marks languages and none is known.
    """
    special, data = ALL_FAMILIES[config.family].special_tokens, config.data
    if not special.has_languages:
        extra = config.objective.extra_tokens(corpus.labels, data)
        return special._replace(extra=(*special.extra, *extra))
    pair = filter(None, (data.source_language, data.target_language))
    languages = data.all_languages or tuple(pair)
    if not languages:
        raise ConfigError(
            f"texts of family {config.family} are marked with their language, but none is known."
            " Name them: data.languages, or for a translation data.source_language and"
            " data.target_language."
        )
    return special._replace(extra=tuple(map(language_token, languages)))

"""The built-in corpus as data: pairs for two columns of text, sentences for one."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from itertools import tee

from pellucid.config.columns import Column
from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.rows import Reader, Row
from pellucid.errors import UsageError

N_SENTENCES = 30_000  # of the training split
PAIR_LANGUAGES = ("en", "de")
TEXT_LANGUAGE = "en"


class GardenReader(Reader):
    """Sentences of the corpus: in two languages side by side, or the texts of one or two languages.

    Its records of several languages or directions are those of a file for each language, such as
    `garden.en`, or for each pair, such as `garden.en-de`.
    split: `train` or `valid`, which have no clause in common.  Raises: UsageError if the task reads
    other columns than texts.
    """

    format = "the built-in corpus"

    def __init__(
        self,
        columns: Sequence[Column],
        config: DataConfig,
        n_sentences: int = N_SENTENCES,
        split: str = "train",
    ) -> None:
        languages = [config.source_language, config.target_language]
        name = f"{GARDEN}.{'-'.join(filter(None, languages))}" if config.all_languages else GARDEN
        super().__init__(name, config)
        required = [column for column in columns if not column.optional]
        if len(required) > 2 or any(c.kind not in ("text", "document") for c in required):
            names = ", ".join(column.name for column in required)
            raise UsageError(
                f"the built-in corpus ({GARDEN}) has texts, but this task reads {names}. Name files"
                " in data.train."
            )
        self.n_columns = len(required)
        self.n_sentences, self.split = n_sentences, split

    def __iter__(self) -> Iterator[Row]:
        languages = [self.config.source_language, self.config.target_language]
        if self.n_columns == 2:
            languages = [a or b for a, b in zip(languages, PAIR_LANGUAGES, strict=True)]
        else:
            languages = list(dict.fromkeys(filter(None, languages))) or [TEXT_LANGUAGE]
        pairs = copy(_first_pair(self.n_sentences, languages[0], languages[-1], self.split))
        if self.n_columns == 2:
            yield from (Row(line, pair) for line, pair in enumerate(pairs, start=1))
            return
        texts = (text for pair in pairs for text in pair[: len(languages)])
        yield from (Row(line, (text,)) for line, text in enumerate(texts, start=1))


@cache
def _first_pair(n: int, source: str, target: str, split: str) -> Iterator[tuple[str, str]]:
    """Return an iterator to copy: its copies generate each pair of texts once for all of them.

    The data of a run are read three times. To generate them takes longer than to read them.
    """
    from pellucid import garden

    (first,) = tee(garden.pairs(n, source, target, split=split), 1)
    return first


def garden_readers(
    columns: Sequence[Column],
    config: DataConfig,
    n_sentences: int = N_SENTENCES,
    split: str = "train",
) -> list[GardenReader]:
    """Return a reader, or for several languages or directions one for each language or pair."""
    pairs = dict.fromkeys(tuple(sorted(each.split("-"))) for each in config.directions)
    pairs |= dict.fromkeys((language, "") for language in config.languages)
    configs = [replace(config, source_language=a, target_language=b) for a, b in pairs]
    return [GardenReader(columns, c, n_sentences, split) for c in configs or [config]]

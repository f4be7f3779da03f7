"""Prompts to texts: what a language model says by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, one_text, stop_strings
from pellucid.decoding.search import Hypothesis
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.call import ALONE, Call, most_places, prefixes
from pellucid.inference.ids import Row, text_rows
from pellucid.inference.methods import Team, gather, search, spoken, writes


@dataclass(frozen=True)
class Generated:
    """One text that a model wrote."""

    text: str
    """What was written, without the prompt."""
    score: float
    """Length-normalised log-probability."""
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    finished: bool
    """Whether it ended by an end token or a stop string; if not, it was cut."""
    utility: float | None = None
    """Mean sentence_similarity to all texts drawn, by which `mbr` ranks; none of other methods."""
    source_cut: int = 0
    """Tokens of the source that an encoder-decoder did not read, because it has no positions."""


def write(
    directory: Bundle,
    prompts: Sequence[str],
    config: DecodingConfig,
    call: Call = ALONE,
) -> list[list[Generated]]:
    """`n_best` texts for each prompt, best first.

    A decoder alone continues the prompt; an encoder-decoder reads it, and writes another text.
    Raises: UsageError if the model writes nothing, or as `gather` and `search`.
    """
    rows = _source_rows(directory, prompts, call)
    models = gather(directory, call)
    ranked = search(models, _request(directory, rows, call), config, call.progress)
    return [
        [_generated(directory, models, h, row.n_cut) for h in hypotheses]
        for row, hypotheses in zip(rows, ranked, strict=True)
    ]


def speak(
    directory: Bundle, prompt: str, config: DecodingConfig, call: Call = ALONE
) -> Iterator[str]:
    """The one text for a prompt, piece by piece as it comes.

    Raises: UsageError if the config keeps more than one text open, or as `write`.
    """
    one_text(config)
    request = _request(directory, _source_rows(directory, [prompt], call), call)
    return spoken(gather(directory, call), request, config, call.stop_at)


def _source_rows(directory: Bundle, prompts: Sequence[str], call: Call) -> list[Row]:
    """Ids of the prompts. Raises: UsageError if the model writes no text, or a prompt is too long.

    An encoder-decoder reads the beginning of a long text; a prompt has to be continued at its end.
    """
    if not writes(directory):
        raise UsageError("this model has no head that writes text.")
    limit = most_places(directory, call)
    if directory.model.encoder is not None:
        return text_rows(directory, prompts, limit)
    rows = text_rows(directory, prompts)
    for prompt, row in zip(prompts, rows, strict=True):
        if 0 < limit < len(row.ids):
            raise UsageError(
                f"the prompt {prompt[:60]!r} has {len(row.ids)} tokens, but this model reads"
                f" {limit}. Shorten it."
            )
    return rows


def _request(directory: Bundle, rows: Sequence[Row], call: Call) -> Request:
    source, target = directory.tokenizers.source, directory.tokenizers.target
    continued = directory.model.encoder is None
    return Request(
        [row.ids if continued else row.ids or [directory.special_ids.start] for row in rows],
        prefixes(directory, call, len(rows)),
        pad=source.roles.get("pad", 0),
        continued=continued,
        stopped=stop_strings(target.decode_output, call.stop_at) if call.stop_at else None,
        keys=[(n, 0) for n, _ in enumerate(rows, call.first)],
        bound=most_places(directory, call),
    )


def _generated(directory: Bundle, models: Team, h: Hypothesis, n_cut: int) -> Generated:
    return Generated(
        text=models.text(h.ids),
        score=h.score,
        tokens=tuple(directory.tokenizers.target.output_pieces(h.ids)),
        ids=h.ids,
        finished=h.finished,
        utility=h.utility,
        source_cut=n_cut,
    )

"""Text to text with a trained model: the one road of validation, command line and server."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import SLACK, Request
from pellucid.decoding.long import rejoin, split_long
from pellucid.decoding.search import Hypothesis
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import source_row
from pellucid.inference.call import ALONE, Call, most_places, prefixes
from pellucid.inference.methods import check_translates, gather, search
from pellucid.text.guard import guarded


@dataclass(frozen=True)
class Translated:
    """One translation of a text."""

    text: str
    score: float
    """Length-normalised log-probability, by which hypotheses are ranked."""
    tokens: tuple[str, ...]
    """The pieces that were generated."""
    token_log_probs: tuple[float, ...]
    ids: tuple[int, ...]
    source_ids: tuple[int, ...]
    finished: bool
    """Whether the model ended the text; if not, it was cut at the longest length allowed."""
    parts: int = 1
    """More than 1: the source was longer than training saw, split, and rejoined."""
    utility: float | None = None
    """Mean likeness to all texts drawn, by which `mbr` ranks; none of other methods."""


def translate(
    directory: Bundle,
    texts: Sequence[str],
    config: DecodingConfig | None = None,
    call: Call = ALONE,
) -> list[list[Translated]]:
    """`n_best` translations of each text, best first. An empty text gives an empty one.

    Raises: UsageError if the model translates nothing, or as `gather` and `guarded`.
    """
    check_translates(directory)
    config = config or directory.decoding
    tokenizer = directory.tokenizers.source
    parts = [_parts(directory, guarded(text)) for text in texts]
    rows = tokenizer.encode_batch([p for ps in parts for p in ps])
    sources = [source_row(directory, ids) for ids in rows]
    bound, begun = most_places(directory, call), prefixes(directory, call, len(texts))
    # Blank texts have no part and long ones many, so draws must not hang on a part's place.
    keys = [(n, part) for n, ps in enumerate(parts, call.first) for part in range(len(ps))]
    firsts = [[] if part else begun[n - call.first] for n, part in keys] if begun else []
    request = Request(sources, firsts, pad=tokenizer.id("pad"), keys=keys, bound=bound)
    found = search(gather(directory, call), request, config, call.progress)
    results, at = [], 0
    for mine in parts:
        span = slice(at, at + len(mine))
        ranked = [
            [_translated(directory, source, h) for h in hypotheses]
            for source, hypotheses in zip(sources[span], found[span], strict=True)
        ]
        results.append(_joined(ranked, directory.languages[1], config.n_best))
        at += len(mine)
    return results


def _parts(directory: Bundle, text: str) -> list[str]:
    """The text whole if training saw texts as long, else its sentences; none if it is blank."""
    if not text.strip():
        return []
    most, tokenizer = directory.longest_source, directory.tokenizers.source
    bound = directory.model_config.most_tokens
    if bound:  # the output, twice as long, must fit too
        most = min(most, (bound - SLACK) // 2 - len(source_row(directory, [])))
    if len(text.encode()) <= most:  # there are no more pieces than bytes
        return [text]
    return split_long(text, lambda part: len(tokenizer.encode_batch([part])[0]) <= most)


def _translated(directory: Bundle, source: list[int], h: Hypothesis) -> Translated:
    target = directory.tokenizers.target
    return Translated(
        text=target.said(h.ids),
        score=h.score,
        tokens=tuple(target.said_pieces(h.ids)),
        token_log_probs=h.token_log_probs,
        ids=h.ids,
        source_ids=tuple(source),
        finished=h.finished,
        utility=h.utility,
    )


def _joined(ranked: list[list[Translated]], language: str, n_best: int) -> list[Translated]:
    """Part by part, the first with the first, the second with the second."""
    if not ranked:
        return [Translated("", 0.0, (), (), (), (), True)] * n_best
    if len(ranked) == 1:
        return ranked[0]
    rows = zip(*ranked, strict=False)
    return [
        replace(
            row[0],
            text=rejoin([part.text for part in row], language),
            score=sum(part.score for part in row) / len(row),
            tokens=tuple(token for part in row for token in part.tokens),
            token_log_probs=tuple(p for part in row for p in part.token_log_probs),
            ids=tuple(i for part in row for i in part.ids),
            source_ids=tuple(i for part in row for i in part.source_ids),
            finished=all(part.finished for part in row),
            parts=len(row),
            utility=None if row[0].utility is None else sum(p.utility or 0 for p in row) / len(row),
        )
        for row in rows
    ]

"""Text to text with a trained model: the one road of validation, command line and server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import SLACK, Request, generate
from pellucid.decoding.long import rejoin, split_long
from pellucid.decoding.search import Hypothesis, Vocabulary
from pellucid.families.directory import ModelDirectory


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


def translate(
    directory: ModelDirectory,
    texts: Sequence[str],
    config: DecodingConfig | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[list[Translated]]:
    """`n_best` translations of each text, best first. An empty text gives an empty one."""
    config = config or directory.decoding
    tokenizer = directory.tokenizers.source
    parts = [_parts(directory, text) for text in texts]
    end = tokenizer.id("eos")
    sources = [[*ids, end] for ids in tokenizer.encode_batch([p for ps in parts for p in ps])]
    request = Request(sources, pad=tokenizer.id("pad"))
    found = generate(directory.model, request, vocabulary(directory), config, progress)
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


def vocabulary(directory: ModelDirectory) -> Vocabulary:
    """The ids behind a model's roles."""
    target, roles = directory.tokenizers.target, directory.roles
    return Vocabulary(
        start=target.id(roles.start),
        end=target.id(roles.end),
        banned=tuple(target.id(role) for role in roles.banned),
        forced_first=target.id(roles.forced_first) if roles.forced_first else None,
    )


def _parts(directory: ModelDirectory, text: str) -> list[str]:
    """The text whole if training saw texts as long, else its sentences; none if it is blank."""
    if not text.strip():
        return []
    most, tokenizer = directory.longest_source, directory.tokenizers.source
    if directory.model_config.positions == "learned":  # the output, twice as long, must fit too
        most = min(most, (directory.model_config.max_length - SLACK) // 2 - 1)  # 1: the end token
    if len(text.encode()) <= most:  # there are no more pieces than bytes
        return [text]
    return split_long(text, lambda part: len(tokenizer.encode_batch([part])[0]) <= most)


def _translated(directory: ModelDirectory, source: list[int], h: Hypothesis) -> Translated:
    target = directory.tokenizers.target
    return Translated(
        text=target.decode(h.ids),
        score=h.score,
        tokens=tuple(target.pieces(h.ids)),
        token_log_probs=h.token_log_probs,
        ids=h.ids,
        source_ids=tuple(source),
        finished=h.finished,
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
        )
        for row in rows
    ]

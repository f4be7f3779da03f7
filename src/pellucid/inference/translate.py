"""Translate source texts, for validation, the command line and the Python API."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import SLACK, Request
from pellucid.decoding.long import rejoin, split_long
from pellucid.decoding.search import Hypothesis
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import wrap_source
from pellucid.inference.languages import choose_languages
from pellucid.inference.methods import check_can_translate, combine_models, search
from pellucid.inference.options import NO_OPTIONS, CallOptions, max_positions, prefix_rows
from pellucid.text.guard import clean_text


@dataclass(frozen=True)
class Translation:
    """One translation of a text."""

    text: str
    score: float
    """Length-normalised log-probability, by which hypotheses are ranked."""
    tokens: tuple[str, ...]
    """The generated pieces."""
    token_log_probs: tuple[float, ...]
    """One for each token, and one for the end token of each finished part."""
    ids: tuple[int, ...]
    source_ids: tuple[int, ...]
    """Ids that the encoder read; for a split source, the concatenated ids of its parts."""
    finished: bool
    """False if the text was cut at its maximum length."""
    part_lengths: tuple[tuple[int, int], ...]
    """(source tokens, target tokens) of each part. A source longer than training saw is split."""
    alignment: tuple[tuple[int, int], ...] = ()
    """(source token, target token), one pair for each target token; empty unless requested."""
    utility: float | None = None
    """Method `mbr`: mean similarity to all sampled texts, by which texts are ranked. Else None."""

    @property
    def parts(self) -> int:
        """The number of separately translated parts."""
        return max(1, len(self.part_lengths))


def translate(
    bundle: Bundle,
    texts: Sequence[str],
    config: DecodingConfig | None = None,
    call: CallOptions = NO_OPTIONS,
) -> list[list[Translation]]:
    """Return `n_best` translations of each text, best first. An empty text gives an empty one.

    Raises: UsageError if the model cannot translate, or as `combine_models` and `clean_text`.
    """
    check_can_translate(bundle)
    bundle = choose_languages(bundle, call.to, call.source_language)
    config = config or bundle.decoding
    limit = max_positions(bundle, call)
    sources = _sources(bundle, texts, limit)  # of each text, its parts
    prefixes = prefix_rows(bundle, call, len(texts))
    # A text may have no part or many, so samples must not depend on how many parts came before.
    keys = [(n, part) for n, parts in enumerate(sources, call.first) for part in range(len(parts))]
    request = Request(
        [ids for parts in sources for ids in parts],
        [[] if part else prefixes[n - call.first] for n, part in keys] if prefixes else [],
        pad=bundle.tokenizers.source.id("pad"),
        seed_keys=keys,
        max_positions=limit,
    )
    results = iter(search(combine_models(bundle, call), request, config, call.progress))
    language, n_best = bundle.languages[1], config.n_best
    return [
        _join([_to_results(bundle, source, next(results)) for source in parts], language, n_best)
        for parts in sources
    ]


def _sources(bundle: Bundle, texts: Sequence[str], limit: int) -> list[list[list[int]]]:
    """Return the ids of each text's parts. Texts longer than any in training are split.

    A blank text has no part.
    """
    tokenizer, around = bundle.tokenizers.source, len(wrap_source(bundle, []))
    longest = bundle.longest_source
    if limit:  # the output may be twice as long, and must have positions too
        longest = min(longest, (limit - SLACK) // 2 - around)

    def fits(part: str) -> bool:
        return len(tokenizer.encode_batch([part])[0]) <= longest

    def split_text(text: str, ids: list[int]) -> list[list[int]]:
        if not text.strip():
            return []
        # Length is counted in tokens: a normalizer may turn one character into many.
        return [ids] if len(ids) <= longest else tokenizer.encode_batch(split_long(text, fits))

    texts = [clean_text(text) for text in texts]
    rows = zip(texts, tokenizer.encode_batch(texts), strict=True)
    return [[wrap_source(bundle, ids) for ids in split_text(text, row)] for text, row in rows]


def _to_results(
    bundle: Bundle, source: list[int], hypotheses: Sequence[Hypothesis]
) -> list[Translation]:
    """Return the hypotheses of one part as translations."""
    target = bundle.tokenizers.target
    return [
        Translation(
            text=target.decode_output(h.ids),
            score=h.score,
            tokens=tuple(target.output_pieces(h.ids)),
            token_log_probs=h.token_log_probs,
            ids=h.ids,
            source_ids=tuple(source),
            finished=h.finished,
            part_lengths=((len(source), len(h.ids)),),
            utility=h.utility,
        )
        for h in hypotheses
    ]


def _join(parts: list[list[Translation]], language: str, n_best: int) -> list[Translation]:
    """Join the best translations of all parts, then the second best, and so on."""
    if not parts:
        return [Translation("", 0.0, (), (), (), (), True, ())] * n_best
    if len(parts) == 1:
        return parts[0]
    rows = zip(*parts, strict=False)
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
            part_lengths=tuple(lengths for part in row for lengths in part.part_lengths),
            utility=None if row[0].utility is None else sum(p.utility or 0 for p in row) / len(row),
        )
        for row in rows
    ]

"""Documents to summaries by an encoder-decoder."""

from collections.abc import Sequence

from pellucid.config.decoding import DecodingConfig
from pellucid.formats.bundle import Bundle
from pellucid.inference.generate import Generated, generate_from
from pellucid.inference.ids import text_rows
from pellucid.inference.methods import check_can_translate
from pellucid.inference.options import NO_OPTIONS, CallOptions, max_positions

TASK = "summarization"


def summarize(
    bundle: Bundle,
    texts: Sequence[str],
    config: DecodingConfig | None = None,
    call: CallOptions = NO_OPTIONS,
) -> list[list[Generated]]:
    """Return `n_best` summaries of each text, best first. A blank text has empty ones.

    A text of more tokens than the model's positions, or than in training, is cut at its end. Line
    breaks are read as spaces.
    Raises: UsageError if the model is no encoder-decoder that generates text, or as
    `combine_models` and `search`.
    """
    check_can_translate(bundle, "summarize")
    config = config or bundle.decoding
    limit = max_positions(bundle, call)
    if bundle.task == TASK:  # a text of that many tokens was the longest in training
        limit = min(limit or bundle.longest_source, bundle.longest_source)
    sources = [bundle.source_prefix + join_lines(text) for text in texts]
    ranked = generate_from(bundle, text_rows(bundle, sources, limit), config, call)
    blank = [Generated("", 0.0, (), (), True)] * config.n_best
    return [
        summaries if text.strip() else blank for text, summaries in zip(texts, ranked, strict=True)
    ]


def join_lines(text: str) -> str:
    """Return a text with spaces in place of line breaks, as a line of a file has it."""
    return " ".join(text.split("\n"))

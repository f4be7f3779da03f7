"""Prompts to texts: a decoder continues a prompt, an encoder-decoder answers it."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, check_single_text, stop_strings
from pellucid.decoding.search import Hypothesis
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import find_token_id
from pellucid.inference.ids import Row, text_rows
from pellucid.inference.methods import (
    CombinedModels,
    StreamEnd,
    can_generate,
    combine_models,
    search,
    stream_text,
)
from pellucid.inference.options import NO_OPTIONS, CallOptions, max_positions, prefix_rows
from pellucid.text.control_codes import find_code_id


@dataclass(frozen=True)
class Generated:
    """One generated text."""

    text: str
    """The generated text, without the prompt."""
    score: float
    """Length-normalised log-probability."""
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    finished: bool
    """False if the text was cut at its maximum length."""
    utility: float | None = None
    """Mean similarity to all sampled texts, which ranks those of method `mbr`; else None."""
    source_cut: int = 0
    """Source tokens beyond the positions of an encoder-decoder, which were not read."""


def generate(
    bundle: Bundle,
    prompts: Sequence[str],
    config: DecodingConfig,
    call: CallOptions = NO_OPTIONS,
) -> list[list[Generated]]:
    """Return `n_best` texts for each prompt, best first.

    A decoder continues the prompt; an encoder-decoder reads it and generates another text.
    Raises: UsageError if the model generates no text, or as `combine` and `search`.
    """
    return generate_from(bundle, _source_rows(bundle, prompts, call), config, call)


def generate_from(
    bundle: Bundle, rows: Sequence[Row], config: DecodingConfig, call: CallOptions
) -> list[list[Generated]]:
    """Return `n_best` texts for each row of ids, best first."""
    models = combine_models(bundle, call)
    ranked = search(models, _request(bundle, rows, call), config, call.progress)
    return [
        [_to_generated(bundle, models, h, row.n_cut) for h in hypotheses]
        for row, hypotheses in zip(rows, ranked, strict=True)
    ]


def stream(
    bundle: Bundle, prompt: str, config: DecodingConfig, call: CallOptions = NO_OPTIONS
) -> Generator[str, None, StreamEnd]:
    """Yield the text for a prompt piece by piece, and return how it ended.

    Raises: UsageError if the config keeps more than one text open, or as `generate`.
    """
    check_single_text(config)
    request = _request(bundle, _source_rows(bundle, [prompt], call), call)
    return stream_text(combine_models(bundle, call), request, config, call.stop_at)


def _source_rows(bundle: Bundle, prompts: Sequence[str], call: CallOptions) -> list[Row]:
    """Return the ids of the prompts.

    An encoder-decoder reads the beginning of a long text. A decoder continues the end of a prompt,
    so a prompt cannot be cut.
    Raises: UsageError if the model generates no text, or a prompt is too long.
    """
    if not can_generate(bundle):
        raise UsageError("this model has no language-model head.")
    limit = max_positions(bundle, call)
    if bundle.model.encoder is not None:
        if call.code:
            raise UsageError("control codes are for decoder-only models. Leave code out.")
        return text_rows(bundle, prompts, limit)
    rows = _with_code(bundle, text_rows(bundle, prompts), call.code)
    for prompt, row in zip(prompts, rows, strict=True):
        if 0 < limit < len(row.ids):
            raise UsageError(
                f"the prompt {prompt[:60]!r} has {len(row.ids)} tokens, but this model reads"
                f" {limit}. Shorten it."
            )
    return rows


def _with_code(bundle: Bundle, rows: Sequence[Row], code: str) -> list[Row]:
    """Put a control code before each prompt, as before a document in training.

    Raises: UsageError if the model has no such code.
    """
    if not code:
        return list(rows)
    end = find_token_id(bundle, "eos")
    before = [*([] if end is None else [end]), find_code_id(bundle.tokenizers.source, code)]
    return [row._replace(ids=[*before, *row.ids]) for row in rows]


def _request(bundle: Bundle, rows: Sequence[Row], call: CallOptions) -> Request:
    source, target = bundle.tokenizers.source, bundle.tokenizers.target
    continued = bundle.model.encoder is None
    return Request(
        [row.ids if continued else row.ids or [bundle.special_ids.start] for row in rows],
        prefix_rows(bundle, call, len(rows)),
        pad=source.roles.get("pad", 0),
        continues_source=continued,
        is_stopped=stop_strings(target.decode_output, call.stop_at) if call.stop_at else None,
        seed_keys=[(n, 0) for n, _ in enumerate(rows, call.first)],
        max_positions=max_positions(bundle, call),
    )


def _to_generated(bundle: Bundle, models: CombinedModels, h: Hypothesis, n_cut: int) -> Generated:
    return Generated(
        text=models.decode(h.ids),
        score=h.score,
        tokens=tuple(bundle.tokenizers.target.output_pieces(h.ids)),
        ids=h.ids,
        finished=h.finished,
        utility=h.utility,
        source_cut=n_cut,
    )

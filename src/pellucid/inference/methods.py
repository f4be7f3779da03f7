"""Search with any method, and with one model or several."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ensemble import Ensemble
from pellucid.decoding.generate import Request, check_single_text, generate, stream
from pellucid.decoding.minimum_bayes_risk import rank_by_utility
from pellucid.decoding.search import Hypothesis, SpecialIds, device_of
from pellucid.decoding.session import Session
from pellucid.decoding.speculative import Draft, speculate
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.options import CallOptions, ban_strings
from pellucid.metrics.translation import sentence_similarity
from pellucid.nn.cache import Decoder
from pellucid.text.compare import describe_vocabulary_difference


@dataclass(frozen=True)
class CombinedModels:
    """The models of a call combined into one, and how to decode their ids."""

    model: Decoder
    draft: Draft | None
    special_ids: SpecialIds
    decode: Callable[[Sequence[int]], str]
    """Maps generated ids to text, up to a stop string."""
    language: str
    session: Session | None = None
    """Takes searches to the decoder that calls share, which is `model`."""


def can_generate(bundle: Bundle) -> bool:
    """Return whether a model has a decoder and a language-model head."""
    return "lm" in bundle.model.head_configs and bundle.model.decoder is not None


def check_can_translate(bundle: Bundle, verb: str = "translate") -> None:
    """Raises: UsageError unless the model is an encoder-decoder that generates text."""
    if bundle.model.encoder is None or not can_generate(bundle):
        raise UsageError(
            f"this model cannot {verb}: that needs an encoder-decoder with a language-model head."
            " Use generate, fill or embed."
        )


def combine_models(bundle: Bundle, call: CallOptions) -> CombinedModels:
    """Combine the models of a call. Raises: UsageError if one is incompatible with the first."""
    others = {f"model {n} of the ensemble": m for n, m in enumerate(call.ensemble, 2)}
    if call.draft is not None:
        others["the draft"] = call.draft
    decode = bundle.tokenizers.target.decode_output
    for name, other in others.items():
        _check_compatible(bundle, other, name)
        _check_special_ids(bundle.special_ids, other.special_ids, name)
    models = [m.model for m in (bundle, *call.ensemble)]
    return CombinedModels(
        model=Ensemble(models) if call.ensemble else bundle.model,
        draft=None if call.draft is None else Draft(call.draft.model),
        special_ids=ban_strings(bundle, bundle.special_ids, call),
        decode=lambda ids: cut_at_stop(decode(ids), call.stop_at),
        language=bundle.languages[1],
        session=None if call.ensemble else call.session,
    )


def search(
    models: CombinedModels,
    request: Request,
    config: DecodingConfig,
    progress: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """Return the n best texts for each source, best first, by the config's method.

    Raises: UsageError as the method does, or if a draft is given with more than one open text.
    """
    if models.draft is not None:
        check_single_text(config)
        return [[_speculate(models, one, config)] for one in _split_request(request, progress)]
    if models.session is not None:
        texts = models.session.generate(request, models.special_ids, config, progress)
    else:
        texts = generate(models.model, request, models.special_ids, config, progress)
    if config.method == "mbr":
        return [_rank_samples(models, samples, config) for samples in texts]
    return texts


@dataclass(frozen=True)
class StreamEnd:
    """How a streamed text ended."""

    n_tokens: int
    finished: bool
    """False if the text was cut at its maximum length."""


def stream_text(
    models: CombinedModels, request: Request, config: DecodingConfig, stop_at: Sequence[str]
) -> Generator[str, None, StreamEnd]:
    """Yield the text of a single source in pieces, each as soon as it is final.

    Incomplete characters, and text that may begin a stop string, wait for the next tokens.
    """
    ids: list[int] = []
    sent, finished = "", False
    if models.session is not None:
        steps = models.session.stream(request, models.special_ids, config)
    else:
        steps = stream(models.model, request, models.special_ids, config)
    for new in steps:
        ids += new.ids
        text = models.decode(ids)
        if not new.ended:
            text = text.rstrip("\ufffd")
            text = text[: len(text) - _count_withheld(text, stop_at)]
        if text.startswith(sent) and text != sent:
            yield text[len(sent) :]
            sent = text
        is_stopped = request.is_stopped
        finished = new.ended and (
            not new.ids or (is_stopped is not None and is_stopped(ids))  # no id: an end token
        )
    return StreamEnd(len(ids), finished)


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """Return the text before the first stop string; if several end there, before the longest.

    Stop strings are found by character, whatever the tokens.
    """
    starts = [(text.find(string), string) for string in stop]
    ends = [(start + len(string), start) for start, string in starts if start >= 0]
    return text[: min(ends)[1]] if ends else text


def _count_withheld(text: str, stop: Sequence[str]) -> int:
    """Return the number of last characters that may begin a stop string."""
    lengths = (n for s in stop for n in range(1, len(s)) if text.endswith(s[:n]))
    return max(lengths, default=0)


def _split_request(request: Request, progress: Callable[[int], None] | None) -> Iterator[Request]:
    """Yield a request per source, for methods that take one source at a time."""
    for i, source in enumerate(request.sources):
        prefixes = request.prefixes[i : i + 1]
        yield replace(request, sources=[source], prefixes=prefixes, seed_keys=[request.seed_key(i)])
        if progress is not None:
            progress(1)


def _speculate(models: CombinedModels, request: Request, config: DecodingConfig) -> Hypothesis:
    assert models.draft is not None
    return speculate(models.model, models.draft, request, models.special_ids, config).hypothesis


def _rank_samples(
    models: CombinedModels, samples: Sequence[Hypothesis], config: DecodingConfig
) -> list[Hypothesis]:
    """Return the distinct texts that are most similar to all samples, best first."""
    texts = [models.decode(h.ids) for h in samples]
    distinct: dict[str, Hypothesis] = {}
    for text, h in zip(texts, samples, strict=True):
        distinct.setdefault(text, h)
    hypotheses = list(distinct.values())
    similarity = sentence_similarity(config.utility, models.language)
    ranked = rank_by_utility(list(distinct), similarity, texts)
    return [replace(hypotheses[r.candidate], utility=r.utility) for r in ranked[: config.n_best]]


def _check_compatible(first: Bundle, other: Bundle, name: str) -> None:
    """Raises: UsageError unless both have the same ids, architecture and device."""
    if not can_generate(other):
        raise UsageError(f"{name} has no language-model head. Leave it out.")
    if (first.model.encoder is None) != (other.model.encoder is None):
        kinds = ("an encoder-decoder", "a decoder-only model")
        one, another = (kinds[b.model.encoder is None] for b in (first, other))
        raise UsageError(f"{name} is {another}, the first model {one}. Use models of one kind.")
    for side in ("source", "target"):
        difference = describe_vocabulary_difference(
            getattr(first.tokenizers, side), getattr(other.tokenizers, side)
        )
        if difference:
            raise UsageError(
                f"{name} has another vocabulary: {difference}. Combined models need the same"
                " tokenizer. Use models that were trained with one tokenizer."
            )
    widths = [c.target_vocab_size or c.vocab_size for c in (first.model_config, other.model_config)]
    if widths[0] != widths[1]:
        raise UsageError(
            f"{name} predicts {widths[1]} tokens, the first model {widths[0]}, though their"
            " tokenizers agree: one output is padded. Use models with outputs of one size."
        )
    devices = [device_of(d.model) for d in (first, other)]
    if devices[0] != devices[1]:
        raise UsageError(
            f"{name} is on {devices[1]}, the first model on {devices[0]}: use one device."
        )


def _check_special_ids(first: SpecialIds, other: SpecialIds, name: str) -> None:
    """Raises: UsageError if texts begin or end with different ids."""
    for field in ("start", "end", "forced_first", "forced_last"):
        a, b = getattr(first, field), getattr(other, field)
        if a != b:
            raise UsageError(
                f"{name} has {field}={b}, the first model {field}={a}. Combined models need"
                " the same special ids. Use models that were trained with the same settings."
            )

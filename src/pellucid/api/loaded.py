"""A finished model as an object whose methods are its verbs."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pellucid.api.shown_trace import ShownTrace, trace_shown
from pellucid.api.text_verbs import TextVerbs
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError
from pellucid.explain.rows import Writing
from pellucid.explain.trace import TraceSpec
from pellucid.formats.bundle import Bundle
from pellucid.inference.align import add_alignments
from pellucid.inference.generate import generate, stream
from pellucid.inference.ids import pair_ids, text_rows
from pellucid.inference.languages import choose_languages
from pellucid.inference.logits import Inputs, logits
from pellucid.inference.methods import StreamEnd
from pellucid.inference.options import CallOptions
from pellucid.inference.summarize import summarize
from pellucid.inference.translate import translate
from pellucid.nn.packed_linear import PackedType
from pellucid.text.guard import check_many, check_text
from pellucid.text.pair import Tokenizers

ONE_TEXT = {"beam": 1, "groups": 1, "diversity": 0.0}  # default of streams and drafts


class Loaded(TextVerbs):
    """A model with its tokenizers: `.model` is the plain module that was trained."""

    def __init__(self, bundle: Bundle, device: torch.device, dtype: PackedType = "fp32") -> None:
        self.bundle = bundle
        self.model = bundle.model.to(device).eval()
        self.tokenizer: Tokenizers = bundle.tokenizers
        self.task = bundle.task
        self.config = bundle.model_config
        self.heads = bundle.model.head_configs
        self._dtype: PackedType = dtype

    def translate(
        self,
        texts: Sequence[str],
        *,
        to: str = "",
        source_language: str = "",
        alignment: bool = True,
        prefix: str | Sequence[str] = "",
        banned: Sequence[str] = (),
        ensemble: Sequence["Loaded"] = (),
        first: int = 0,
        progress: Callable[[int], None] | None = None,
        **settings: Any,
    ) -> list[Any]:
        """Return one `Translation` per text; a list per text, best first, if `n_best` is above 1.

        to: target language, of a model with several. source_language: that of the texts, for a
        model that marks them with it (mBART). prefix: the beginning of each translation, one for
        all texts or one per text. banned: strings that are not generated. ensemble: models whose
        probabilities and attention are averaged with those of this one. first: number of the first
        text; samples depend on it and the seed. progress: called with the number of texts done.
        settings: fields of `DecodingConfig`, e.g. beam=5. See docs/decoding.md.
        Raises: ConfigError if a setting is impossible; UsageError if texts is one string, or a
        model of the ensemble has another vocabulary.
        """
        check_many(texts, "translate")
        config = self.decoding(**settings)
        call = CallOptions(
            ensemble=_prepared_bundles(ensemble),
            to=to,
            source_language=source_language,
            prefix=prefix,
            banned=banned,
            first=first,
            progress=progress,
            session=self._session,
        )
        ranked = translate(self._packed, texts, config, call)
        if alignment:
            plain = replace(choose_languages(self.bundle, to, source_language), decoding=config)
            ranked = add_alignments([plain, *(m.bundle for m in ensemble)], ranked)
        return ranked if config.n_best > 1 else [best for best, *_ in ranked]

    def logits(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
        head: str | None = None,
    ) -> Tensor:
        """Return the raw output of a head in float32; see `pellucid.inference.logits`.

        ids: (B, T) integers. keep: (B, T), True = real token. target_ids: (B, U), what the decoder
        of an encoder-decoder reads. segments: (B, T). head: may be left out where there is one.
        Raises: UsageError naming what does not fit, or listing the heads.
        """
        return logits(self.bundle, Inputs(ids, keep, target_ids, segments), head)

    def generate(
        self,
        prompts: Sequence[str],
        *,
        stop_at: Sequence[str] = (),
        prefix: str | Sequence[str] = "",
        banned: Sequence[str] = (),
        draft: "Loaded | None" = None,
        ensemble: Sequence["Loaded"] = (),
        code: str = "",
        first: int = 0,
        **settings: Any,
    ) -> list[Any]:
        """Return one `Generated` per prompt; a list per prompt, best first, if `n_best` is above 1.

        stop_at: strings that end a text. draft: a smaller model for speculative decoding, which
        has one open text: greedy unless method="sample". code: the control code before each prompt,
        for a model that was trained with such. prefix, banned, ensemble, first: as in `translate`.
        settings: fields of `DecodingConfig`, e.g. method="sample".
        Raises: ConfigError on impossible settings; UsageError if the model generates no text, a
        prompt has more tokens than it reads, or another model does not fit.
        """
        check_many(prompts, "generate")
        config = self.decoding(**(ONE_TEXT if draft else {}) | settings)
        if draft is not None and not isinstance(draft, Loaded):
            raise UsageError("draft takes a loaded model. Write draft=pellucid.load(NAME).")
        call = CallOptions(
            ensemble=_prepared_bundles(ensemble),
            draft=draft._packed if draft else None,
            stop_at=stop_at,
            prefix=prefix,
            banned=banned,
            code=code,
            first=first,
            session=self._session,
        )
        ranked = generate(self._packed, prompts, config, call)
        return ranked if config.n_best > 1 else [best for best, *_ in ranked]

    def summarize(
        self,
        texts: Sequence[str],
        *,
        source_prefix: str | None = None,
        banned: Sequence[str] = (),
        first: int = 0,
        progress: Callable[[int], None] | None = None,
        **settings: Any,
    ) -> list[Any]:
        """Return one `Generated` per text; with `n_best` above 1, a list of them, best first.

        source_prefix: text before each document, such as T5's "summarize: "; None means that of
        the model. banned, first, progress: as in `translate`. settings: fields of
        `DecodingConfig`, e.g. beam=4.
        Raises: ConfigError on impossible settings; UsageError if the model is no encoder-decoder.
        """
        check_many(texts, "summarize")
        config = self.decoding(**settings)
        bundle = self._packed
        if source_prefix is not None:
            bundle = replace(bundle, source_prefix=source_prefix)
        call = CallOptions(banned=banned, first=first, progress=progress, session=self._session)
        ranked = summarize(bundle, texts, config, call)
        return ranked if config.n_best > 1 else [best for best, *_ in ranked]

    def stream(
        self,
        prompt: str,
        *,
        stop_at: Sequence[str] = (),
        prefix: str = "",
        banned: Sequence[str] = (),
        ensemble: Sequence["Loaded"] = (),
        code: str = "",
        first: int = 0,
        **settings: Any,
    ) -> Generator[str, None, StreamEnd]:
        """Yield the text that `generate` returns for a prompt piece by piece.

        The generator's own value (`yield from`) says how the text ended.
        Greedy search, or with method="sample" one sample. Other parameters are those of `generate`.
        Raises: UsageError at once if the settings keep more than one text open.
        """
        config = self.decoding(**ONE_TEXT | settings)
        call = CallOptions(
            ensemble=_prepared_bundles(ensemble),
            stop_at=stop_at,
            prefix=prefix,
            banned=banned,
            code=code,
            first=first,
            session=self._session,
        )
        return stream(self._packed, prompt, config, call)

    def trace(
        self,
        text: str,
        *,
        target: str | None = None,
        to: str = "",
        source_language: str = "",
        max_new: int = 8,
        head: str | None = None,
        parts: Sequence[str] = (),
        layers: Sequence[int] = (),
        top: int = 10,
    ) -> ShownTrace:
        """Return every intermediate result of a text, which a notebook shows as a page.

        text: two texts with a tab between them are a pair. target: what the decoder writes; None
        means what the model itself writes. to, source_language: as in `translate`. max_new:
        maximum number of tokens with which a decoder-only model continues the text. head: the head
        that predicts; may be left out if there is only one. parts: names of `PARTS`, layers:
        numbers from 0; none means all. top: candidates at each position.
        Raises: UsageError if the text is empty or too long, or the model lacks what is asked for.
        """
        check_text(text)
        spec = TraceSpec(tuple(parts), tuple(layers), head, top)
        return trace_shown(self.bundle, text, spec, Writing(target, to, source_language, max_new))

    def ids(self, text: str, pair: str | None = None) -> list[int]:
        """Return the ids of a text, or of two as one row, as the model reads them.

        Special tokens are included: `[CLS] text [SEP]`, `[CLS] text [SEP] pair [SEP]`.
        """
        if pair is not None:
            return pair_ids(self.bundle, text, pair)
        return text_rows(self.bundle, [text])[0].ids or [self.bundle.special_ids.start]

    def text(self, ids: Sequence[int] | Tensor) -> str:
        """Return the text of ids (T,), without special tokens.

        Of two vocabularies, ids are of the target's. Ids beyond the tokenizer's have no text.
        """
        return self.tokenizer.target.decode_output([int(i) for i in ids])

    def decoding(self, **settings: Any) -> DecodingConfig:
        """Return the model's search settings with some of them replaced."""
        return self.bundle.decoding.with_settings(settings)


def _prepared_bundles(ensemble: Sequence[Loaded]) -> list[Bundle]:
    """Return the models of an ensemble. Raises: UsageError unless it is a list of loaded models."""
    if not isinstance(ensemble, (list, tuple)) or not all(isinstance(m, Loaded) for m in ensemble):
        raise UsageError("ensemble takes loaded models. Write ensemble=[pellucid.load(NAME)].")
    return [m._packed for m in ensemble]

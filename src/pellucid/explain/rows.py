"""The ids of a text as a model reads and writes it, with the tokens that they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from pellucid.errors import UsageError
from pellucid.explain.tokens import Token, align_read, align_written, special_token
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import Inputs, add_decoder_ids
from pellucid.formats.special_ids import wrap_source, wrap_target
from pellucid.inference.generate import generate
from pellucid.inference.languages import choose_languages
from pellucid.inference.methods import can_generate
from pellucid.inference.translate import translate
from pellucid.text.guard import clean_text
from pellucid.text.template import Slot
from pellucid.text.words import split_words

TEXT = -1
"""Stands for the tokens of a text among special tokens; no token has this id."""


@dataclass(frozen=True)
class TracedText:
    """A text, or a pair of texts, as a model reads it."""

    texts: tuple[str, ...]
    normalized: tuple[str, ...]
    """The same after the tokenizer's normalization."""
    tokens: tuple[Token, ...]
    """With special tokens, in the order of the rows of the arrays."""

    @cached_property
    def words(self) -> tuple[int, ...]:
        """The position of the first token of each word; words are separated by spaces."""
        first = dict[tuple[int, int], int]()
        for position, token in enumerate(self.tokens):
            if token.start is not None:
                text = self.texts[token.segment]
                rest = text[token.start :]
                begin = token.start + len(rest) - len(rest.lstrip(" "))
                word = len(split_words(text[: begin + 1]))
                first.setdefault((token.segment, word), position)
        return tuple(first.values())


@dataclass(frozen=True)
class Rows:
    """The inputs of a forward pass, and what they are."""

    inputs: Inputs
    source: TracedText | None = None
    """What the encoder reads; None for a decoder alone."""
    target: TracedText | None = None
    """What the decoder reads; None for an encoder alone."""
    next_ids: tuple[int, ...] = ()
    """The token after each position of the decoder; the last may be missing."""

    @property
    def words(self) -> tuple[int, ...]:
        """The first position of each word of the text that the last stack reads."""
        text = self.target or self.source
        return () if text is None else text.words


@dataclass(frozen=True)
class Writing:
    """What a decoder writes."""

    target: str | None = None
    """This text; None: what the model writes by its search settings."""
    to: str = ""
    """Target language of a translator with several."""
    source_language: str = ""
    """Language of the text, for a translator that marks it (mBART)."""
    max_new: int = 8
    """Tokens with which a decoder alone continues the text, at most."""


def read_rows(bundle: Bundle, text: str, writing: Writing) -> Rows:
    """Return what a model reads for a text; a model that writes, writes first.

    text: two texts with a tab between them are a pair.
    Raises: UsageError if a text is empty, or longer than the model reads.
    """
    if not bundle.tokenizers.source.is_present:
        raise UsageError("this model has no tokenizer, so it reads no text. Add its files.")
    texts = [clean_text(part) for part in text.split("\t")]
    if not all(part.strip() for part in texts):
        raise UsageError("the text is empty. Give a sentence.")
    writes = can_generate(bundle)
    if len(texts) > 2 - writes:
        raise UsageError(
            f"{len(texts) - 1} tabs: give one text; to a model that only reads also two, with one"
            " tab between them."
        )
    if bundle.model.encoder is not None and not writes:
        rows = _encoder_rows(bundle, texts)
        return rows if bundle.model.decoder is None else _read_twice(bundle, rows)
    if bundle.model.encoder is None:
        return _decoder_rows(bundle, texts[0], writing)
    bundle = choose_languages(bundle, writing.to, writing.source_language)
    return _translation_rows(bundle, texts[0], writing.target)


def _encoder_rows(bundle: Bundle, texts: Sequence[str]) -> Rows:
    tokenizer = bundle.tokenizers.source
    template = tokenizer.template.single if len(texts) == 1 else tokenizer.template.pair
    tokens, segments = list[Token](), list[int]()
    for slot in template:
        tokens += _slot_tokens(bundle, slot, texts)
        segments += [slot.segment] * (len(tokens) - len(segments))
    _check_length(bundle, len(tokens))
    has_segments = bundle.model_config.n_segments > 1
    ids = torch.tensor([[token.id for token in tokens]])
    inputs = Inputs(ids, segments=torch.tensor([segments]) if has_segments else None)
    return Rows(inputs, source=_traced(bundle, texts, tokens))


def _read_twice(bundle: Bundle, rows: Rows) -> Rows:
    """Return the rows of a model whose decoder reads the text again, one position later."""
    inputs = add_decoder_ids(bundle, rows.inputs)
    text = rows.source
    assert inputs.target_ids is not None
    assert text is not None
    first = special_token(bundle.tokenizers.source, int(inputs.target_ids[0, 0]))
    shifted = TracedText(text.texts, text.normalized, (first, *text.tokens[:-1]))
    return Rows(inputs, source=text, target=shifted)


def _slot_tokens(bundle: Bundle, slot: Slot, texts: Sequence[str]) -> list[Token]:
    """Return the tokens of a part of a template."""
    tokenizer = bundle.tokenizers.source
    if not slot.text:
        return [special_token(tokenizer, i, slot.segment) for i in slot.ids]
    number = "AB".index(slot.text)
    return align_read(tokenizer, texts[number], number)


def _decoder_rows(bundle: Bundle, text: str, writing: Writing) -> Rows:
    """Return the row of a prompt and its continuation."""
    tokenizer = bundle.tokenizers.source
    tokens = [
        token for slot in tokenizer.template.single for token in _slot_tokens(bundle, slot, [text])
    ]
    written: Sequence[int] = ()
    if writing.target is not None:
        (written,) = tokenizer.encode_batch([writing.target])
    elif writing.max_new and can_generate(bundle):
        _check_length(bundle, len(tokens))
        config = bundle.decoding.with_settings(
            {"method": "beam", "beam": 1, "n_best": 1, "max_length": writing.max_new}
        )
        written = generate(bundle, [text], config)[0][0].ids
    continuation, more = align_written(bundle.tokenizers.target, written)
    tokens += [token.moved(len(text)) for token in more]
    _check_length(bundle, len(tokens))
    ids = [token.id for token in tokens]
    target = _traced(bundle, [text + continuation], tokens)
    return Rows(Inputs(torch.tensor([ids])), target=target, next_ids=tuple(ids[1:]))


def _translation_rows(bundle: Bundle, text: str, target: str | None) -> Rows:
    """Return the row that an encoder reads, and the one that its decoder reads."""
    source, written = bundle.tokenizers.source, bundle.tokenizers.target
    read = align_read(source, text)
    tokens = [
        token
        for i in wrap_source(bundle, [TEXT])
        for token in (read if i == TEXT else [special_token(source, i)])
    ]
    _check_length(bundle, len(tokens))
    ids, is_finished = _write(bundle, text, target, read)
    special = bundle.special_ids
    text_out, out = align_written(written, ids)
    inputs = Inputs(
        torch.tensor([[token.id for token in tokens]]),
        target_ids=torch.tensor([[special.start, *ids]]),
    )
    return Rows(
        inputs,
        source=_traced(bundle, [text], tokens),
        target=TracedText((text_out,), (text_out,), (special_token(written, special.start), *out)),
        next_ids=(*ids, special.end) if is_finished else ids,
    )


def _write(
    bundle: Bundle, text: str, target: str | None, read: Sequence[Token]
) -> tuple[tuple[int, ...], bool]:
    """Return the ids that a decoder writes, without the end token, and whether that follows.

    read: the tokens of the text.
    """
    if target is not None:
        (ids,) = bundle.tokenizers.target.encode_batch([target])
        ids = wrap_target(bundle, ids)
        has_end = ids[-1:] == [bundle.special_ids.end]
        return tuple(ids[:-1] if has_end else ids), has_end
    if len(read) > bundle.longest_source:
        raise UsageError(
            f"the text has {len(read)} tokens, more than the {bundle.longest_source} of the longest"
            " text in training, and would be translated in parts. Shorten it."
        )
    ((translation, *_),) = translate(bundle, [text])
    if translation.parts > 1:
        raise UsageError(
            f"the text has {len(read)} tokens and its translation may have twice as many, but this"
            f" model has {bundle.model_config.max_positions} positions. Shorten it."
        )
    return translation.ids, translation.finished


def _traced(bundle: Bundle, texts: Sequence[str], tokens: Sequence[Token]) -> TracedText:
    normalize = bundle.tokenizers.source.normalize
    return TracedText(tuple(texts), tuple(map(normalize, texts)), tuple(tokens))


def _check_length(bundle: Bundle, n_tokens: int) -> None:
    limit = bundle.model_config.max_positions
    if 0 < limit < n_tokens:
        raise UsageError(
            f"the text has {n_tokens} tokens, but this model reads {limit}. Shorten it."
        )

"""Tokenizers over a SentencePiece model, with its ids or with those of a vocabulary."""

from collections.abc import Sequence

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library

from pellucid.text.guard import clean_text
from pellucid.text.published.file_tokenizer import FileTokenizer, TokenizerFiles
from pellucid.text.published.normalizer import SPACE, Normalizer
from pellucid.text.published.sentencepiece import SentencePiece
from pellucid.text.tokenizer import Encoding

Span = tuple[int, int]


class SentencePieceTokenizer(FileTokenizer):
    """Splits text as SentencePiece does: normalised by the model's map, then by Unigram or BPE.

    The normaliser of `tokenizers` is not used. It replaces a grapheme by its shortest entry in the
    map, SentencePiece by the longest: decomposed letters and syllables would be split.
    """

    def __init__(
        self,
        model: SentencePiece,
        files: TokenizerFiles,
        cleaning: normalizers.Normalizer | None = None,
    ) -> None:
        """cleaning: applied to a text before the model's own normalization."""
        self._normalizer = Normalizer(model.charsmap, model.user_defined, model.dummy_prefix)
        self._cleaning = cleaning
        self._unk_id = model.unk_id
        self._byte_fallback = model.byte_fallback
        super().__init__(_library(model), "unigram", files)
        unk = self.roles["unk"]
        self._id_of = [files.vocab.get(piece.text, unk) for piece in model.pieces]
        self._id_of[model.unk_id] = unk
        self._looks_up_unknown = model.byte_fallback
        first = "always" if model.dummy_prefix else "never"
        spaces = decoders.Metaspace(prepend_scheme=first)
        self._decoder = decoders.Sequence([decoders.ByteFallback(), spaces])

    def encode(self, text: str) -> Encoding:
        clean, origins = self._clean_with_spans(clean_text(text))
        normalized, spans = self._normalizer.align(clean)
        encoding = self._library.encode(normalized, add_special_tokens=False)
        ids, offsets = [], []
        for i, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            for piece_id, (first, last) in self._piece_ids(i, normalized, (start, end)):
                ids.append(piece_id)
                offsets.append((spans[first][0], spans[last - 1][1]))
        if origins is not None:
            offsets = [_origin(origins, span) for span in offsets]
        return Encoding(ids, self.pieces(ids), offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        normalized = [self._normalizer.normalize(self._clean(clean_text(text))) for text in texts]
        encodings = self._library.encode_batch_fast(normalized, add_special_tokens=False)
        rows = [[self._id_of[i] for i in encoding.ids] for encoding in encodings]
        if self._looks_up_unknown:
            self._set_unknown(normalized, rows, [self._unk_id in e.ids for e in encodings])
        return self._check_rows(rows)

    def _set_unknown(
        self, normalized: list[str], rows: list[list[int]], has_unknown: list[bool]
    ) -> None:
        """Set the rows with unknown characters again: their ids depend on the characters."""
        positions = [n for n, has in enumerate(has_unknown) if has]
        texts = [normalized[n] for n in positions]
        encodings = self._library.encode_batch(texts, add_special_tokens=False)  # with offsets
        for n, text, encoding in zip(positions, texts, encodings, strict=True):
            pieces = zip(encoding.ids, encoding.offsets, strict=True)
            rows[n] = [number for i, span in pieces for number, _ in self._piece_ids(i, text, span)]

    def normalize(self, text: str) -> str:
        plain = self._normalizer.normalize(self._clean(clean_text(text)))
        return self._join([plain])

    def _clean(self, text: str) -> str:
        return self._cleaning.normalize_str(text) if self._cleaning else text

    def _clean_with_spans(self, text: str) -> tuple[str, list[Span] | None]:
        """Return the cleaned text, and the original span of each of its characters or None."""
        if self._cleaning is None:
            return text, None
        clean = self._cleaning.normalize_str(text)
        chars = Library(models.WordLevel({"": 0}, unk_token=""))
        chars.normalizer = self._cleaning
        chars.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        return clean, chars.encode(text).offsets

    def _piece_ids(self, i: int, text: str, span: Span) -> list[tuple[int, Span]]:
        """Return the ids of a library piece, each with the span of `text` that it covers."""
        if i != self._unk_id:
            return [(self._id_of[i], span)]
        start, end = span
        if not self._byte_fallback:
            return [(self._unknown_id(text[start:end]), span)]
        chars = ((at, byte) for at in range(start, end) for byte in text[at].encode())
        return [(self._files.vocab[f"<0x{byte:02X}>"], (at, at + 1)) for at, byte in chars]

    def _unknown_id(self, text: str) -> int:
        """Return the id of characters that have no piece."""
        return self.roles["unk"]

    def _join(self, pieces: list[str]) -> str:
        return self._decoder.decode(pieces)


class VocabularyTokenizer(SentencePieceTokenizer):
    """Ids are those of a vocabulary, which may have what the model does not know (M2M-100)."""

    def __init__(self, model: SentencePiece, files: TokenizerFiles) -> None:
        super().__init__(model, files)
        self._looks_up_unknown = True

    def _unknown_id(self, text: str) -> int:
        # A special token is never meant.
        i = self._files.vocab.get(text, self.roles["unk"])
        return self.roles["unk"] if i in self._special else i


class MarianTokenizer(VocabularyTokenizer):
    """Marian's. A text may begin with its target language: ">>fr<< Hello"."""

    def encode(self, text: str) -> Encoding:
        language, rest = _split_language(text)
        encoding = super().encode(rest)
        if not language:
            return encoding
        ids = [self._language_id(language), *encoding.ids]
        width = len(language)
        offsets = [(start + width, end + width) for start, end in encoding.offsets]
        return Encoding(ids, self.pieces(ids), [(0, width), *offsets])

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        split = [_split_language(text) for text in texts]
        rows = super().encode_batch([rest for _, rest in split])
        marked = [
            [self._language_id(language), *ids] if language else ids
            for (language, _), ids in zip(split, rows, strict=True)
        ]
        return self._check_rows(marked)

    def _language_id(self, language: str) -> int:
        return self._files.vocab.get(language, self.roles["unk"])


def _library(model: SentencePiece) -> Library:
    """Build the model for texts that are already normalised.

    A space is put before pieces that never come from a text, so that no normalised text contains
    them. (Lower scores instead would change the score of an unknown character.)
    """
    names = [piece.text if piece.occurs_in_text else f" {piece.text}" for piece in model.pieces]
    if model.is_bpe:
        ids, unk = {name: i for i, name in enumerate(names)}, names[model.unk_id]
        bpe = models.BPE(ids, model.compute_merges(), unk_token=unk, fuse_unk=True)
        library = Library(bpe)
    else:
        vocab = list(zip(names, model.compute_scores(), strict=True))
        library = Library(models.Unigram(vocab, model.unk_id, byte_fallback=False))
    texts = {piece.text for piece in model.pieces if piece.occurs_in_text}
    if SPACE in texts and not any(SPACE in text[1:] for text in texts):
        # No piece reaches across a space, so words are looked up one by one: faster, as many recur.
        library.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    return library


def _origin(origins: Sequence[Span], span: Span) -> Span:
    """Return the span before cleaning of a span after it."""
    start, end = span
    if not origins:
        return 0, 0
    first = origins[min(start, len(origins) - 1)][0]
    return first, max(first, origins[end - 1][1] if end > start else first)


def _split_language(text: str) -> tuple[str, str]:
    end = text.find("<<") + 2 if isinstance(text, str) and text.startswith(">>") else 0
    return (text[:end], text[end:]) if end > 2 else ("", text)

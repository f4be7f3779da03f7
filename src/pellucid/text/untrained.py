"""An untrained tokenizer of each kind."""

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from pellucid.config.data import TokenizerConfig
from pellucid.text.special_tokens import SpecialTokens

# Byte-level BPE never merges across these: words with the space before them, single digits, runs of
# punctuation, and runs of one East Asian script, whose words have no spaces between them.
RUNS = "|".join(
    (
        r"'(?:[sdmt]|ll|ve|re)(?!\p{L})",
        r" ?\p{Han}+",
        r" ?\p{Hiragana}+",
        r" ?[\p{Katakana}ー]+",
        r" ?[\p{L}\p{M}&&[^\p{Han}\p{Hiragana}\p{Katakana}ー]]+",
        r" ?\p{N}",
        r" ?[^\s\p{L}\p{M}\p{N}]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
# Text that looks like a special token or an end-of-word mark is split, so it never becomes one.
SPELLED = r"<(?=(?:pad|/?s|unk|mask|extra_id_\d+|2[a-zA-Z_]+|/w)>)"
SPELLED_IN_BARS = r"<(?=\|)"
SPELLED_IN_BRACKETS = r"\[(?=(?:PAD|UNK|CLS|SEP|MASK)\])"


def untrained_tokenizer(config: TokenizerConfig, special: SpecialTokens) -> Tokenizer:
    """Build an untrained tokenizer of the kind that the config names."""
    return KINDS[config.kind](build_normalizer(config, special), special.tokens["unk"])


def build_normalizer(config: TokenizerConfig, special: SpecialTokens) -> normalizers.Sequence:
    """Build the normalizer: Unicode form, case and, for most kinds, runs of white space."""
    forms = {"nfc": [normalizers.NFC()], "nfkc": [normalizers.NFKC()], "none": []}
    parts = [*forms[config.normalize]]
    if config.lowercase:
        parts.append(normalizers.Lowercase())
    if config.kind == "unigram":
        parts.append(normalizers.Replace("▁", " "))  # how Unigram writes a space
    if config.kind not in ("byte-bpe", "char"):
        parts.append(normalizers.Replace(Regex(SPELLED), "< "))
        if "<|endoftext|>" in special.all:
            parts.append(normalizers.Replace(Regex(SPELLED_IN_BARS), "< "))
        if special.has_languages:
            spelled = [(token, token.replace("_", "_ ")) for token in special.extra]
            parts += [normalizers.Replace(token, text) for token, text in spelled]
        if "[CLS]" in special.all:
            parts.append(normalizers.Replace(Regex(SPELLED_IN_BRACKETS), "[ "))
        parts.append(normalizers.Replace(Regex(r"\s+"), " "))
        parts.append(normalizers.Strip())
    return normalizers.Sequence(parts)


def _byte_bpe(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(RUNS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _bpe(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=unk, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return tokenizer


def _unigram(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(Regex(r"\p{P}"), "isolated")]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _wordpiece(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token=unk))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\p{Han}"), "isolated"), pre_tokenizers.BertPreTokenizer()]
    )
    # BERT's clean-up also turns "do not" into "don't": off.
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return tokenizer


def _word(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=unk))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def _char(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=unk))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


KINDS = {
    "byte-bpe": _byte_bpe,
    "bpe": _bpe,
    "unigram": _unigram,
    "wordpiece": _wordpiece,
    "word": _word,
    "char": _char,
}

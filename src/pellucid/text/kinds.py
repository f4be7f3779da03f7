"""What each kind of tokenizer is made of, before it has learned anything."""

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from pellucid.config.data import TokenizerConfig
from pellucid.text.special_tokens import SpecialTokens

# Where byte-level BPE may not merge across: words with the space before them, single digits, runs
# of signs, and runs of one East Asian script, whose words have no spaces between them.
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
# A text that spells a special token, or a word's end mark, must not become one: it is cut in two.
SPELLED = r"<(?=(?:pad|/?s|unk|/w)>)"
SPELLED_IN_BRACKETS = r"\[(?=(?:PAD|UNK|CLS|SEP|MASK)\])"


def blank(config: TokenizerConfig, special: SpecialTokens) -> Tokenizer:
    """A tokenizer of the kind that the config names, untrained."""
    return KINDS[config.kind](normalizer(config, special), special.tokens["unk"])


def normalizer(config: TokenizerConfig, special: SpecialTokens) -> normalizers.Sequence:
    """Unicode form and case; where spaces are word boundaries only, one space for each run."""
    forms = {"nfc": [normalizers.NFC()], "nfkc": [normalizers.NFKC()], "none": []}
    parts = [*forms[config.normalize]]
    if config.lowercase:
        parts.append(normalizers.Lowercase())
    if config.kind == "unigram":
        parts.append(normalizers.Replace("▁", " "))  # its own sign for a space
    if config.kind not in ("byte-bpe", "char"):
        parts.append(normalizers.Replace(Regex(SPELLED), "< "))
        if "[CLS]" in special.all:
            parts.append(normalizers.Replace(Regex(SPELLED_IN_BRACKETS), "[ "))
        parts.append(normalizers.Replace(Regex(r"\s+"), " "))
        parts.append(normalizers.Strip())
    return normalizers.Sequence(parts)


def _byte_bpe(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(RUNS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def _bpe(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    made = Tokenizer(models.BPE(unk_token=unk, end_of_word_suffix="</w>"))
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    return made


def _unigram(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(Regex(r"\p{P}"), "isolated")]
    )
    made.decoder = decoders.Metaspace()
    return made


def _wordpiece(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token=unk))
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\p{Han}"), "isolated"), pre_tokenizers.BertPreTokenizer()]
    )
    # BERT's clean-up also turns "do not" into "don't": off.
    made.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return made


def _word(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    made = Tokenizer(models.WordLevel(unk_token=unk))
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def _char(normalizer: normalizers.Normalizer, unk: str) -> Tokenizer:
    made = Tokenizer(models.WordLevel(unk_token=unk))
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    return made


KINDS = {
    "byte-bpe": _byte_bpe,
    "bpe": _bpe,
    "unigram": _unigram,
    "wordpiece": _wordpiece,
    "word": _word,
    "char": _char,
}

"""Train a tokenizer. The same text and config always give the same bytes."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers, trainers

from pellucid.config.data import TokenizerConfig
from pellucid.errors import ConfigError, DataError
from pellucid.text.guard import clean_text
from pellucid.text.marked_letters import MarkedLetters, count_words
from pellucid.text.pair import Tokenizers
from pellucid.text.special_tokens import TRANSLATION_TOKENS, SpecialTokens
from pellucid.text.template import build_template_processor
from pellucid.text.tokenizer import Tokenizer
from pellucid.text.untrained import untrained_tokenizer

BATCH = 1000  # texts per call of the trainer


def train_tokenizers(
    rows: Callable[[], Iterable[Sequence[str]]],
    config: TokenizerConfig,
    special: SpecialTokens = TRANSLATION_TOKENS,
) -> Tokenizers:
    """Train a joint tokenizer on all texts, or one on each side of the rows.

    rows: called once for each tokenizer; returns an iterator over all rows.
    """
    if config.joint:
        joint = train_tokenizer(chain.from_iterable(rows()), config, special)
        return Tokenizers(joint, joint)
    source = train_tokenizer((row[0] for row in rows()), config, special)
    return Tokenizers(source, train_tokenizer((row[1] for row in rows()), config, special))


def train_tokenizer(
    texts: Iterable[str], config: TokenizerConfig, special: SpecialTokens = TRANSLATION_TOKENS
) -> Tokenizer:
    """Learn a vocabulary of at most `config.vocab_size` pieces, special tokens included.

    Raises: DataError if there is nothing to learn from; ConfigError at an impossible setting.
    """
    clean = (clean_text(text) for text in texts)
    first = next((text for text in clean if text.strip()), None)
    if first is None:
        raise DataError("there is no text to learn a tokenizer from. Check the training files.")
    library = LEARN[config.kind](
        untrained_tokenizer(config, special), chain([first], clean), config, special
    )
    library.add_special_tokens(special.all)  # marks them; the trainer has set their ids
    vocab = library.get_vocab(with_added_tokens=True)
    library.post_processor = build_template_processor(
        special.single, special.pair, special.names, vocab
    )
    return Tokenizer(library, dict(special.tokens), config.kind)


def _byte_bpe(
    library: Library, texts: Iterator[str], config: TokenizerConfig, special: SpecialTokens
) -> Library:
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=special.all,
        show_progress=False,
    )
    library.train_from_iterator(_batches(texts), trainer)
    return library


def _bpe(
    library: Library, texts: Iterator[str], config: TokenizerConfig, special: SpecialTokens
) -> Library:
    vocab, merges = _learn_merges(library, texts, config, special)
    library.model = models.BPE(
        vocab=vocab, merges=merges, unk_token=special.tokens["unk"], end_of_word_suffix="</w>"
    )
    return library


def _wordpiece(
    library: Library, texts: Iterator[str], config: TokenizerConfig, special: SpecialTokens
) -> Library:
    vocab, _ = _learn_merges(library, texts, config, special)
    library.model = models.WordPiece(vocab=vocab, unk_token=special.tokens["unk"])
    return library


def _learn_merges(
    library: Library, texts: Iterator[str], config: TokenizerConfig, special: SpecialTokens
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return vocabulary and merges of BPE over marked letters; see `marked_letters.py`."""
    words = count_words(library, texts)
    marked_from = (lambda word: len(word) - 1) if config.kind == "bpe" else (lambda word: 1)
    letters = MarkedLetters(words, marked_from, (config.vocab_size - len(special.all)) // 2)
    plain = Library(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=special.all,
        show_progress=False,
    )
    plain.train_from_iterator(letters.spell(words), trainer)
    learned = json.loads(plain.to_str())["model"]

    def piece_of(spelling: str) -> str:
        marked = letters.letters_of(spelling)
        text = "".join(letter.char for letter in marked)
        if config.kind == "bpe":
            return text + "</w>" if marked[-1].marked else text
        return "##" + text if marked[0].marked else text

    vocab = {
        piece if piece in special.all else piece_of(piece): i
        for piece, i in learned["vocab"].items()
    }
    assert len(vocab) == len(learned["vocab"])
    return vocab, [(piece_of(left), piece_of(right)) for left, right in learned["merges"]]


def _unigram(
    library: Library, texts: Iterator[str], config: TokenizerConfig, special: SpecialTokens
) -> Library:
    if config.min_frequency != TokenizerConfig().min_frequency:
        raise ConfigError(
            f"min_frequency={config.min_frequency} has no meaning for kind: unigram, which picks"
            " pieces by likelihood among those seen twice. Leave it out."
        )
    trainer = trainers.UnigramTrainer(
        vocab_size=config.vocab_size,
        special_tokens=special.all,
        unk_token=special.tokens["unk"],
        show_progress=False,
    )
    try:
        library.train_from_iterator(_batches(texts), trainer)
    except Exception as error:
        if type(error) is not Exception:  # what the texts raise; the library's own have no type
            raise
        raise ConfigError(
            f"vocab_size={config.vocab_size} is too small for kind: unigram, in which each letter"
            f" of the text is a piece ({error}). Use more, or kind: byte-bpe."
        ) from error
    learned = json.loads(library.to_str())["model"]
    library.model = models.Unigram(
        _remove_chance(learned["vocab"], len(special.all)),
        unk_id=special.all.index(special.tokens["unk"]),
        byte_fallback=False,
    )
    return library


def _remove_chance(vocab: list[list], n_special: int) -> list[tuple[str, float]]:
    """Remove the nondeterminism of the Unigram trainer from its pieces.

    Its sums run in the order of a randomly seeded hash table, so the last digits of scores differ.
    Pruned single letters are added again in that order, each with a slightly lower score.
    """
    special, learned = vocab[:n_special], [(p, round(s, 6)) for p, s in vocab[n_special:]]
    lowest_long = min((s for p, s in learned if len(p) > 1), default=float("-inf"))
    tail = [s for p, s in learned if len(p) == 1 and s < lowest_long]
    learned = [(p, min(tail) if len(p) == 1 and s < lowest_long else s) for p, s in learned]
    return [(p, s) for p, s in special] + sorted(learned, key=lambda piece: (-piece[1], piece[0]))


def _words(
    library: Library, texts: Iterator[str], config: TokenizerConfig, special: SpecialTokens
) -> Library:
    trainer = trainers.WordLevelTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=special.all,
        show_progress=False,
    )
    library.train_from_iterator(_batches(texts), trainer)
    return library


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(texts, BATCH)):
        yield batch


LEARN: dict[str, Callable[[Library, Iterator[str], TokenizerConfig, SpecialTokens], Library]] = {
    "byte-bpe": _byte_bpe,
    "bpe": _bpe,
    "unigram": _unigram,
    "wordpiece": _wordpiece,
    "word": _words,
    "char": _words,
}

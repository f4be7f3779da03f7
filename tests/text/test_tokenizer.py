"""Tokenizers: round trip, special tokens, offsets, hostile text (specs/reliability.md C2 to C4)."""

import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pellucid.config.data import TokenizerConfig
from pellucid.errors import UsageError
from pellucid.text.guard import repair
from pellucid.text.tokenizer import ROLES, TOKENS, Tokenizer
from pellucid.text.train import train_tokenizer
from text.samples import ODD, TEXTS


def specials(tokenizer: Tokenizer) -> set[int]:
    return {tokenizer.id(role) for role in ("pad", "bos", "eos")}


@pytest.mark.campaign
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(alphabet=st.characters(), max_size=60))
def test_bytes_round_trip_of_many(text, trained):
    bytes_round_trip(trained["byte-bpe"], text)


@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(alphabet=st.characters(), max_size=60))
def test_bytes_round_trip(text, trained):
    """Authority: the text itself, in its normalised form. All planes, lone surrogates too."""
    bytes_round_trip(trained["byte-bpe"], text)


def bytes_round_trip(tokenizer: Tokenizer, text: str) -> None:
    actual = tokenizer.encode(text)
    assert tokenizer.decode(actual.ids) == tokenizer.normalize(text)
    assert not specials(tokenizer) & set(actual.ids)
    assert tokenizer.encode_batch([text]) == [actual.ids]


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_round_trip_by_bytes(text, trained):
    tokenizer = trained["byte-bpe"]
    bytes_round_trip(tokenizer, text)
    # Authority: Python's own normalisation.
    clean = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)
    assert tokenizer.decode(tokenizer.encode(text).ids) == unicodedata.normalize("NFC", clean)


def test_without_normalisation_bytes_stay_as_they_are():
    tokenizer = train_tokenizer(TEXTS, TokenizerConfig(vocab_size=300, normalize="none"))
    for text in [*TEXTS, *ODD]:
        clean = repair(text)[0]
        assert tokenizer.decode(tokenizer.encode(text).ids) == clean


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.lists(st.sampled_from([*"".join(TEXTS), *ODD, *TOKENS.values()])).map("".join))
@example(text="</s>")
def test_every_kind_gives_the_normalised_form_back(text, trained):
    """Authority: the normalised form, wherever no piece is unknown."""
    for kind, tokenizer in trained.items():
        actual = tokenizer.encode(text)
        assert not specials(tokenizer) & set(actual.ids), kind
        assert tokenizer.encode_batch([text, "a"])[0] == actual.ids
        if tokenizer.id("unk") in actual.ids:
            continue
        decoded, expected = tokenizer.decode(actual.ids), tokenizer.normalize(text)
        if kind == "wordpiece":  # BERT's way: signs are words, so spaces around them are lost
            decoded, expected = ("".join(t.split()) for t in (decoded, expected))
        assert decoded == expected, kind


def test_what_the_normalised_form_is(trained):
    """Authority: Unicode's own example texts, and the rules in docs/data.md."""
    assert trained["bpe"].normalize("  e\u0301\t\u3000x\n") == "é x"
    assert trained["unigram"].normalize("a▁b") == "a b"
    for kind in ("bpe", "unigram", "word", "wordpiece"):
        assert trained[kind].normalize("<pad>a</s> </w>") == "< pad>a< /s> < /w>"
    config = TokenizerConfig(vocab_size=300, normalize="nfkc", lowercase=True)
    assert train_tokenizer(TEXTS, config).normalize("ＡﬁÄ ½") == "afiä 1⁄2"
    config = TokenizerConfig(kind="word", vocab_size=300, normalize="nfkc", lowercase=True)
    assert train_tokenizer(TEXTS, config).normalize("＜S＞") == "< s>"


def test_special_tokens_come_first_and_only_by_role(kind, trained):
    tokenizer = trained[kind]
    assert tokenizer.roles == {role: i for i, role in enumerate(ROLES)}
    assert [tokenizer.id(role) for role in ROLES] == [0, 1, 2, 3]
    assert tokenizer.pieces([0, 1, 2, 3]) == list(TOKENS.values())
    with pytest.raises(UsageError, match="pad, bos, eos, unk"):
        tokenizer.id("mask")
    ids = tokenizer.encode("The animal").ids
    assert tokenizer.decode([1, *ids, 2, 0, 0]) == tokenizer.decode(ids)


@pytest.mark.parametrize("bad", [-1, 10**6, 2**40])
def test_ids_of_no_piece(kind, bad, trained):
    for use in (trained[kind].decode, trained[kind].pieces, trained[kind].display):
        with pytest.raises(UsageError, match=f"id {bad} "):
            use([1, bad])


def test_offsets_are_characters_of_the_text_as_given(kind, trained):
    tokenizer = trained[kind]
    text = "The e\u0301t\u00e9 \ud800 animal, 东京 didn't"
    actual = tokenizer.encode(text)
    assert len(actual.ids) == len(actual.pieces) == len(actual.offsets)
    assert actual.pieces == tokenizer.pieces(actual.ids)
    for piece, (start, end), i in zip(actual.pieces, actual.offsets, actual.ids, strict=True):
        shown = tokenizer.display([i])[0].strip()
        if shown.isascii() and shown.isalpha() and piece != "<unk>":
            assert text[start:end].strip() == shown
    covered = {place for start, end in actual.offsets for place in range(start, end)}
    # A combining mark that was merged into its letter has the letter's place.
    assert covered >= {p for p, c in enumerate(text) if not c.isspace() and c != "\u0301"}


def test_bytes_of_unfinished_characters(trained):
    tokenizer = trained["byte-bpe"]
    # The characters were never seen: three bytes each. Authority: UTF-8.
    ids = tokenizer.encode("a鑫").ids
    assert tokenizer.display(ids) == ["a", "⟨E9⟩", "⟨91⟩", "⟨AB⟩"]
    assert tokenizer.decode(ids[:-1]) == "a\ufffd"
    assert tokenizer.encode("a鑫").offsets == [(0, 1), (1, 2), (1, 2), (1, 2)]


def test_displays_joined_are_the_text(kind, trained):
    tokenizer = trained[kind]
    text = "The animal cross the street"
    assert "".join(tokenizer.display(tokenizer.encode(text).ids)).strip() == text


def test_scripts_and_digits_are_not_merged_across():
    tokenizer = train_tokenizer(
        ["iPhone手机コーヒーですabc12 我2024"] * 9, TokenizerConfig(vocab_size=600)
    )
    shown = tokenizer.display(tokenizer.encode("iPhone手机コーヒーですabc12 我2024").ids)
    assert shown == ["iPhone", "手机", "コーヒー", "です", "abc", "1", "2", " 我", *"2024"]
    hindi = train_tokenizer(["यह किताब"] * 9, TokenizerConfig(vocab_size=600))
    assert hindi.display(hindi.encode("यह किताब").ids) == [
        "यह",
        " किताब",
    ]  # marks stay with letters


def test_wordpiece_decodes_without_rewriting():
    """Authority: the words. BERT's clean-up would say "don't"."""
    tokenizer = train_tokenizer(["we do not go ."] * 9, TokenizerConfig(kind="wordpiece"))
    assert tokenizer.decode(tokenizer.encode("we do not go.").ids) == "we do not go ."


def _word_of(piece: str, kind: str) -> str:
    """The word that a piece with its mark is; "" for one that only stands inside of words."""
    if kind in ("byte-bpe", "unigram"):
        return piece[1:] if piece[0] in "Ġ▁" else ""
    if kind == "bpe":
        return piece.removesuffix("</w>") if piece.endswith("</w>") else ""
    return "" if kind == "wordpiece" and piece.startswith("##") else piece.strip(" ")


def test_words_are_pieces_that_stand_for_one(trained, kind):  # authority: each kind's mark, by hand
    tokenizer = trained[kind]
    special = {*tokenizer.roles.values(), *tokenizer.extra.values()}
    ids = [i for i in range(tokenizer.vocab_size) if i not in special]
    pieces = zip(ids, tokenizer.pieces(ids), strict=True)
    expected = {_word_of(piece, kind): i for i, piece in pieces}
    expected.pop("", None)
    actual = {
        word: i for word, i in tokenizer.whole_words.items() if word.isascii() or kind != "byte-bpe"
    }
    readable = {word: i for word, i in expected.items() if word.isascii() or kind != "byte-bpe"}
    assert actual == readable
    assert len(actual) > 5

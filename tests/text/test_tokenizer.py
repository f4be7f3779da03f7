"""Tokenizers: round trip, special tokens, offsets, hostile text (specs/reliability.md C2 to C4)."""

import json
import re
import time
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from pellucid.config.data import TokenizerConfig
from pellucid.data.check import BREAKS
from pellucid.data.read import CODE, TWO_CODES
from pellucid.errors import DataError, UsageError, VerificationError
from pellucid.text.guard import LONGEST, SURROGATE, repair
from pellucid.text.kinds import KINDS, RUNS, SPELLED
from pellucid.text.pair import Tokenizers
from pellucid.text.tokenizer import ROLES, TOKENS, Tokenizer
from pellucid.text.train import train_tokenizer

TEXTS = [
    "The animal didn't cross the street because it was too tired.",
    "Das Tier überquerte die Straße nicht, weil es zu müde war (1234).",
    "这只动物没有过马路，因为它太累了。",
    "私は東京タワーへ行きました。コーヒーを飲む。",
    "</s> <s> <pad> <unk> </w> a</s>b ## ▁ _ ##s",
    'He said: "No; never!" <b>50 %</b> e\u0301té ＜s＞',
] * 4
ODD = [
    "", " ", "\n", "a\tb\r\n c", "  a  ", "e\u0301", "\u1100\u1161", "\ufeffx", "\x00\x01\x7f",
    "\u200d👩\u200d👩\u200d👧", "\u202eabc\u202c", "\ud800", "a\udfffb\ud800",
    "<pad>", "</s>", "x</s>y", "< /s>",
    "＜/s＞", "</w>", "a</w>b", "##a", "▁", "▁▁a ▁", "<unk>", "ǅ İ ß ﬁ", "한국어",
    "ไทย", "\U0010ffff",
    "\u2028\u2029\x85\x0b\x0c\x1c", "\u3000a\u00a0b\u2003", "a" * 300, "\u0301" * 300,
    "\U000f0000\U000f0001", "<<s>", "<s><s>", "</</s>s>",
]  # fmt: skip


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def trained() -> dict[str, Tokenizer]:
    sizes = {"byte-bpe": 400}
    return {
        kind: train_tokenizer(TEXTS, TokenizerConfig(kind=kind, vocab_size=sizes.get(kind, 300)))
        for kind in KINDS
    }


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
    found = tokenizer.encode(text)
    assert tokenizer.decode(found.ids) == tokenizer.normalize(text)
    assert not specials(tokenizer) & set(found.ids)
    assert tokenizer.encode_batch([text]) == [found.ids]


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
        found = tokenizer.encode(text)
        assert not specials(tokenizer) & set(found.ids), kind
        assert tokenizer.encode_batch([text, "a"])[0] == found.ids
        if tokenizer.id("unk") in found.ids:
            continue
        decoded, expected = tokenizer.decode(found.ids), tokenizer.normalize(text)
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
    found = tokenizer.encode(text)
    assert len(found.ids) == len(found.pieces) == len(found.offsets)
    assert found.pieces == tokenizer.pieces(found.ids)
    for piece, (start, end), i in zip(found.pieces, found.offsets, found.ids, strict=True):
        shown = tokenizer.display([i])[0].strip()
        if shown.isascii() and shown.isalpha() and piece != "<unk>":
            assert text[start:end].strip() == shown
    covered = {place for start, end in found.offsets for place in range(start, end)}
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


def test_lone_surrogates_are_replaced_and_counted():
    assert repair("a\ud800b\udfff\udc00") == ("a\ufffdb\ufffd\ufffd", 3)
    assert repair("a😀") == ("a😀", 0)
    assert repair("plain") == ("plain", 0)


def test_scripts_and_digits_are_not_merged_across(trained):
    tokenizer = train_tokenizer(
        ["iPhone手机コーヒーですabc12 我2024"] * 9, TokenizerConfig(vocab_size=600)
    )
    shown = tokenizer.display(tokenizer.encode("iPhone手机コーヒーですabc12 我2024").ids)
    assert shown == ["iPhone", "手机", "コーヒー", "です", "abc", "1", "2", " 我", *"2024"]


HOSTILE = [
    unit * (100_000 // len(unit))
    for unit in (
        *"a '.<-\n\t\u3000\u0301我あアーé1\x00\u2028\ufffd",
        "a ", " a", "'s", "s'", "''", "a'", "<s>", "</s>", "<", "</", "<pad", "  \n", "\r\n",
        "a\u0301", "我a", "あア", "ーあ", "1a", "1 ", ".a", "\u200d👩", "ab\t", "▁", "▁ ", "##",
        "# ", "\ud800", "\U000f0000", "en.", "en-de", "aa-aa_", "'re", "'ve ",
        "  ", "\u00a0 ", "e\u0301\u0301", "<unk>", "</w>", "aA", "한",
    )
]  # fmt: skip


def test_hostile_texts_take_no_longer_than_others(kind, trained):
    """Authority: linear time. Fifty texts of 100 kB; a quadratic regex would take minutes."""
    tokenizer = trained[kind]
    assert len(HOSTILE) >= 50
    for text in HOSTILE if kind == "byte-bpe" else HOSTILE[:: len(KINDS)]:
        start = time.perf_counter()
        tokenizer.encode_batch([text])
        assert time.perf_counter() - start < 2, text[:10]
    for text in HOSTILE:
        start = time.perf_counter()
        tokenizer.normalize(text)
        assert time.perf_counter() - start < 0.5, text[:10]


@pytest.mark.parametrize("regex", [SURROGATE, BREAKS, CODE, TWO_CODES])
def test_our_own_regexes_are_linear(regex):
    for text in HOSTILE:
        start = time.perf_counter()
        regex.fullmatch(text)
        regex.sub("", text)
        assert time.perf_counter() - start < 0.5, text[:10]


def test_no_regex_repeats_a_repetition():
    """Authority: the known cause of exponential time, (a+)+ and its kind."""
    nested = re.compile(r"[+*}][+*{]|\([^()]*[+*}][^()]*\)[+*{]")
    assert nested.search("(?:a+b)*")
    for regex in (RUNS, SPELLED, *(r.pattern for r in (SURROGATE, BREAKS, CODE, TWO_CODES))):
        plain = re.sub(r"\[[^]]*\]+", "C", re.sub(r"\\p\{\w+\}", "P", regex))
        assert not nested.search(plain), regex


def test_a_text_too_long_is_refused_at_once(trained):
    for use in (trained["byte-bpe"].encode, lambda text: trained["byte-bpe"].encode_batch([text])):
        start = time.perf_counter()
        with pytest.raises(DataError, match="10,000,000 characters"):
            use("x" * 10_000_000)
        assert time.perf_counter() - start < 0.2
    trained["byte-bpe"].encode("x " * (LONGEST // 2))


def test_saved_and_loaded_it_is_the_same(kind, trained, tmp_path):
    trained[kind].save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert (again.kind, again.roles) == (kind, trained[kind].roles)
    assert again.vocab_size == trained[kind].vocab_size
    assert again.to_json() == trained[kind].to_json()
    for text in [*TEXTS, *ODD]:
        assert again.encode(text) == trained[kind].encode(text)


def test_transformers_opens_it(kind, trained, tmp_path):
    """Authority: transformers' PreTrainedTokenizerFast."""
    trained[kind].save(tmp_path)
    theirs = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    for role in ROLES:
        assert getattr(theirs, f"{role}_token_id") == trained[kind].id(role)
    for text in [*TEXTS, "</s> a<pad>", "  x "]:
        ids = trained[kind].encode(text).ids
        assert theirs(text, add_special_tokens=False)["input_ids"] == ids
        assert theirs.decode(ids, skip_special_tokens=True) == trained[kind].decode(ids)


def test_pairs_of_tokenizers(trained, tmp_path):
    a, b = trained["byte-bpe"], trained["word"]
    Tokenizers(a, a).save(tmp_path / "joint")
    Tokenizers(a, b).save(tmp_path / "two")
    joint, two = Tokenizers.load(tmp_path / "joint"), Tokenizers.load(tmp_path / "two")
    assert joint.joint
    assert not two.joint
    assert two.source.to_json() == joint.source.to_json() == a.to_json()
    assert two.target.to_json() == b.to_json()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        "source_tokenizer.json",
        "source_tokenizer_config.json",
        "target_tokenizer.json",
        "target_tokenizer_config.json",
    ]
    with pytest.raises(DataError, match="neither"):
        Tokenizers.load(tmp_path)
    (tmp_path / "two" / "target_tokenizer.json").unlink()
    with pytest.raises(DataError, match="target_tokenizer"):
        Tokenizers.load(tmp_path / "two")


def refusal(directory) -> str:
    """What loading says; empty if it works, and then so must encoding."""
    try:
        Tokenizer.load(directory).encode("The animal")
    except VerificationError as error:
        return str(error)
    return ""


def test_damaged_files_are_errors_with_a_name(kind, trained, tmp_path):
    """Authority: the damage done here; whatever loads in spite of it must still work."""
    trained[kind].save(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        path = tmp_path / name
        good = path.read_bytes()
        cuts = [good[: len(good) * i // 8] for i in range(8)]
        flips = [good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :] for i in range(0, len(good), 97)]
        wrong = [b"[]", b"3", b"null", b"\xff", b"[" * 10**5]
        for number, data in enumerate(wrong + cuts + flips):
            path.write_bytes(data)
            said = refusal(tmp_path)
            assert said or number >= len(wrong) + len(cuts)
            assert not said or str(tmp_path) in said
        path.write_bytes(good)
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "<nowhere>"}')
    assert "<nowhere>" in refusal(tmp_path)


@pytest.mark.parametrize(
    "part", ["model", "normalizer", "pre_tokenizer", "decoder", "added_tokens"]
)
def test_parts_of_the_wrong_shape(part, kind, trained, tmp_path):
    trained[kind].save(tmp_path)
    path = tmp_path / "tokenizer.json"
    good = json.loads(path.read_text())
    for value in (3, "x", [], {}, {"type": "BPE"}, {"type": "None", "x": 1e308}, [{"id": -1}]):
        path.write_text(json.dumps({**good, part: value}))
        said = refusal(tmp_path)
        assert not said or str(path) in said

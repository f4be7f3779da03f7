"""Published tokenizers on disk: tokenizer.json opens as it says, all are written back, damage is
named."""

import json
import time

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import processors
from transformers import (
    AutoTokenizer,
    BertTokenizer,
    CTRLTokenizer,
    GPT2Tokenizer,
    MBartTokenizer,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    T5Tokenizer,
)

from pellucid.errors import DataError, UsageError, VerificationError
from pellucid.text.published.language import with_language
from pellucid.text.published.open import open_tokenizer, open_tokenizers
from pellucid.text.template import read_template
from text.mixed import mixed_lines
from text.published import samples as published
from text.test_guard import HOSTILE

LINES = mixed_lines(2000, seed=3)
NAMES = {*published.FAIRSEQ, *published.BERT, "<extra_id_0>"}
PLAIN = [line for line in LINES if not any(name in line for name in NAMES)]


def gpt2(directory, **config):
    config = {"tokenizer_class": "GPT2Tokenizer", **config}
    return published.byte_bpe(directory, ["<|endoftext|>"], **config)


def roberta(directory):
    return published.byte_bpe(directory, published.FAIRSEQ, tokenizer_class="RobertaTokenizer")


def gpt(directory, **config):
    config = {"tokenizer_class": "OpenAIGPTTokenizer", **config}
    return published.word_bpe(directory, **config)


MAKERS = {
    "bert": published.wordpiece,
    "gpt2": gpt2,
    "roberta": roberta,
    "gpt": gpt,
    "t5": published.t5,
    "albert": published.albert,
    "mbart": published.mbart,
}


MODEL_FILES = ("t5", "albert", "mbart")


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in MODEL_FILES])
def test_written_back_it_is_the_same_here_and_there(name, tmp_path):
    """Authority: transformers' PreTrainedTokenizerFast, and the directory that was opened."""
    first = open_tokenizer(MAKERS[name](tmp_path))
    first.save(tmp_path / "again")
    again = open_tokenizer(tmp_path / "again")
    assert (again.roles, again.extra, again.kind) == (first.roles, first.extra, first.kind)
    assert (again.template, again.vocab_size) == (first.template, first.vocab_size)
    ids = first.encode_batch(LINES)
    assert again.encode_batch(LINES) == ids
    assert [first.encode(line).ids for line in LINES] == ids
    reference = PreTrainedTokenizerFast.from_pretrained(tmp_path / "again")
    assert reference(LINES, add_special_tokens=False)["input_ids"] == ids
    assert reference(LINES)["input_ids"] == [first.add_special_tokens(each).ids for each in ids]
    twice = reference(LINES, LINES[::-1], return_token_type_ids=True)
    for i, (a, b) in enumerate(zip(ids, ids[::-1], strict=True)):
        wrapped = first.add_special_tokens(a, b)
        assert (wrapped.ids, wrapped.segments) == (
            twice["input_ids"][i],
            twice["token_type_ids"][i],
        )


@pytest.mark.parametrize("name", MODEL_FILES)
def test_sentencepiece_models_are_written_back_as_they_came(name, tmp_path):
    """Authority: transformers' own class: it reads both directories alike."""
    MAKERS[name](tmp_path)
    first = open_tokenizer(tmp_path)
    first.save(tmp_path / "again")
    again = open_tokenizer(tmp_path / "again")
    assert (again.roles, again.extra, again.template) == (first.roles, first.extra, first.template)
    assert again.encode_batch(LINES) == first.encode_batch(LINES)
    assert again.to_json() == first.to_json()
    before, after = (AutoTokenizer.from_pretrained(d) for d in (tmp_path, tmp_path / "again"))
    assert type(before) is type(after)
    assert before(LINES)["input_ids"] == after(LINES)["input_ids"]


def test_a_class_that_only_config_json_names_is_written_back(tmp_path):
    first = open_tokenizer(published.t5(tmp_path))
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    open_tokenizer(tmp_path).save(tmp_path / "again")
    assert open_tokenizer(tmp_path / "again").encode_batch(LINES) == first.encode_batch(LINES)


def test_ctrl_is_written_back_as_it_came(tmp_path):
    """Authority: transformers' CTRLTokenizer: no single file of the library's can say it all."""
    first = open_tokenizer(published.cut_bpe(tmp_path, tokenizer_class="CTRLTokenizer"))
    first.save(tmp_path / "again")
    reference = CTRLTokenizer.from_pretrained(tmp_path / "again")
    ids = open_tokenizer(tmp_path / "again").encode_batch(PLAIN)
    assert ids == reference(PLAIN)["input_ids"] == first.encode_batch(PLAIN)
    words = "The garden didn't grow"
    expected = first.encode(words).ids
    assert first.decode(expected) == reference.decode(expected) == words
    assert "".join(first.display(expected)) == words + " "
    assert first.to_json() != open_tokenizer(gpt(tmp_path / "again")).to_json()


@pytest.mark.parametrize(
    ("theirs_of", "name"),
    [
        (BertTokenizer, "bert"),
        (GPT2Tokenizer, "gpt2"),
        (RobertaTokenizer, "roberta"),
    ],
)
def test_tokenizer_json_of_transformers(theirs_of, name, tmp_path):
    """Authority: the tokenizer that wrote it."""
    reference = theirs_of.from_pretrained(MAKERS[name](tmp_path), split_special_tokens=True)
    reference.save_pretrained(tmp_path / "whole")
    assert (tmp_path / "whole" / "tokenizer.json").exists()
    actual = open_tokenizer(tmp_path / "whole")
    assert actual.encode_batch(LINES) == reference(LINES, add_special_tokens=False)["input_ids"]
    assert actual.kind == open_tokenizer(tmp_path).kind
    assert actual.template == open_tokenizer(tmp_path).template
    assert actual.roles == {role: getattr(reference, f"{role}_token_id") for role in actual.roles}


@pytest.mark.parametrize("name", ["t5", "mbart"])
def test_unigram_finds_no_special_token_in_a_text(name, tmp_path):
    """Authority: SentencePiece's ids (test_open.py), and transformers' for texts that spell none.

    A tokenizer.json has its special tokens among its pieces, at score 0.
    """
    actual, classes = open_tokenizer(MAKERS[name](tmp_path)), {"t5": T5Tokenizer}
    classes.get(name, MBartTokenizer).from_pretrained(tmp_path).save_pretrained(tmp_path / "whole")
    whole = open_tokenizer(tmp_path / "whole")
    assert (whole.extra, whole.roles) == (actual.extra, actual.roles)
    reference = AutoTokenizer.from_pretrained(tmp_path / "whole", split_special_tokens=True)
    spelled = [line for line in LINES if any(name in line for name in NAMES)]
    spelled += ["</s>", "a</s>", "<pad><extra_id_99>", "en_XX a de_DE, ro_RO"]
    assert len(spelled) > 100
    marks = {*actual.extra.values(), *actual.roles.values()} - {actual.id("unk")}
    for tokenizer in (actual, whole):
        for ids in tokenizer.encode_batch(spelled):
            assert not marks & set(ids)
    result = sum(
        bool(marks & {*ids}) for ids in reference(spelled, add_special_tokens=False).input_ids
    )
    assert result > 10  # so it could be seen
    if name == "t5":  # transformers 5 leaves mBART's normalisation out
        assert len(PLAIN) > 1500
        assert whole.encode_batch(PLAIN) == reference(PLAIN, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    "processor",
    [
        processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
        processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)),
        processors.ByteLevel(),
        processors.Sequence(
            [processors.ByteLevel(), processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))]
        ),
        processors.TemplateProcessing(
            single="$A:2 [SEP]:1",
            pair="[CLS] $B:1 $A:0",
            special_tokens=[("[SEP]", 3), ("[CLS]", 2)],
        ),
        None,
    ],
    ids=lambda processor: type(processor).__name__,
)
def test_templates_of_the_library(processor, tmp_path):
    """Authority: the library's own encoding with special tokens."""
    open_tokenizer(published.wordpiece(tmp_path)).save(tmp_path)
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    if processor is None:
        expected = json.loads(library.to_str())
        library = Library.from_str(json.dumps({**expected, "post_processor": None}))
    else:
        library.post_processor = processor
    template = read_template(library.post_processor)
    a, b = (library.encode(text, add_special_tokens=False).ids for text in ("the dog", "why not"))
    for result, expected in (
        (template.wrap(a), library.encode("the dog")),
        (template.wrap(a, b), library.encode("the dog", "why not")),
    ):
        assert (result.ids, result.segments) == (expected.ids, expected.type_ids)


def test_tokens_added_later(tmp_path):
    """Authority: transformers' own reading of added_tokens.json and special_tokens_map.json."""
    gpt2(tmp_path)
    size = open_tokenizer(tmp_path).vocab_size
    added = {"<|pad|>": size, "<x>": size + 1, "Garden": size + 2}
    (tmp_path / "added_tokens.json").write_text(json.dumps(added))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": "<|pad|>"}))
    reference = GPT2Tokenizer.from_pretrained(tmp_path, split_special_tokens=True)
    actual = open_tokenizer(tmp_path)
    assert (actual.id("pad"), actual.vocab_size) == (reference.pad_token_id, len(reference))
    assert (actual.id("pad"), actual.extra) == (size, {})
    lines = [*LINES, "a <x> b", "<|pad|>", "TheGardens of gardens. Garden ", "<x><x>Garden"]
    ids = actual.encode_batch(lines)
    assert ids == reference(lines, add_special_tokens=False)["input_ids"]
    assert {size + 1, size + 2} <= {*ids[-1]}
    assert actual.decode(ids[-2]) == reference.decode(ids[-2]) == lines[-2]
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<|pad|>": size + 5}))
    with pytest.raises(VerificationError, match=r"added_tokens.json.*another vocabulary"):
        open_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["bert", "gpt2", "gpt"])
@pytest.mark.parametrize(
    "flags",
    [
        {"normalized": True},
        {"normalized": False},
        {"single_word": True},
        {"lstrip": True},
        {"rstrip": True, "normalized": True},
        {"special": True, "lstrip": True},
    ],
    ids=lambda flags: "-".join(flags),
)
def test_flags_of_added_tokens(name, flags, tmp_path):
    """Authority: transformers on vocabulary files, on what it saves, and on that as a plain one."""
    size = open_tokenizer(MAKERS[name](tmp_path)).vocab_size
    word = {"content": "Straße x", **flags}
    names = {"bert": "Bert", "gpt2": "GPT2", "gpt": "OpenAIGPT"}
    config = {"tokenizer_class": f"{names[name]}Tokenizer"}
    MAKERS[name](tmp_path, added_tokens_decoder={str(size): word}, **config)
    reference = AutoTokenizer.from_pretrained(tmp_path, split_special_tokens=True)
    lines = ["a Straße x b", "aStraße xb", "STRASSE X straße X Stra\u00dfe  x", "  Straße x  , "]
    assert (
        open_tokenizer(tmp_path).encode_batch(lines)
        == reference(lines, add_special_tokens=False)["input_ids"]
    )
    reference.save_pretrained(tmp_path / "whole")
    again = AutoTokenizer.from_pretrained(tmp_path / "whole", split_special_tokens=True)
    assert (
        open_tokenizer(tmp_path / "whole").encode_batch(lines)
        == again(lines, add_special_tokens=False)["input_ids"]
    )
    open_tokenizer(tmp_path / "whole").save(tmp_path / "plain")
    assert (
        open_tokenizer(tmp_path / "plain").encode_batch(lines)
        == again(lines, add_special_tokens=False)["input_ids"]
    )


def test_languages(tmp_path):
    actual = open_tokenizer(published.mbart(tmp_path))
    german = with_language(actual, "de_DE")
    assert german.add_special_tokens([7]).ids == [7, actual.id("eos"), actual.extra["de_DE"]]
    assert actual.add_special_tokens([7]).ids == [7, actual.id("eos"), actual.extra["en_XX"]]
    assert with_language(german, "en_XX").template == actual.template
    assert with_language(actual, "de").template == german.template  # the only German
    with pytest.raises(UsageError, match="ro_RO"):
        with_language(actual, "xx")
    with pytest.raises(UsageError, match="no marks for languages"):
        with_language(open_tokenizer(published.wordpiece(tmp_path)), "de_DE")


@pytest.mark.parametrize("name", [*MAKERS, "ctrl", "marian"])
def test_hostile_texts_take_no_longer_than_others(name, tmp_path):
    """Authority: linear time, as for our own kinds."""
    more = {"ctrl": published.cut_bpe, "marian": published.marian}
    config = {"tokenizer_class": "CTRLTokenizer"} if name == "ctrl" else {}
    actual = open_tokenizers({**MAKERS, **more}[name](tmp_path, **config)).source
    for text in HOSTILE[:: len(MAKERS)]:
        began = time.process_time()
        actual.encode_batch([text])
        assert time.process_time() - began < 2, text[:10]


def message(directory, error=VerificationError) -> str:
    """What opening says, at once; the directory is named."""
    began = time.process_time()
    with pytest.raises(error) as raised:
        open_tokenizers(directory)
    assert time.process_time() - began < 2
    assert str(directory) in str(raised.value)
    return str(raised.value)


def refusal(directory) -> str:
    """The file that opening names; empty if it works, and then so must encoding."""
    try:
        open_tokenizer(directory).encode("The animal")
    except VerificationError as error:
        return next(word.rstrip(":,") for word in str(error).split(" ") if ".model" in word)
    return ""


def test_what_is_missing_is_named(tmp_path):
    assert "no tokenizer" in message(tmp_path, DataError)
    assert "no tokenizer" in message(tmp_path / "nowhere", DataError)
    (tmp_path / "vocab.json").write_text("{}")
    assert "merges.txt is missing" in message(tmp_path, DataError)
    published.marian(tmp_path)
    with pytest.raises(UsageError, match="open_tokenizers"):
        open_tokenizer(tmp_path)
    (tmp_path / "target.spm").unlink()
    assert "target.spm is missing" in message(tmp_path, DataError)


def test_wrong_vocabularies_are_named(tmp_path):
    published.wordpiece(tmp_path)
    vocab = tmp_path / "vocab.txt"
    good = vocab.read_text()
    vocab.write_text(good.replace("[UNK]\n", "[OTHER]\n"))
    assert "vocab.txt lacks '[UNK]'" in message(tmp_path)
    vocab.write_bytes(good.encode() + b"\xff")
    assert "UTF-8" in message(tmp_path)
    vocab.unlink()
    gpt2(tmp_path)
    merges = tmp_path / "merges.txt"
    lines = merges.read_text().split("\n")
    for wrong in ("ab", "a b c", "a ", " b"):
        merges.write_text("\n".join([*lines[:5], wrong, *lines[5:]]))
        assert "merges.txt, line 6" in message(tmp_path)
    merges.write_text("\n".join([*lines[:5], "q Ω", *lines[5:]]))
    assert "vocab.json" in message(tmp_path)
    merges.write_text("\n".join(lines))
    for wrong in ("[]", "{}", '{"a": "b"}', '{"a": -1}', '{"a": 1, "b": 1}', '{"a": true}', "{"):
        (tmp_path / "vocab.json").write_text(wrong)
        assert "vocab.json" in message(tmp_path)
    gpt2(tmp_path, tokenizer_class="Unheard")
    assert "tokenizer_class 'Unheard'" in message(tmp_path)
    gpt2(tmp_path, tokenizer_class=None)
    assert "tokenizer_class" in message(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    open_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "config", "why"),
    [
        ("mbart", {"src_lang": "xx_YY"}, "lacks 'xx_YY'"),
        ("mbart", {"src_lang": ["en_XX"]}, "src_lang"),
        ("t5", {"extra_ids": 10**9}, "extra_ids"),
        ("t5", {"extra_ids": "100"}, "extra_ids"),
        ("t5", {"eos_token": "<end>"}, "lacks '<end>'"),
        ("bert", {"do_lower_case": "no"}, "do_lower_case"),
        ("gpt2", {"add_bos_token": True, "bos_token": "<bos>"}, "lacks '<bos>'"),
        ("gpt2", {"added_tokens_decoder": {"x": {"content": "<x>"}}}, "added_tokens_decoder"),
        ("gpt2", {"added_tokens_decoder": {"7": {"content": "<x>"}}}, "another vocabulary"),
    ],
)
def test_wrong_settings_are_named(name, config, why, tmp_path):
    MAKERS[name](tmp_path, **config)
    assert why in message(tmp_path)
    MAKERS[name](tmp_path, **dict.fromkeys(config))  # null is as if it were not there
    open_tokenizer(tmp_path)


def test_damaged_sentencepiece_models_are_named(tmp_path):
    published.t5(tmp_path)
    path = tmp_path / "spiece.model"
    good = path.read_bytes()
    cuts = [good[: len(good) * i // 16] for i in range(16)]
    for data in (b"", b"\xff" * 99, b"\x0a", b"{}", good[3:], *cuts):
        path.write_bytes(data)
        assert "spiece.model" in message(tmp_path)
    for place in range(0, len(good), len(good) // 40):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x44]) + good[place + 1 :])
        assert refusal(tmp_path) in ("", str(path))
    for setting, value in (("model_type", "char"), ("remove_extra_whitespaces", False)):
        path.write_bytes(published.spm(**{setting: value}))
        assert setting in message(tmp_path)
    path.write_bytes(published.spm(model_type="bpe", user_defined_symbols="<sep>"))
    assert "user-defined" in message(tmp_path)
    path.write_bytes(good)
    published.configure(tmp_path)
    assert "tokenizer_class" in message(tmp_path)

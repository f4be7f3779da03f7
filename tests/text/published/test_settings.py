"""Settings of published tokenizers: the ids are transformers', or the directory is refused.

Authority: `AutoTokenizer` on the same directory, with special tokens of a text left as characters.
"""

import json

import pytest
import transformers
from tokenizers import processors
from transformers import AutoTokenizer

from pellucid.errors import VerificationError
from pellucid.text.published.open import open_tokenizer, open_tokenizers
from pellucid.text.published.settings import list_unsupported
from text.mixed import mixed_lines
from text.published import samples as published
from text.published.test_open import DECOMPOSED, PLAIN

LINES = mixed_lines(500, seed=7)
PAIRS = [("The garden.", "Why?"), ("", "a"), ("Ünïted states", " b")]


def gpt2(directory, **config):
    return published.byte_bpe(directory, ["<|endoftext|>"], **config)


def roberta(directory, **config):
    return published.byte_bpe(directory, published.FAIRSEQ, **config)


MAKERS = {
    "BertTokenizer": published.wordpiece,
    "GPT2Tokenizer": gpt2,
    "RobertaTokenizer": roberta,
    "OpenAIGPTTokenizer": published.word_bpe,
    "CTRLTokenizer": published.cut_bpe,
    "T5Tokenizer": published.t5,
    "AlbertTokenizer": published.albert,
    "MBartTokenizer": published.mbart,
    "XLMRobertaTokenizer": published.xlm_roberta,
}


def make(directory, name, **config):
    return MAKERS[name](directory, tokenizer_class=name, **config)


def make_json(directory, name, **config):
    """A directory with tokenizer.json, as transformers saves it."""
    make(directory, name, **config)
    AutoTokenizer.from_pretrained(directory).save_pretrained(directory / "whole")
    return directory / "whole"


def change(directory, **config):
    """Other settings in tokenizer_config.json; None takes one away."""
    path = directory / "tokenizer_config.json"
    changed = json.loads(path.read_text()) | config
    path.write_text(json.dumps({k: v for k, v in changed.items() if v is not None}))
    return directory


def assert_same_as_transformers(directory, lines=LINES):
    reference = AutoTokenizer.from_pretrained(directory, split_special_tokens=True)
    actual = open_tokenizer(directory)
    assert actual.encode_batch(lines) == reference(lines, add_special_tokens=False)["input_ids"]
    for first, second in PAIRS:
        a, b = actual.encode_batch([first, second])
        assert actual.add_special_tokens(a).ids == reference(first)["input_ids"]
        assert actual.add_special_tokens(a, b).ids == reference(first, second)["input_ids"]
    return reference


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize(
    "config",
    [
        {"do_lower_case": True},
        {"do_lower_case": False},
        {"do_lower_case": None},
        {"do_lower_case": False, "strip_accents": True},
        {"do_lower_case": True, "strip_accents": False},
        {"tokenize_chinese_chars": False},
        {"cls_token": "[SEP]", "sep_token": "[MASK]"},
    ],
    ids=lambda config: "-".join(f"{key}={value}" for key, value in config.items()),
)
def test_bert_next_to_tokenizer_json(made, config, tmp_path):
    whole = make_json(tmp_path, "BertTokenizer", do_lower_case=made)
    assert_same_as_transformers(change(whole, **config))


@pytest.mark.parametrize("name", ["GPT2Tokenizer", "RobertaTokenizer"])
@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("asked", [True, False, None])
def test_prefix_space_next_to_tokenizer_json(name, made, asked, tmp_path):
    whole = make_json(tmp_path, name, add_prefix_space=made)
    assert_same_as_transformers(change(whole, add_prefix_space=asked))


@pytest.mark.parametrize("setting", ["do_lower_case", "keep_accents"])
def test_albert_next_to_tokenizer_json(setting, tmp_path):
    whole = make_json(tmp_path, "AlbertTokenizer")
    lines = [line for line in PLAIN if "\x85" not in line][:400]
    assert_same_as_transformers(whole, lines)
    change(whole, **{setting: setting == "keep_accents"})
    with pytest.raises(VerificationError, match=f"tokenizer.json is made for {setting}"):
        open_tokenizer(whole)


def test_another_pipeline_than_the_class_has_is_refused(tmp_path):
    whole = make_json(tmp_path, "BertTokenizer", do_lower_case=True)
    change(whole, tokenizer_class="GPT2Tokenizer")
    with pytest.raises(VerificationError, match="as a GPT2Tokenizer does"):
        open_tokenizer(whole)
    change(whole, tokenizer_class="PreTrainedTokenizerFast", do_lower_case=False)
    assert_same_as_transformers(whole)  # of no class: as the file says


def test_a_language_next_to_tokenizer_json(tmp_path):
    whole = make_json(tmp_path, "MBartTokenizer")
    change(whole, src_lang="de_DE")
    reference, actual = AutoTokenizer.from_pretrained(whole), open_tokenizer(whole)
    ids = actual.encode("The garden").ids
    assert actual.add_special_tokens(ids).ids == reference("The garden")["input_ids"]
    assert actual.add_special_tokens([]).ids[-1] == actual.extra["de_DE"]


FLAGS = [
    {"add_bos_token": start, "add_eos_token": end}
    for start in (True, False, None)
    for end in (True, False, None)
]


@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: "-".join(map(str, flags.values())))
@pytest.mark.parametrize("name", MAKERS)
def test_start_and_end_tokens(name, flags, tmp_path):
    """Of vocabulary files; a tokenizer.json has its template, whatever the flags."""
    flags = {key: value for key, value in flags.items() if value is not None}
    make(tmp_path, name, **flags)
    if name == "AlbertTokenizer" and flags:
        with pytest.raises(VerificationError, match="add_bos_token and add_eos_token"):
            open_tokenizer(tmp_path)
        return
    lines = ["the dog sleeps", ""]
    assert_same_as_transformers(tmp_path, lines)
    if name == "CTRLTokenizer":  # without a tokenizer.json in transformers
        return
    reference = AutoTokenizer.from_pretrained(tmp_path)
    reference.save_pretrained(tmp_path / "whole")
    assert_same_as_transformers(change(tmp_path / "whole", **flags), lines)


@pytest.mark.parametrize("name", ["GPT2Tokenizer", "PreTrainedTokenizerFast", ""])
def test_templates_in_tokenizer_json(name, tmp_path):
    whole = make_json(tmp_path, "GPT2Tokenizer")
    library = AutoTokenizer.from_pretrained(whole).backend_tokenizer
    library.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A the:1",
        pair="$B $A",
        special_tokens=[("<|endoftext|>", 0), ("the", 5)],
    )
    library.save(str(whole / "tokenizer.json"))
    change(whole, tokenizer_class=name or None, add_bos_token=False)
    (whole / "config.json").write_text('{"model_type": "gpt2"}')
    assert_same_as_transformers(whole)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("where", ["tokenizer_config.json", "config.json"])
@pytest.mark.parametrize("unknown", ["BertJapaneseTokenizer", "MyOwnTokenizerFast"])
def test_unknown_classes_are_refused(name, where, unknown, tmp_path):
    make(tmp_path, name)
    model_types = {"AlbertTokenizer": "albert", "MBartTokenizer": "mbart", "T5Tokenizer": "t5"}
    model_types |= {"XLMRobertaTokenizer": "xlm-roberta"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_types.get(name, "bert")}))
    if where == "tokenizer_config.json":
        change(tmp_path, tokenizer_class=unknown)
    else:
        change(tmp_path, tokenizer_class=None)
        (tmp_path / "config.json").write_text(json.dumps({"tokenizer_class": unknown}))
    known = f"{unknown.removesuffix('Fast')}' is not known here.*BertTokenizer.*T5Tokenizer"
    with pytest.raises(VerificationError, match=known):
        open_tokenizers(tmp_path)


def test_unknown_classes_with_a_tokenizer_json_are_refused(tmp_path):
    whole = make_json(tmp_path, "BertTokenizer")
    with pytest.raises(VerificationError, match=r"KoBertTokenizer.*PreTrainedTokenizerFast"):
        open_tokenizer(change(whole, tokenizer_class="KoBertTokenizer"))


def test_xlm_roberta_with_a_tokenizer_json(tmp_path):
    """As of multilingual MiniLM, which is a BERT."""
    published.xlm_roberta(tmp_path)
    reference = transformers.XLMRobertaTokenizer.from_pretrained(tmp_path)
    reference.save_pretrained(tmp_path / "whole")
    (tmp_path / "whole" / "config.json").write_text('{"model_type": "bert"}')
    lines = [line for line in PLAIN if "\x85" not in line]
    assert type(assert_same_as_transformers(tmp_path / "whole", lines)) is type(reference)


def test_added_tokens_that_disagree_are_refused(tmp_path):
    size = open_tokenizer(make(tmp_path, "BertTokenizer")).vocab_size
    word = {"content": "Garden", "normalized": True}
    whole = make_json(tmp_path, "BertTokenizer", added_tokens_decoder={str(size): word})
    reference = assert_same_as_transformers(whole, [*LINES, "Garden garden Gardens"])
    added = reference.added_tokens_decoder.items()  # as transformers 4 writes them
    listed = {str(i): token.__getstate__() for i, token in added}
    assert_same_as_transformers(change(whole, added_tokens_decoder=listed))
    for flags in ({"normalized": False}, {"single_word": True}, {"special": True}):
        entry = listed[str(size)] | flags
        change(whole, added_tokens_decoder={**listed, str(size): entry})
        with pytest.raises(VerificationError, match="disagree about the added token 'Garden'"):
            open_tokenizer(whole)
    for change_to in ({}, {**listed, str(size + 1): word | {"content": "other"}}):
        change(whole, added_tokens_decoder=change_to)
        with pytest.raises(VerificationError, match="disagree about the added token"):
            open_tokenizer(whole)


@pytest.mark.parametrize("name", ["T5Tokenizer", "AlbertTokenizer", "MBartTokenizer"])
def test_words_added_to_a_sentencepiece_model_are_refused(name, tmp_path):
    size = open_tokenizer(make(tmp_path, name)).vocab_size
    make(tmp_path, name, added_tokens_decoder={str(size): {"content": "Garden"}})
    with pytest.raises(VerificationError, match="'Garden' was added"):
        open_tokenizer(tmp_path)
    special = {"content": "<sep>", "special": True}
    make(tmp_path, name, added_tokens_decoder={str(size): special})
    reference, actual = AutoTokenizer.from_pretrained(tmp_path), open_tokenizer(tmp_path)
    assert actual.extra["<sep>"] == size == reference.convert_tokens_to_ids("<sep>")
    assert actual.vocab_size == size + 1


@pytest.mark.parametrize("name", ["BertTokenizer", "GPT2Tokenizer", "T5Tokenizer"])
def test_special_tokens_without_a_role_are_added(name, tmp_path):
    make(tmp_path, name, extra_special_tokens=["<a>", "<b>"])
    reference, actual = AutoTokenizer.from_pretrained(tmp_path), open_tokenizer(tmp_path)
    for token in ("<a>", "<b>"):
        assert actual.extra[token] == reference.convert_tokens_to_ids(token)
    assert actual.vocab_size == len(reference)


@pytest.mark.parametrize(
    "name", ["BertTokenizer", "RobertaTokenizer", "AlbertTokenizer", "XLMRobertaTokenizer"]
)
@pytest.mark.parametrize("flags", [{"lstrip": True}, {"rstrip": True}, {}])
def test_spaces_that_a_mask_takes(name, flags, tmp_path):
    content = "<mask>" if name.endswith("RobertaTokenizer") else "[MASK]"
    make(tmp_path, name)
    mask = {"mask_token": {"content": content, **flags}}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(mask))
    reference, actual = AutoTokenizer.from_pretrained(tmp_path), open_tokenizer(tmp_path)
    token = reference.added_tokens_decoder[actual.id("mask")]
    assert actual.read_strips("mask") == (token.lstrip, token.rstrip)
    if name != "AlbertTokenizer":  # there its control symbols have none
        assert actual.read_strips("mask") == ("lstrip" in flags, "rstrip" in flags)


def test_sampling_is_refused(tmp_path):
    published.marian(tmp_path, sp_model_kwargs={"enable_sampling": True})
    with pytest.raises(VerificationError, match="enable_sampling"):
        open_tokenizers(tmp_path)
    published.marian(tmp_path, sp_model_kwargs={})
    open_tokenizers(tmp_path)


def test_marian_next_to_a_tokenizer_json(tmp_path):
    """As the ONNX copies of Marian's models have it; transformers reads the .spm files."""
    published.marian(tmp_path)
    (tmp_path / "other").mkdir()
    whole = make_json(tmp_path / "other", "BertTokenizer")
    (whole / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    reference = AutoTokenizer.from_pretrained(tmp_path, split_special_tokens=True)
    actual = open_tokenizers(tmp_path).source
    lines = PLAIN[:100] + DECOMPOSED[:100]
    assert actual.encode_batch(lines) == reference(lines, add_special_tokens=False)["input_ids"]


def test_lines_of_a_vocabulary(tmp_path):
    """Authority: transformers 5 on ids of texts; by hand, the names of odd pieces.

    U+2028 is a piece of BERT's Chinese vocabulary. An id without a piece can be shown.
    """
    lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "\u2028", "", "b\r", "c \u00a0"]
    lines += ["##\u3000", "a", "\u3000", " d", "e\x1f"]
    (tmp_path / "vocab.txt").write_bytes("\n".join([*lines, ""]).encode())
    published.configure(tmp_path, tokenizer_class="BertTokenizer")
    assert_same_as_transformers(tmp_path, ["a b c d e f", "a##", "\u2028 \u3000 b"])
    actual = open_tokenizer(tmp_path)
    assert actual.vocab_size == len(lines)
    assert actual.pieces([6, 8, 9, 11, 12]) == ["\u2028", "b", "c", "a", "\u3000"]
    assert actual.pieces([5, 7]) == ["<5>", "<7>"]  # "a" comes again, and a blank line
    assert actual.decode([8, 5, 7, 11]) == "b a"
    assert actual.display([7]) == [" <7>"]


def test_a_side_that_is_not_cut_here_is_named(tmp_path):
    """Authority: transformers, which cuts the start of a text if truncation_side says so."""
    published.wordpiece(tmp_path, tokenizer_class="BertTokenizer", truncation_side="left")
    reference = transformers.BertTokenizer.from_pretrained(tmp_path)
    whole = reference("the cat sleeps")["input_ids"]
    cut = reference("the cat sleeps", truncation=True, max_length=3)["input_ids"]
    assert cut == [whole[0], whole[-2], whole[-1]]
    (note,) = list_unsupported(tmp_path)
    assert note == "truncation_side=left: a text that is too long is cut at its end"
    for side in (None, "right"):
        published.wordpiece(tmp_path, tokenizer_class="BertTokenizer", truncation_side=side)
        assert list_unsupported(tmp_path) == ()
    published.wordpiece(tmp_path, tokenizer_class="BertTokenizer", truncation_side=3)
    with pytest.raises(VerificationError, match="truncation_side='3' should be a str"):
        open_tokenizer(tmp_path)

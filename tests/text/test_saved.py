"""Tokenizers on disk: they come back, other tools open them, damage is named."""

import json

import pytest
from transformers import PreTrainedTokenizerFast

from pellucid.errors import DataError, VerificationError
from pellucid.text.pair import Tokenizers
from pellucid.text.tokenizer import ROLES, Tokenizer
from text.samples import ODD, TEXTS


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
    reference = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    for role in ROLES:
        assert getattr(reference, f"{role}_token_id") == trained[kind].id(role)
    for text in [*TEXTS, "</s> a<pad>", "  x "]:
        ids = trained[kind].encode(text).ids
        assert reference(text, add_special_tokens=False)["input_ids"] == ids
        assert reference.decode(ids, skip_special_tokens=True) == trained[kind].decode(ids)


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
            message = refusal(tmp_path)
            assert message or number >= len(wrong) + len(cuts)
            assert not message or str(tmp_path) in message
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
        message = refusal(tmp_path)
        assert not message or str(path) in message


def test_damage_that_only_an_unknown_word_shows(trained, tmp_path):
    trained["word"].save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text().replace('"unk_token": "<unk>"', '"unk_token": "?"'))
    with pytest.raises(VerificationError, match=r"tokenizer\.json"):
        Tokenizer.load(tmp_path)


def test_other_tools_put_the_same_special_tokens_around_texts(kind, trained, tmp_path):
    """Authority: transformers, on one text and on two."""
    first, second = (trained[kind].encode(text).ids for text in TEXTS[:2])
    roles = {role: trained[kind].id(role) for role in ROLES}
    classes = (("bos", "A", "eos"), ("bos", "A", "eos", "B:1", "eos:1"))
    bos, eos = roles["bos"], roles["eos"]
    expected = {
        "end": (trained[kind], [*first, eos], [*first, *second, eos], None),
        "classes": (
            trained[kind].with_template(*classes),
            [bos, *first, eos],
            [bos, *first, eos, *second, eos],
            [0] * (len(first) + 2) + [1] * (len(second) + 1),
        ),
    }
    for name, (tokenizer, one, two, segments) in expected.items():
        (tmp_path / name).mkdir()
        tokenizer.save(tmp_path / name)
        reference = PreTrainedTokenizerFast.from_pretrained(tmp_path / name)
        assert reference(TEXTS[0])["input_ids"] == one == tokenizer.add_special_tokens(first).ids
        pair = reference(TEXTS[0], TEXTS[1])
        assert pair["input_ids"] == two == tokenizer.add_special_tokens(first, second).ids
        # A model without segments must not be given any: GPT-2 would add token 0's embedding.
        assert pair.get("token_type_ids") == segments
        assert Tokenizer.load(tmp_path / name).template == tokenizer.template
    assert trained[kind].add_special_tokens(first).ids == [*first, eos]  # unchanged by the other


def test_pairs_of_tokenizers_with_end_tokens(trained):  # authority: the definition
    tokenizers = Tokenizers(
        trained["byte-bpe"].with_template(("bos", "A"), ("bos", "A", "B")), trained["word"]
    ).with_end_tokens()
    for tokenizer in (tokenizers.source, tokenizers.target):
        ids = tokenizer.encode(TEXTS[0]).ids
        assert tokenizer.add_special_tokens(ids).ids == [*ids, tokenizer.id("eos")]
    assert not tokenizers.joint
    assert Tokenizers(tokenizers.source, tokenizers.source).with_end_tokens().joint

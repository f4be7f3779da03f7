"""Words for gaps.  Authority: transformers."""

from typing import Any

import pytest
import torch
import transformers

import pellucid
from parity.peer import randomize
from pellucid.errors import UsageError
from pellucid.inference import fill
from text.published.samples import FAIRSEQ, albert, byte_bpe, wordpiece


@torch.no_grad()
def test_gaps_are_filled_as_by_transformers(bert):
    reference, directory = bert
    model = pellucid.load(directory, device="cpu")
    tokenizer: Any = transformers.BertTokenizer.from_pretrained(directory)
    texts = ["The [MASK] dog sleeps under the [MASK].", "[MASK] cat"]
    for text, gaps in zip(texts, model.fill(texts, top=3), strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        logits = reference(**inputs).logits[0].softmax(-1)
        places = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
        assert len(gaps) == len(places)
        for gap, place in zip(gaps, places, strict=True):
            values, ids = logits[place].topk(3)
            assert torch.allclose(torch.tensor([w.probability for w in gap]), values, atol=1e-5)
            assert [w.token for w in gap] == model.tokenizer.source.display(ids.tolist())
    with pytest.raises(UsageError, match="there is no gap"):
        model.fill(["no gap"])
    half = "a\ud800 [MASK]."  # authority: docs/data.md
    assert model.fill([half]) == model.fill(["a\ufffd [MASK]."])
    assert model.filled_in(half, [gaps[0] for gaps in model.fill([half])[0]]).startswith("a\ufffd")


def test_gaps_in_batches_and_alone(bert, monkeypatch):  # authority: algebra, no neighbours
    model = pellucid.load(bert[1], device="cpu")
    text = "The old [MASK] sat on the table because [MASK] was tired"
    texts = [text.rsplit(maxsplit=n % 9)[0] for n in range(40)]
    monkeypatch.setattr(fill, "MAX_LOGITS", 40 * model.config.vocab_size)
    together = model.fill(texts, top=3)
    for text, gaps in zip(texts, together, strict=True):
        (alone,) = model.fill([text], top=3)
        assert len(gaps) == text.count("[MASK]")
        for a, b in zip(gaps, alone, strict=True):
            assert [w.token for w in a] == [w.token for w in b]
            values = [w.probability for w in b]
            assert [w.probability for w in a] == pytest.approx(values, abs=1e-6)


@torch.no_grad()
def test_rows_that_are_no_words_fill_no_gap(tmp_path):
    """A model wider than its vocabulary, its last rows the likeliest; authority: the same."""
    wordpiece(tmp_path, tokenizer_class="BertTokenizer")
    size = len(transformers.BertTokenizer.from_pretrained(tmp_path))
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape |= {"intermediate_size": 32, "max_position_embeddings": 40}
    reference: Any = transformers.BertForMaskedLM(
        transformers.BertConfig(vocab_size=size + 28, **shape)
    )
    randomize(reference).cls.predictions.bias[size:] += 3.0
    reference.save_pretrained(tmp_path)
    model = pellucid.load(tmp_path, device="cpu")
    tokenizer: Any = transformers.BertTokenizer.from_pretrained(tmp_path)
    inputs = tokenizer("The [MASK] sleeps.", return_tensors="pt")
    (place,) = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
    probabilities = reference.eval()(**inputs).logits[0, place].softmax(-1)
    assert int(probabilities.argmax()) >= size
    values, ids = probabilities[:size].topk(4)
    (((*words,),),) = model.fill(["The [MASK] sleeps."], top=4)
    assert [w.token for w in words] == model.tokenizer.source.display(ids.tolist())
    assert torch.allclose(torch.tensor([w.probability for w in words]), values, atol=1e-5)


def test_as_many_words_as_gaps(bert):  # authority: the words
    model = pellucid.load(bert[1], device="cpu")
    text = "The [MASK] dog sleeps under the [MASK]."
    for top in (0, -1):
        with pytest.raises(UsageError, match=f"top={top}: ask for 1 word or more"):
            model.fill([text], top=top)
    ((first, *_),) = model.fill(["A [MASK]."])[0]
    with pytest.raises(UsageError, match="1 words for 2 gaps"):
        model.filled_in(text, [first])
    assert model.filled_in(text, [first, first]).count(first.token.strip()) >= 2


FILLERS = {
    "Roberta": ("<mask>", {"max_position_embeddings": 42, "pad_token_id": 1}),
    "Albert": ("[MASK]", {"max_position_embeddings": 40, "embedding_size": 8}),
}


@torch.no_grad()
@pytest.mark.parametrize("lstrip", [True, False])
@pytest.mark.parametrize("name", FILLERS)
def test_the_spaces_around_a_gap_are_read_as_its_flags_say(name, lstrip, tmp_path):
    """Spaces are part of these tokenizers' pieces; authority: transformers, same flags."""
    mask, more = FILLERS[name]
    if name == "Roberta":
        byte_bpe(tmp_path, FAIRSEQ, tokenizer_class="RobertaTokenizer")
    else:
        albert(tmp_path)
    flagged = transformers.AddedToken(mask, lstrip=lstrip, special=True)
    kind: Any = getattr(transformers, f"{name}Tokenizer")
    tokenizer = kind.from_pretrained(tmp_path, mask_token=flagged)
    tokenizer.save_pretrained(tmp_path)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, **more}
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer), intermediate_size=32, **shape
    )
    reference: Any = randomize(getattr(transformers, f"{name}ForMaskedLM")(config))
    reference.save_pretrained(tmp_path)
    model = pellucid.load(tmp_path, device="cpu")
    texts = ["The M dog sleeps under the M .", "M cat", "It M M.", "aM b"]
    texts = [text.replace("M", mask) for text in texts]
    for text, gaps in zip(texts, model.fill(texts, top=3), strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        logits = reference(**inputs).logits[0].softmax(-1)
        places = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
        for gap, place in zip(gaps, places, strict=True):
            expected = logits[place].topk(3).values
            assert torch.allclose(torch.tensor([w.probability for w in gap]), expected, atol=1e-5)
    if name == "Roberta":  # authority: transformers' `decode` of the ids with words for gaps
        words = [gaps[0] for gaps in model.fill([texts[0]])[0]]
        vocab = tokenizer.get_vocab()
        chosen = iter(vocab[word.token.replace(" ", "\u0120")] for word in words)
        ids = tokenizer(texts[0], add_special_tokens=False).input_ids
        filled = [next(chosen) if i == tokenizer.mask_token_id else i for i in ids]
        text = tokenizer.decode(filled, clean_up_tokenization_spaces=False)
        assert model.filled_in(texts[0], words) == text


@torch.no_grad()
@pytest.mark.parametrize("piece", ["\u2028", "doubled"])
def test_ids_without_a_piece_fill_no_gap(piece, tmp_path):
    """U+2028 alone on a line is a piece; of a doubled one the first id has none."""
    wordpiece(tmp_path, tokenizer_class="BertTokenizer")
    lines = (tmp_path / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    hole = len(lines)
    more = ["\u2028", "after"] if piece == "\u2028" else ["doubled", "after", "doubled"]
    (tmp_path / "vocab.txt").write_text("\n".join([*lines, *more, ""]), encoding="utf-8")
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape |= {"intermediate_size": 32, "max_position_embeddings": 40}
    config = transformers.BertConfig(vocab_size=hole + len(more), **shape)
    reference: Any = transformers.BertForMaskedLM(config)
    randomize(reference).cls.predictions.bias[hole] += 9.0
    reference.save_pretrained(tmp_path)
    model = pellucid.load(tmp_path, device="cpu")
    tokenizer: Any = transformers.BertTokenizer.from_pretrained(tmp_path)
    inputs = tokenizer("the [MASK] sees", return_tensors="pt")
    (place,) = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
    probabilities = reference.eval()(**inputs).logits[0, place].softmax(-1)
    assert int(probabilities.argmax()) == hole
    if piece == "doubled":
        probabilities[hole] = 0
    values, ids = probabilities.topk(3)
    (((*words,),),) = model.fill(["the [MASK] sees"], top=3)
    pieces = [[*lines, *more][i] for i in ids.tolist()]  # transformers empties the first line
    assert [w.token for w in words] == [
        piece[2:] if piece.startswith("##") else f" {piece}" for piece in pieces
    ]
    assert torch.allclose(torch.tensor([w.probability for w in words]), values, atol=1e-5)

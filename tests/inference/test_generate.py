"""Writing, filling gaps and embedding with published layouts.  Authority: transformers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers

import pellucid
from parity.peer import randomized
from pellucid.errors import UsageError
from pellucid.formats.open_model import open_model
from pellucid.inference import batches
from pellucid.inference.score import score
from pellucid.manifest import read_json
from text.published.samples import FAIRSEQ, albert, byte_bpe, wordpiece

END = "<|endoftext|>"
PROMPTS = ["The dog", "Last week the snake", "A"]


def rows_of(directory: Path, name: str) -> int:
    """How many tokens the vocabulary in a directory has."""
    if name.endswith(".txt"):
        return len((directory / name).read_text().rstrip("\n").split("\n"))
    return len(read_json(directory / name))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory) -> tuple[Any, Path]:
    """A random GPT-2 of theirs with a tokenizer, and its directory."""
    directory = byte_bpe(
        tmp_path_factory.mktemp("gpt2"), [END], tokenizer_class="GPT2Tokenizer", eos_token=END
    )
    size = rows_of(directory, "vocab.json")
    shape: dict[str, Any] = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    config = transformers.GPT2Config(vocab_size=size, bos_token_id=0, eos_token_id=0, **shape)
    theirs: Any = randomized(transformers.GPT2LMHeadModel(config))
    theirs.save_pretrained(directory)
    return theirs, directory


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> tuple[Any, Path]:
    """A random BERT of theirs with a tokenizer, and its directory."""
    directory = wordpiece(tmp_path_factory.mktemp("bert"), tokenizer_class="BertTokenizer")
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"intermediate_size": 32, "max_position_embeddings": 40}
    config = transformers.BertConfig(vocab_size=rows_of(directory, "vocab.txt"), **shape)
    theirs: Any = randomized(transformers.BertForMaskedLM(config))
    theirs.save_pretrained(directory)
    return theirs, directory


@torch.no_grad()
def test_prompts_are_continued_as_by_theirs(gpt2):
    theirs, directory = gpt2
    model = pellucid.load(directory, device="cpu")
    found = model.generate(PROMPTS, beam=1, max_length=9)
    for prompt, text in zip(PROMPTS, found, strict=True):
        ids = torch.tensor([model.tokenizer.source.encode(prompt).ids])
        wanted = theirs.generate(ids, max_new_tokens=9, do_sample=False)[0, ids.shape[1] :]
        ended = [*wanted.tolist(), 0]
        assert list(text.ids) == ended[: ended.index(0)]
        assert text.text == model.tokenizer.target.decode(text.ids)


@torch.no_grad()
def test_a_text_is_cut_where_the_positions_end(gpt2):
    """No longest length is set, or one too long: theirs is told the model's own."""
    theirs, directory = gpt2
    model = pellucid.load(directory, device="cpu")
    long = "The old cat sat on the table because it was tired. " * 2
    prompts = ["A", long[:60], "", long]
    rows = [model.tokenizer.source.encode(prompt).ids or [0] for prompt in prompts]
    assert 24 < len(rows[1]) < len(rows[3]) < 64
    found = model.generate(prompts, beam=1, min_length=64)
    for row, text in zip(rows, found, strict=True):
        most = min(64, len(row) + 2 * (len(row) if row != [0] else 0) + 20)
        ids = torch.tensor([row])
        given = {"max_length": most, "min_length": most, "do_sample": False}
        wanted = theirs.generate(ids, **given)[0, len(row) :].tolist()
        assert list(text.ids) == wanted
    found_of_many = model.generate(prompts, beam=1, min_length=64, max_length=100)
    for row, text in zip(rows, found_of_many, strict=True):  # the last token needs no place
        most = 65 - len(row)
        given = {"max_new_tokens": most, "min_new_tokens": most, "do_sample": False}
        assert (
            list(text.ids) == theirs.generate(torch.tensor([row]), **given)[0, len(row) :].tolist()
        )
    others: tuple[dict[str, Any], ...] = ({"method": "contrastive"}, {"draft": model})
    for settings in others:
        again = model.generate(prompts, min_length=64, **settings)
        assert [len(text.ids) for text in again] == [len(text.ids) for text in found]


def test_draws_are_seeded_and_stop_strings_end_a_text(gpt2):
    model = pellucid.load(gpt2[1], device="cpu")
    draw = {"method": "sample", "max_length": 12, "n_best": 3, "min_length": 11}
    first = model.generate(PROMPTS, **draw, seed=4)
    alone = model.generate(PROMPTS, **draw, seed=4, batch_size=1)
    assert [[t.ids for t in texts] for texts in first] == [[t.ids for t in ts] for ts in alone]
    assert first != model.generate(PROMPTS, **draw, seed=5)
    text = first[0][0].text
    stop = text[len(text) // 2]
    (stopped, *_), *_ = model.generate(PROMPTS, **draw, seed=4, stop_at=[stop])
    assert stopped.text == text.split(stop)[0]
    assert stopped.finished


@torch.no_grad()
def test_gaps_are_filled_as_by_theirs(bert):
    theirs, directory = bert
    model = pellucid.load(directory, device="cpu")
    tokenizer: Any = transformers.BertTokenizer.from_pretrained(directory)
    texts = ["The [MASK] dog sleeps under the [MASK].", "[MASK] cat"]
    for text, gaps in zip(texts, model.fill(texts, top=3), strict=True):
        given = tokenizer(text, return_tensors="pt")
        logits = theirs(**given).logits[0].softmax(-1)
        places = (given["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
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
    monkeypatch.setattr(batches, "MOST_LOGITS", 40 * model.config.vocab_size)
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
    size = rows_of(tmp_path, "vocab.txt")
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape |= {"intermediate_size": 32, "max_position_embeddings": 40}
    theirs: Any = transformers.BertForMaskedLM(
        transformers.BertConfig(vocab_size=size + 28, **shape)
    )
    randomized(theirs).cls.predictions.bias[size:] += 3.0
    theirs.save_pretrained(tmp_path)
    model = pellucid.load(tmp_path, device="cpu")
    tokenizer: Any = transformers.BertTokenizer.from_pretrained(tmp_path)
    given = tokenizer("The [MASK] sleeps.", return_tensors="pt")
    (place,) = (given["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
    probabilities = theirs.eval()(**given).logits[0, place].softmax(-1)
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
@pytest.mark.parametrize("name", FILLERS)
def test_the_space_before_a_gap_is_the_words(name, tmp_path):
    """Spaces are part of these tokenizers' pieces; authority: the same."""
    mask, more = FILLERS[name]
    if name == "Roberta":
        byte_bpe(tmp_path, FAIRSEQ, tokenizer_class="RobertaTokenizer")
    else:
        albert(tmp_path)
    # As the published tokenizers of both are told.
    told = transformers.AddedToken(mask, lstrip=True, special=True)
    kind: Any = getattr(transformers, f"{name}Tokenizer")
    tokenizer = kind.from_pretrained(tmp_path, mask_token=told)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, **more}
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer), intermediate_size=32, **shape
    )
    theirs: Any = randomized(getattr(transformers, f"{name}ForMaskedLM")(config))
    theirs.save_pretrained(tmp_path)
    model = pellucid.load(tmp_path, device="cpu")
    texts = ["The M dog sleeps under the M .", "M cat", "It M M."]
    texts = [text.replace("M", mask) for text in texts]
    for text, gaps in zip(texts, model.fill(texts, top=3), strict=True):
        given = tokenizer(text, return_tensors="pt")
        logits = theirs(**given).logits[0].softmax(-1)
        places = (given["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
        for gap, place in zip(gaps, places, strict=True):
            wanted = logits[place].topk(3).values
            assert torch.allclose(torch.tensor([w.probability for w in gap]), wanted, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_vectors_are_theirs(bert, pooling):
    theirs, directory = bert
    model = pellucid.load(directory, device="cpu")
    tokenizer: Any = transformers.BertTokenizer.from_pretrained(directory)
    texts = ["The dog sleeps.", "", "The old cat sat on the table because it was tired. " * 9]
    given = tokenizer(texts, padding=True, truncation=True, max_length=40, return_tensors="pt")
    state, keep = theirs.bert(**given).last_hidden_state, given["attention_mask"][..., None]
    wanted = {
        "mean": (state * keep).sum(1) / keep.sum(1),
        "first": state[:, 0],
        "max": state.masked_fill(keep == 0, -torch.inf).amax(1),
    }[pooling]
    found = model.embed(texts, pooling=pooling)
    assert float((found - wanted).abs().max()) <= 1e-5
    lengths = model.embed(texts, pooling=pooling, normalize=True)
    assert float((lengths - F.normalize(wanted, dim=-1)).abs().max()) <= 1e-5


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_the_vector_of_no_text_is_the_starts(gpt2, pooling):
    """A tokenizer without special tokens; theirs is given the start token."""
    theirs, directory = gpt2
    found = pellucid.load(directory, device="cpu").embed(["", "The dog"], pooling=pooling)
    wanted = theirs.transformer(torch.tensor([[0]])).last_hidden_state[0, 0]
    assert float((found[0] - wanted).abs().max()) <= 1e-5
    assert bool(found.isfinite().all())


def test_a_directory_says_how_to_pool(bert, tmp_path):
    theirs, directory = bert
    wordpiece(tmp_path, tokenizer_class="BertTokenizer")
    theirs.save_pretrained(tmp_path)
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "x.models.Normalize"}]))
    (tmp_path / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 9}))
    told = open_model(tmp_path).embedding
    assert (told.pooling, told.normalize, told.longest) == ("first", True, 9)
    assert open_model(directory).embedding.pooling == "mean"


def test_what_a_model_cannot_do_is_said(gpt2, bert):
    with pytest.raises(UsageError, match="no head that writes"):
        pellucid.load(bert[1], device="cpu").generate(PROMPTS)
    with pytest.raises(UsageError, match="there is no head 'mlm'"):
        pellucid.load(gpt2[1], device="cpu").fill(["a"])
    for _, directory in (gpt2, bert):
        model = pellucid.load(directory, device="cpu")
        with pytest.raises(UsageError, match="Use generate, fill or embed"):
            model.translate(PROMPTS)
        with pytest.raises(UsageError, match="translates nothing"):
            score(model.directory, [("A dog", "Ein Hund")])
    for verb in ("generate", "fill", "embed"):
        with pytest.raises(UsageError, match="takes a list"):
            getattr(pellucid.load(bert[1], device="cpu"), verb)("text")

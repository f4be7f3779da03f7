"""Transformer-XL.  Authority: the equations of Dai et al. 2019 (section 3, appendix B), by loops in
NumPy and float64, on weights under their published names.

Against transformers 4.38.2, the last that has the class, `transformer_xl_reference.py`
was run by hand: 11 shapes, two segments in a row, opened in both directions.
Log-probabilities and memory were at most 9.5e-7 apart.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import pellucid
from parity.peer import assert_close, randomize
from parity.transformer_xl_reference import CASES, COMMON, segments
from pellucid.cli.main import main
from pellucid.errors import ConfigError, UsageError, VerificationError
from pellucid.families.cost import build_on_meta, compute_cost
from pellucid.families.transformer_xl.family import TRANSFO_XL
from pellucid.formats.huggingface import PublishedModel, open_published, write_published
from pellucid.nn.pack_model import pack_model
from pellucid.taps import record

IDS = torch.cat(segments(), 1)  # (3, 9)
HALF = "all lengths"  # the case in which segmentation matters


def model_of(case: str, **changes: Any) -> Any:
    settings = {**COMMON, **CASES[case], **changes}
    (kind,) = settings["architectures"]
    heads = {head.name: head.config for head in TRANSFO_XL.heads[kind]}
    c = TRANSFO_XL.read_config(settings, case)
    return randomize(TRANSFO_XL.build(c, seed=0, heads=heads))


def written(model: Any, directory: Path, kind: str = "TransfoXLLMHeadModel", **ids: int) -> Path:
    directory.mkdir()
    write_published(directory, PublishedModel(TRANSFO_XL, model, model.head_configs, kind, ids))
    return directory


class Paper:
    """The model as the paper and the published names have it, one number at a time."""

    def __init__(self, directory: Path) -> None:
        weights = load_file(directory / "model.safetensors")
        self.w = {name: tensor.double().numpy() for name, tensor in weights.items()}
        self.c = json.loads((directory / "config.json").read_text())
        self.edges = [0, *self.c["cutoffs"], self.c["vocab_size"]]

    def table(self, cluster: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Vectors of a cluster's words, their biases, and the map that the softmax narrows by."""
        start, stop = self.edges[cluster], self.edges[cluster + 1]
        i = cluster if self.c["div_val"] > 1 else 0
        rows = slice(0, stop - start) if self.c["div_val"] > 1 else slice(start, stop)
        words = self.w.get(f"crit.out_layers.{i}.weight")
        words = self.w[f"transformer.word_emb.emb_layers.{i}.weight"] if words is None else words
        narrow = self.w.get(f"crit.out_projs.{cluster}")
        tied = self.w.get(f"transformer.word_emb.emb_projs.{i}")
        return (
            words[rows],
            self.w[f"crit.out_layers.{i}.bias"][rows],
            tied if narrow is None else narrow,
        )

    def embedded(self, word: int) -> np.ndarray:
        cluster = sum(word >= edge for edge in self.c["cutoffs"]) if self.c["div_val"] > 1 else 0
        start = self.edges[cluster]
        x = self.w[f"transformer.word_emb.emb_layers.{cluster}.weight"][word - start]
        projection = self.w.get(f"transformer.word_emb.emb_projs.{cluster}")
        x = x if projection is None else projection @ x
        return x * math.sqrt(self.c["d_model"])

    def sinusoid(self, distance: int) -> np.ndarray:
        bound, d = self.c["clamp_len"], self.c["d_model"]
        distance = min(distance, bound) if bound > 0 else distance
        angles = [distance / 10_000 ** (k / d) for k in range(0, d, 2)]
        stored = self.w["transformer.pos_emb.inv_freq"]  # what their code reads
        assert distance * stored == pytest.approx(angles, rel=1e-6)
        return np.array([math.sin(a) for a in angles] + [math.cos(a) for a in angles])

    def attention(self, layer: int, x: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Appendix B: terms (a) to (d) of every query, key and head."""
        name, n, k = f"transformer.layers.{layer}.dec_attn.", self.c["n_head"], self.c["d_head"]
        w_q, w_k, w_v = self.w[name + "qkv_net.weight"].reshape(3, n, k, -1)
        w_r = self.w[name + "r_net.weight"].reshape(n, k, -1)
        place = name if self.c["untie_r"] else "transformer."
        u, v = self.w[place + "r_w_bias"], self.w[place + "r_r_bias"]
        keys, m, out = np.concatenate([memory, x]), len(memory), []
        for i, query in enumerate(x):
            heads = []
            for h in range(n):
                scores, values = [], []
                for j, key in enumerate(keys):
                    distance = i + m - j
                    if distance < 0 or (self.c["same_length"] and distance >= self.c["mem_len"]):
                        continue
                    r = w_r[h] @ self.sinusoid(distance)
                    a = (w_q[h] @ query) @ (w_k[h] @ key)
                    b = (w_q[h] @ query) @ r
                    scores.append((a + b + u[h] @ (w_k[h] @ key) + v[h] @ r) / math.sqrt(k))
                    values.append(w_v[h] @ key)
                odds = np.exp(np.array(scores) - max(scores))
                heads.append(odds / odds.sum() @ np.array(values))
            out.append(self.w[name + "o_net.weight"] @ np.concatenate(heads))
        return np.array(out)

    def norm(self, name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * self.w[name + "layer_norm.weight"] + self.w[name + "layer_norm.bias"]

    def segment(
        self, ids: list[int], memory: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Log-probabilities (T, V) of one text's segment, and what each layer remembers then."""
        x, kept = np.array([self.embedded(word) for word in ids]), []
        for layer in range(self.c["n_layer"]):
            kept.append(np.concatenate([memory[layer], x])[len(x) :])
            name = f"transformer.layers.{layer}."
            x = self.norm(name + "dec_attn.", x + self.attention(layer, x, memory[layer]))
            up, down = (name + f"pos_ff.CoreNet.{i}." for i in (0, 3))
            hidden = np.maximum(x @ self.w[up + "weight"].T + self.w[up + "bias"], 0)
            hidden = hidden @ self.w[down + "weight"].T + self.w[down + "bias"]
            x = self.norm(name + "pos_ff.", x + hidden)
        return np.array([self.softmax(state) for state in x]), kept

    def softmax(self, state: np.ndarray) -> np.ndarray:
        """Each word's log-probability: of its cluster, and of it within its cluster."""
        output, rest = [], len(self.c["cutoffs"])
        for cluster in range(rest + 1):
            words, bias, projection = self.table(cluster)
            if cluster == 0 and rest:
                words = np.concatenate([words, self.w["crit.cluster_weight"]])
                bias = np.concatenate([bias, self.w["crit.cluster_bias"]])
            narrow = state if projection is None else projection.T @ state
            odds = np.exp(words @ narrow + bias)
            log_probs = np.log(odds / odds.sum())
            if cluster == 0:
                head = log_probs
                output.append(log_probs[: self.edges[1]])
            else:
                output.append(head[self.edges[1] + cluster - 1] + log_probs)
        return np.concatenate(output)


@pytest.mark.parametrize("case", [case for case in CASES if case != "classifier"])
@torch.no_grad()
def test_two_segments_are_what_the_paper_says(case, tmp_path):
    model = model_of(case)
    paper = Paper(written(model, tmp_path / "m"))
    first, second = segments()
    one = model.segment(first)
    two = model.segment(second, one.memory)
    c = model.config
    for row in range(2):
        memory = [np.zeros((c.mem_len, c.d_model))] * c.n_decoder_layers
        expected, memory = paper.segment(first[row].tolist(), memory)
        assert_close(model.heads["lm"](one.state)[row], torch.tensor(expected).float())
        expected, memory = paper.segment(second[row].tolist(), memory)
        assert_close(model.heads["lm"](two.state)[row], torch.tensor(expected).float())
        assert_close(two.memory[:, row], torch.tensor(np.array(memory)).float())
        assert np.exp(expected).sum(-1) == pytest.approx(1, abs=1e-12)
    assert_close(model(first), one.state)


@pytest.mark.parametrize("case", ["as published", HALF])
@torch.no_grad()
def test_cached_is_the_recurrence(case):  # authority: segments of one token each
    model = model_of(case)
    memory, expected = None, []
    for ids in IDS.split(1, 1):
        state, memory = model.segment(ids, memory)
        expected.append(model.heads["lm"](state))
    for parts in ([1] * 9, [9], [4, 1, 3, 1]):
        cache = model.prefill(None, None, len(IDS))
        actual = [model.step(ids, cache).logits for ids in IDS.split(parts, 1)]
        assert_close(torch.cat(actual, 1), torch.cat(expected, 1))
        assert cache.length == 9
    cache = model.prefill(IDS[:, :5], None, len(IDS))
    assert_close(model.step(IDS[:, 5:], cache).logits, torch.cat(expected, 1)[:, 5:])


@torch.no_grad()
def test_with_one_length_segments_make_no_difference():  # authority: algebra
    model = model_of("as published")
    whole = model(IDS)
    state, memory = model.segment(IDS[:, :2])
    assert_close(state, whole[:, :2])
    assert_close(model.segment(IDS[:, 2:], memory).state, whole[:, 2:])


@pytest.mark.parametrize("case", ["as published", HALF])
@torch.no_grad()
def test_padding_makes_no_difference(case):  # authority: each text alone
    model = model_of(case)
    lengths = [9, 4, 7]
    alone = [model(IDS[row : row + 1, :n])[0] for row, n in enumerate(lengths)]
    right = torch.arange(9) < torch.tensor(lengths)[:, None]
    left, keep = torch.full_like(IDS, 5), right.flip(1)
    for row, n in enumerate(lengths):
        left[row, 9 - n :] = IDS[row, :n]
    for row, state in enumerate(alone):
        assert_close(model(IDS, right)[row][right[row]], state)
        assert_close(model(left, keep)[row][keep[row]], state)
    cache = model.prefill(left[:, :-1], keep[:, :-1], 3)
    batched = model.step(left[:, -1:], cache).logits[:, 0]
    for row, n in enumerate(lengths):
        cache = model.prefill(IDS[row : row + 1, : n - 1], None, 1)
        assert_close(batched[row], model.step(IDS[row : row + 1, n - 1 : n], cache).logits[0, 0])
    nothing = torch.zeros_like(right)
    assert model(IDS, nothing).isfinite().all()
    with pytest.raises(UsageError, match="inside a text"):
        model(IDS, torch.tensor([[True, False, True] * 3] * 3))
    with pytest.raises(UsageError, match="on the left, and only there"):
        model.prefill(IDS, right, 3)
    with pytest.raises(UsageError, match="leave out target_ids"):
        model(IDS, target_ids=IDS)
    with pytest.raises(UsageError, match="these texts need"):
        model.segment(IDS, torch.zeros(3, 2, 6, 8))


@torch.no_grad()
def test_no_token_looks_ahead():  # authority: causality, to the last bit
    model = model_of("as published")
    other = IDS.clone()
    other[:, -1] = (other[:, -1] + 1) % 40
    assert torch.equal(model(IDS)[:, :-1], model(other)[:, :-1])
    assert not torch.equal(model(IDS)[:, -1], model(other)[:, -1])


@pytest.mark.parametrize("case", CASES)
def test_gradients_reach_every_parameter(case):
    model = model_of(case).train()
    first, second = segments()
    memory = model.segment(first).memory
    assert not memory.requires_grad
    state = model.segment(second, memory).state
    sum(head(state).square().sum() for head in model.heads.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@torch.no_grad()
def test_a_tap_sees_and_changes_nothing():  # authority: the fused kernel, and the packed copy
    model = model_of("as published")
    output = model.heads["lm"](model(IDS))
    with record(model) as seen:
        assert_close(model.heads["lm"](model(IDS)), output)
    inner = "decoder.layers.1.attention.inner."
    (weights,), (distances,) = seen[inner + "weights"], seen[inner + "distances"]
    assert weights.shape == distances.shape == (3, 2, 9, 15)
    assert weights.sum(-1).allclose(torch.ones(()))
    assert "heads.lm.head" in seen
    packed = pack_model(model)
    assert_close(packed.heads["lm"](packed(IDS)), output)


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_opens(case, tmp_path):  # authority: the model itself, bit by bit
    model = model_of(case)
    kind = CASES[case].get("architectures", ["TransfoXLLMHeadModel"])[0]
    published = open_published(written(model, tmp_path / "m", kind, pad_token_id=3))
    assert published.model.config == model.config
    assert (published.architecture, published.token_ids) == (kind, {"pad_token_id": 3})
    for name, tensor in model.state_dict().items():
        assert torch.equal(published.model.state_dict()[name], tensor), name
    shared = [len({id(p) for p in m.parameters()}) for m in (model, published.model)]
    assert shared[0] == shared[1]


def test_widths_that_follow_from_others_are_written_as_numbers(tmp_path):
    model = model_of("as published", d_head=0, d_embed=0)
    directory = written(model, tmp_path / "m")
    reported = json.loads((directory / "config.json").read_text())
    assert (reported["d_head"], reported["d_embed"]) == (4, 8)  # authority: 8 wide, in 2 heads
    assert torch.equal(open_published(directory).model(IDS), model(IDS))


@pytest.mark.parametrize("case", ["as published", "one table"])
@pytest.mark.parametrize("word", [-1, 40])
def test_an_id_outside_the_vocabulary_is_an_error(word, case):  # authority: torch's embedding
    with pytest.raises(IndexError):
        torch.nn.Embedding(40, 8)(torch.tensor([[word]]))
    with pytest.raises(IndexError, match="ids must be from 0 to 39"):
        model_of(case)(torch.tensor([[3, word]]))


def test_names_without_the_base_prefix(tmp_path):  # as transformers writes its base class
    model = model_of("as published")
    directory = written(model, tmp_path / "m")
    weights = load_file(directory / "model.safetensors")
    trunk = {k.removeprefix("transformer."): v for k, v in weights.items() if "crit." not in k}
    save_file(trunk, directory / "model.safetensors")
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(
        json.dumps({**config, "architectures": ["TransfoXLModel"]})
    )
    published = open_published(directory)
    assert not published.heads
    assert torch.equal(published.model(IDS), model(IDS))


def test_tied_tensors_may_be_there_twice_or_differ(tmp_path):
    model = model_of("as published")
    directory = written(model, tmp_path / "m")
    weights = load_file(directory / "model.safetensors")
    emb = "transformer.word_emb.emb_"
    twice = {f"crit.out_layers.{i}.weight": weights[f"{emb}layers.{i}.weight"] for i in range(3)}
    twice |= {f"crit.out_projs.{i}": weights[f"{emb}projs.{i}"] for i in (1, 2)}
    save_file(
        {**weights, **{k: v.clone() for k, v in twice.items()}}, directory / "model.safetensors"
    )
    assert torch.equal(open_published(directory).model(IDS), model(IDS))
    twice = {k: v + 1 if k != "crit.out_projs.1" else v.clone() for k, v in twice.items()}
    save_file({**weights, **twice}, directory / "model.safetensors")
    c = open_published(directory).model.config
    assert (c.tie_embeddings, c.tie_projections) == ("none", (False, True, False))
    log_probs = Paper(directory).segment(IDS[0].tolist(), [np.zeros((6, 8))] * 3)[0]
    save_and_open = pellucid.load(directory, device="cpu")
    assert_close(save_and_open.logits(IDS)[0], torch.tensor(log_probs).float())


FAULTS = {
    "missing": "transformer.layers.2.dec_attn.r_net.weight is missing .is it .*r_nett",
    "misshapen": r"cluster_weight is \(1, 8\), the model has \(2, 8\)",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weights_that_do_not_fit(fault, tmp_path):
    directory = written(model_of("as published"), tmp_path / "m")
    weights = load_file(directory / "model.safetensors")
    if fault == "missing":
        name = "transformer.layers.2.dec_attn.r_net.weight"
        weights[name.replace("r_net", "r_nett")] = weights.pop(name)
    else:
        weights["crit.cluster_weight"] = weights["crit.cluster_weight"][:1].clone()
    save_file(weights, directory / "model.safetensors")
    with pytest.raises(VerificationError, match=FAULTS[fault]):
        open_published(directory)


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "another attention": ({"attn_type": 1}, "attn_type=1 changes the model's output"),
    "norms before": ({"pre_lnorm": True}, "pre_lnorm=True changes the model's output"),
    "falling cutoffs": ({"cutoffs": [20, 10]}, "must rise"),
    "cutoffs beyond": ({"cutoffs": [10, 40]}, "below vocab_size=40"),
    "cutoffs of another type": ({"cutoffs": 7}, "has the wrong type"),
    "ties without a cluster": ({"tie_projs": [False]}, "1 entries for 3 clusters"),
    "no width left": ({"div_val": 4}, "leaves the last cluster no width"),
    "no memory": ({"mem_len": 0}, "mem_len=0 must be at least 1"),
    "endless memory": ({"mem_len": 10**9}, "beyond 65536"),
    "endless layers": ({"n_layer": 10**9}, "more than 1024 layers"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_cannot_be(name):
    changes, message = SETTINGS[name]
    with pytest.raises(ConfigError, match=message):
        TRANSFO_XL.read_config({**COMMON, **changes}, "config.json")


WORDS = ["<eos>", "<unk>", ",", ".", *(f"word{i}" for i in range(36))]


@torch.no_grad()
def test_the_door(tmp_path, capsys):
    model = model_of("as published")
    directory = written(model, tmp_path / "m", eos_token_id=0)
    without = pellucid.load(directory, device="cpu")
    assert_close(without.logits(IDS), model.heads["lm"](model(IDS)))
    with pytest.raises(Exception, match="tokenizer"):
        without.generate(["word1"])
    (directory / "vocab.txt").write_text("".join(f"{word} 12\n" for word in WORDS))
    save_and_open = pellucid.load(directory, device="cpu")
    ids = save_and_open.tokenizer.source.encode("word3 , Word4 .").ids
    assert ids == [7, 2, 1, 3]  # authority: by hand
    prompts = ["word3 , word4 .", "word9", ""]
    together = save_and_open.generate(prompts, beam=2, max_length=6)
    alone = [save_and_open.generate([prompt], beam=2, max_length=6)[0] for prompt in prompts]
    assert [t.ids for t in together] == [t.ids for t in alone]
    assert together[0].text == " ".join(WORDS[i] for i in together[0].ids)
    assert main(["import", str(directory), str(tmp_path / "kept")]) == 0
    assert main(["export", str(tmp_path / "kept"), str(tmp_path / "out")]) == 0
    again = pellucid.load(tmp_path / "out", device="cpu")
    assert torch.equal(again.logits(IDS), save_and_open.logits(IDS))
    assert again.generate(prompts, beam=2, max_length=6) == together
    capsys.readouterr()
    assert main(["info", str(directory)]) == 0
    assert main(["info", "transfo-xl"]) == 0
    assert "distances as sinusoids" in capsys.readouterr().out


def test_the_published_size():  # authority: 4.38.2's class of its default config, counted there
    assert compute_cost(build_on_meta(TRANSFO_XL, TRANSFO_XL.preset)).parameters == 285_205_322

"""States of one run put into another.

Authority: algebra (a text that differs in one token is the other text once its embedding is
exchanged; a position of the last layer's states decides its own output alone), and a hook of torch
on the matrix behind the heads.
"""

import numpy as np
import pytest
import torch

import pellucid
from explain.zoo import MODELS
from pellucid.errors import UsageError
from pellucid.explain.cancellation import CancelledError, cancel_if
from pellucid.explain.outputs import log_probabilities
from pellucid.explain.patching import pair_tokens, patch_runs, read_second
from pellucid.explain.rows import Writing, read_rows

TEXTS = ("我爱猫。", "我爱花。")  # one token is another


@pytest.fixture(scope="module")
def bundle():
    return pellucid.load("zh-en", device="cpu").bundle


@pytest.fixture(scope="module")
def runs(bundle):
    first = read_rows(bundle, TEXTS[0], Writing())
    return first, read_second(bundle, first, TEXTS, Writing())


@pytest.fixture(scope="module")
def patches(bundle, runs):
    return patch_runs(bundle, *runs)


def differing(patches):
    return np.flatnonzero(patches.answers[0] != patches.answers[1])


@torch.inference_mode()
def test_the_answers_of_both_runs(bundle, runs, patches):
    first, second = (log_probabilities(bundle, run, 1, "lm")[0].numpy() for run in runs)
    assert runs[1].inputs.target_ids is runs[0].inputs.target_ids
    np.testing.assert_array_equal(patches.answers, [first.argmax(-1), second.argmax(-1)])
    positions = np.arange(len(first))
    expected = [[run[positions, each] for each in patches.answers] for run in (first, second)]
    np.testing.assert_allclose(patches.log_probs, expected, atol=1e-5)
    assert len(differing(patches))
    same = patches.answers[0] == patches.answers[1]
    assert np.isnan(patches.states["encoder.embedding.output"][:, same]).all()


def test_the_embedding_of_the_only_changed_token_is_the_whole_difference(runs, patches):
    changed = (runs[0].inputs.ids != runs[1].inputs.ids)[0].float().numpy()
    assert changed.sum() == 1
    shares = patches.states["encoder.embedding.output"][:, differing(patches)]
    np.testing.assert_allclose(shares, np.tile(changed[:, None], shares.shape[1]), atol=1e-4)
    written = patches.states["decoder.embedding.output"][:, differing(patches)]
    np.testing.assert_allclose(written, 0, atol=1e-4)


def test_the_last_states_decide_their_own_output(bundle, patches):
    last = f"decoder.layers.{len(bundle.model.decoder.layers) - 1}.feed_forward.output"
    shares = patches.states[last]
    for position in differing(patches):
        expected = np.arange(len(shares)) == position
        np.testing.assert_allclose(shares[:, position], expected, atol=1e-4)


def test_a_head_is_exchanged_before_the_matrix_that_mixes_heads(bundle, runs, patches):
    """The same by a hook of torch, which sees the outputs of all heads in a row."""
    path, head = "decoder.layers.1.cross", 2
    width = bundle.model_config.d_model // bundle.model_config.n_heads
    at = slice(head * width, (head + 1) * width)
    mix, outputs = bundle.model.decoder.layers[1].cross.inner.o, []

    def run(rows, hook):
        handle = mix.register_forward_pre_hook(hook)
        log_probs = log_probabilities(bundle, rows, 1, "lm")[0].numpy()
        handle.remove()
        return log_probs

    def exchange(_, args):
        x = args[0].clone()
        x[..., at] = outputs[0][..., at]
        return (x,)

    with torch.inference_mode():
        run(runs[1], lambda _, args: outputs.append(args[0]))
        patched = run(runs[0], exchange)
    for position in differing(patches):
        first, second = patches.answers[:, position]
        d = patched[position, second] - patched[position, first]
        d_first, d_second = patches.log_probs[:, 1, position] - patches.log_probs[:, 0, position]
        share = patches.heads[path][head, position]
        assert share == pytest.approx((d - d_first) / (d_second - d_first), abs=1e-4)


@pytest.mark.parametrize(
    ("first", "second", "pairs"),
    [
        ([1, 2, 9], [1, 3, 9], [(0, 0), (1, 1), (2, 2)]),
        ([1, 2, 9], [1, 4, 3, 9], [(0, 0), (1, 2), (2, 3)]),
        ([1, 4, 3, 9], [1, 2, 9], [(0, 0), (2, 1), (3, 2)]),
        ([1, 1], [1, 1, 1], [(0, 0), (1, 1)]),
        ([2], [3, 4], [(0, 1)]),
    ],
)
def test_pairs_of_tokens(first, second, pairs):
    assert list(map(tuple, pair_tokens(first, second).T.tolist())) == pairs


def test_a_changed_word_of_more_tokens(bundle):
    texts = ("这只猫很大。", "这只猫很小。")
    rows = read_rows(bundle, texts[0], Writing())
    patches = patch_runs(bundle, rows, read_second(bundle, rows, texts, Writing()))
    assert patches.pairs["source"].T.tolist() == [[0, 0], [1, 1], [2, 3], [3, 4], [4, 5]]
    assert patches.states["encoder.embedding.output"].shape[0] == 5


def test_a_decoder_alone_reads_what_it_wrote_for_the_first_text(tmp_path):
    shown = MODELS["gpt-2"](tmp_path)
    gpt = pellucid.load(shown.directory, device="cpu").bundle
    texts = (shown.text, "The old cat")
    first = read_rows(gpt, texts[0], Writing())
    second = read_second(gpt, first, texts, Writing())
    n = len(gpt.tokenizers.source.encode_batch([texts[0]])[0])
    assert second.inputs.ids[0, n:].tolist() == first.inputs.ids[0, n:].tolist()
    assert [token.id for token in second.target.tokens] == second.inputs.ids[0].tolist()
    patches = patch_runs(gpt, first, second)
    assert np.nanmax(np.abs(patches.states["decoder.embedding.output"][0])) < 1e-4  # both: "The"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rnn", "The old cat sleeps.", "recurrent"),
        ("bert, tags", "The dog.", "do not correspond"),
        ("bert, tags", "The old dog sleeps under the table.", "are the same"),
        ("bert, answers", "Where does the cat sleep?\tThe cat sleeps.", "no distribution"),
    ],
)
def test_runs_that_cannot_be_patched(name, text, message, tmp_path):
    shown = MODELS[name](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    rows = read_rows(bundle, shown.text, Writing())
    with pytest.raises(UsageError, match=message):
        patch_runs(bundle, rows, read_second(bundle, rows, (shown.text, text), Writing()))


def test_patches_that_nobody_waits_for_are_cancelled(bundle, runs):
    passes = 0

    def is_cancelled() -> bool:
        nonlocal passes
        passes += 1
        return passes == 5

    with cancel_if(is_cancelled), pytest.raises(CancelledError):
        patch_runs(bundle, *runs)
    assert passes == 5
    assert patch_runs(bundle, *runs).states  # nothing is cancelled afterwards

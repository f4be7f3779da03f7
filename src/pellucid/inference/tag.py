"""Words to tags: a label for each word of a sentence."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import template_ids
from pellucid.inference.logits import Inputs, choose_head, logits
from pellucid.inference.windows import word_windows
from pellucid.nn.linear_chain import LinearChain
from pellucid.nn.padding import MAX_LOGITS, batches, pad_batch
from pellucid.text.words import WordPieces, encode_words


class Tagged(NamedTuple):
    """The tags of a sentence, one for each word."""

    tags: tuple[str, ...]
    probabilities: tuple[float, ...]
    """Of each tag: its softmax, or its marginal probability if the head has a CRF."""


class WindowInput(NamedTuple):
    """One input of the model: a sentence, or a window of one."""

    ids: list[int]
    sentence: int
    words: slice
    """The words of the sentence that are tagged in this window."""
    first: list[int]
    """The index in `ids` of the first piece of each of these words."""


@torch.inference_mode()
def tag(bundle: Bundle, sentences: Sequence[Sequence[str]]) -> list[Tagged]:
    """Return the tags of each sentence, which is a sequence of words.

    A word is tagged at its first piece. A sentence longer than the model's positions is split into
    overlapping windows; each word is tagged in the window where it has most context.
    Raises: UsageError, naming the model's heads, if none of them is a tagger.
    """
    config = bundle.model.head_configs[choose_head(bundle, "tagger")]
    labels = config.label_names
    scores = _scores(bundle, sentences, config.outputs)
    if config.crf:
        crf = bundle.model.heads["tagger"].crf
        assert isinstance(crf, LinearChain)
        return _decode(crf, scores, labels)
    return [_to_tagged(*each.softmax(-1).max(-1), labels) for each in scores]


def _scores(bundle: Bundle, sentences: Sequence[Sequence[str]], n_labels: int) -> list[Tensor]:
    """Return the logits (W, C) at the first piece of each word, for each sentence."""
    tokenizer, c = bundle.tokenizers.source, bundle.model_config
    encoded = encode_words(tokenizer, sentences)
    inputs = [each for i, pieces in enumerate(encoded) for each in _inputs(bundle, i, pieces)]
    scores = [torch.empty(len(pieces.first), n_labels) for pieces in encoded]
    # A feed-forward's states are wider than a tagger's logits.
    max_tokens = MAX_LOGITS // max(n_labels, 4 * c.d_model)
    for chosen in batches([len(each.ids) for each in inputs], max_tokens=max_tokens):
        batch = [inputs[i] for i in chosen]
        pad = tokenizer.roles.get("pad", 0)
        ids, keep = pad_batch([each.ids for each in batch], pad, torch.device("cpu"))  # (B, T)
        output = logits(bundle, Inputs(ids, keep), "tagger").cpu()  # (B, T, C)
        for each, row in zip(batch, output, strict=True):
            scores[each.sentence][each.words] = row[each.first]
    return scores


def _inputs(bundle: Bundle, sentence: int, pieces: WordPieces) -> list[WindowInput]:
    """Split a sentence into model inputs. A sentence without words has none."""
    if not pieces.first:
        return []
    before, after = template_ids(bundle.tokenizers.source)
    limit, n_special = bundle.model_config.max_positions, len(before) + len(after)
    room = max(1, limit - n_special) if limit else 0
    causal = bundle.model.encoder is None
    return [
        WindowInput(
            [*before, *pieces.ids[window.pieces.start : window.pieces.stop], *after],
            sentence,
            slice(window.words.start, window.words.stop),
            [len(before) + pieces.first[word] - window.pieces.start for word in window.words],
        )
        for window in word_windows(pieces.first, len(pieces.ids), room, causal)
        if window.words
    ]


def _decode(crf: LinearChain, scores: Sequence[Tensor], labels: tuple[str, ...]) -> list[Tagged]:
    """Return the most probable sequence of tags of each sentence."""
    tagged = [Tagged((), ()) for _ in scores]
    real = [i for i, each in enumerate(scores) if len(each)]
    n_labels = len(labels)
    max_tokens = MAX_LOGITS // (n_labels * n_labels)
    for chosen in batches([len(scores[i]) for i in real], max_tokens=max_tokens):
        numbers = [real[i] for i in chosen]
        emissions = pad_sequence([scores[i] for i in numbers], batch_first=True)  # (B, W, C)
        emissions = emissions.to(next(crf.parameters()).device)
        lengths = torch.tensor([len(scores[i]) for i in numbers], device=emissions.device)
        keep = torch.arange(emissions.shape[1], device=emissions.device) < lengths[:, None]
        best = crf.decode(emissions, keep)  # (B, W)
        chances = crf.marginals(emissions, keep).gather(2, best[..., None])[..., 0]
        for row, i in enumerate(numbers):
            n = len(scores[i])
            tagged[i] = _to_tagged(chances[row, :n], best[row, :n], labels)
    return tagged


def _to_tagged(probabilities: Tensor, best: Tensor, labels: tuple[str, ...]) -> Tagged:
    """probabilities, best: (W,)."""
    return Tagged(tuple(labels[int(i)] for i in best), tuple(probabilities.tolist()))

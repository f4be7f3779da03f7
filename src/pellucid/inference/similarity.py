"""Pairs of texts to numbers that say how similar they are."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.embed import embed
from pellucid.inference.text_pairs import score_texts, split_pair

HEAD = "classifier"


def similarity(
    bundle: Bundle,
    pairs: Sequence[Sequence[str]],
    on_cut: Callable[[int], None] | None = None,
) -> list[float]:
    """Return the similarity of the two texts of each pair.

    A model with a regression head gives its score, in the range of its training data; any other
    encoder gives the cosine of the two embeddings. A text of more tokens than the model reads is
    cut. on_cut: called with the number of pairs (or texts) that were cut if there are any.
    Raises: UsageError if the model's head classifies texts, or one is not a pair.
    """
    texts = [_check_pair(pair) for pair in pairs]
    head = bundle.model.head_configs.get(HEAD)
    if head is not None and head.reading == "regression":
        return score_texts(bundle, texts, HEAD, on_cut)[:, 0].tolist()
    if head is not None:
        raise UsageError(
            f"this model classifies texts into {head.outputs} labels. Use classify, or a model that"
            " was trained for similarity."
        )
    distinct = list(dict.fromkeys(text for pair in texts for text in pair))
    index = {text: i for i, text in enumerate(distinct)}
    config = replace(bundle.embedding, normalize=True)
    vectors = embed(bundle, distinct, config, on_cut)  # (N, D)
    first, second = ([index[pair[side]] for pair in texts] for side in (0, 1))
    return (vectors[first] * vectors[second]).sum(-1).tolist()


def _check_pair(pair: Sequence[str]) -> tuple[str, str]:
    first, second = split_pair(pair)  # type: ignore[arg-type]
    if second is None:
        raise UsageError(f"{first[:60]!r} is one text. Give pairs of two texts.")
    return first, second

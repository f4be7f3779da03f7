"""Explanations against truth: what attention, norms, rollout and erasure say about alignments, and
what the heads do that a pronoun depends on. The built-in corpus knows both.

usage: python recipes/explain_garden.py RUN_DIR [SENTENCES]

RUN_DIR: an English-German translator of the built-in corpus, such as runs/demo of `make demo`.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

import pellucid
from pellucid import garden
from pellucid.cli.demo import SOURCE, TARGET, pieces
from pellucid.decoding.alignment import word_alignment
from pellucid.explain.ablation import Switch, list_heads, measure_effects
from pellucid.explain.attribution import Outputs, leave_one_out
from pellucid.explain.flow import attention_rollout, value_norms
from pellucid.explain.rows import Rows, Writing, read_rows
from pellucid.explain.trace import Trace, TraceSpec, trace_rows
from pellucid.formats.bundle import Bundle
from pellucid.garden import Sentence
from pellucid.metrics.alignment import alignment_error_rate

SHOWN = 8
PARTS = ("attention", "projections")


class Example(NamedTuple):
    """A sentence of the corpus as a model reads and writes it."""

    sentence: Sentence
    rows: Rows
    trace: Trace
    source_words: list[int | None]
    target_words: list[int | None]


def main(run_dir: str, n: str = "200") -> None:
    """Print both tables."""
    bundle = pellucid.load(run_dir).bundle
    sentences = list(garden.sentences(1000, split="test"))
    examples = [read(bundle, sentence) for sentence in sentences[: int(n)]]
    print_alignments(bundle, examples)
    pronouns = [s for s in sentences if s.coreference is not None]
    print_pronouns(bundle, [read(bundle, sentence) for sentence in pronouns])


def read(bundle: Bundle, sentence: Sentence) -> Example:
    """Return a sentence with its trace, its reference as the target."""
    source, target = sentence.sides[SOURCE], sentence.sides[TARGET]
    rows = read_rows(bundle, source.text, Writing(target=target.text))
    trace = trace_rows(bundle, rows, TraceSpec(PARTS))
    _, source_words = pieces(bundle.tokenizers.source, source)
    _, target_words = pieces(bundle.tokenizers.target, target)
    return Example(sentence, rows, trace, source_words, target_words)


def print_alignments(bundle: Bundle, examples: Sequence[Example]) -> None:
    """Print the alignment error rate of each method, over the reference translations."""
    gold = [example.sentence.alignment(SOURCE, TARGET) for example in examples]
    n_layers = len(bundle.model.decoder.layers)
    methods: dict[str, Callable[[Example], np.ndarray]] = {}
    for i in range(n_layers):
        path = f"decoder.layers.{i}.cross"
        methods[f"attention, layer {i}"] = lambda e, path=path: e.trace[f"{path}.weights"].mean(0)
        methods[f"norms of weighted values, layer {i}"] = lambda e, path=path: value_norms(
            e.trace, bundle.model, path
        ).sum(0)
    methods["rollout"] = lambda e: attention_rollout(e.trace).source  # type: ignore[return-value]
    methods["erasure"] = lambda e: erasure(bundle, e)
    print(f"{len(examples)} sentences: alignment error rate")
    for name, method in methods.items():
        predicted = [links(method(example), example) for example in examples]
        print(f"  {name:<36} {alignment_error_rate(predicted, gold).error_rate:.3f}")


def erasure(bundle: Bundle, example: Example) -> np.ndarray:
    """Return how far the log-probability of each target token falls without each source token."""
    n = len(example.target_words)
    attributions = leave_one_out(Outputs(bundle, example.rows, "lm", tuple(range(n))))
    return np.stack([each.source for each in attributions])  # type: ignore[misc]


def links(weights: np.ndarray, example: Example) -> set[tuple[int, int]]:
    """Return (source word, target word) of the best source token of each target token."""
    n = len(example.target_words)
    rows = torch.from_numpy(np.ascontiguousarray(weights[:n]))
    words = word_alignment(rows, example.target_words, [*example.source_words, None])
    return {(s, t) for t, s in words}


def print_pronouns(bundle: Bundle, examples: Sequence[Example]) -> None:
    """Print for the heads that the German pronoun needs most what they attend to."""
    heads = list_heads(bundle.model)
    effects = np.array([list(pronoun_effects(bundle, example, heads)) for example in examples])
    order = effects.mean(0).argsort()
    print(f"{len(examples)} pronouns: change of the log-probability without the head; weight on")
    print("antecedent and distractor; the two parts of the sentence with the most weight")
    print(f"  all {len(heads)} heads: {describe(bundle, examples, heads)}")
    for i in order[:SHOWN]:
        head = heads[i]
        name = f"{head.path} head {head.head}"
        print(f"  {name:<34} {effects[:, i].mean():+.3f}  {describe(bundle, examples, [head])}")


def pronoun_effects(bundle: Bundle, example: Example, heads: Sequence[Switch]) -> Iterator[float]:
    """Yield the change of the pronoun's log-probability without each head."""
    position = pronoun_position(example)
    for effect in measure_effects(bundle, example.rows, [[head] for head in heads]):
        yield effect.log_probs[position]


def pronoun_position(example: Example) -> int:
    """Return the decoder's position that predicts the German pronoun."""
    coreference = example.sentence.coreference
    assert coreference is not None
    return example.target_words.index(coreference.pronoun[TARGET])


def describe(bundle: Bundle, examples: Sequence[Example], heads: Sequence[Switch]) -> str:
    """Return the mean weights on antecedent and distractor, and the parts that get the most."""
    shares: defaultdict[str, float] = defaultdict(float)
    for example in examples:
        for head in heads:
            for part, weight in weights_by_part(example, head):
                shares[part] += weight / (len(examples) * len(heads))
    most = sorted(shares, key=lambda part: -shares[part])[:2]
    parts = ", ".join(f"{part} {shares[part]:.0%}" for part in most)
    return f"{shares['antecedent']:.3f}  {shares['distractor']:.3f}  {parts}"


def weights_by_part(example: Example, head: Switch) -> Iterator[tuple[str, float]]:
    """Yield a head's weights from the pronoun, each with the part of the sentence that it is on.

    In the encoder the query is the English pronoun; in the decoder it is the position that predicts
    the German one, and keys are of the text that the head reads.
    """
    coreference = example.sentence.coreference
    assert coreference is not None
    in_encoder = head.path.startswith("encoder")
    reads_source = in_encoder or head.path.endswith("cross")
    language = SOURCE if reads_source else TARGET
    words = [*example.source_words, None] if reads_source else [None, *example.target_words]
    query = (
        example.source_words.index(coreference.pronoun[SOURCE])
        if in_encoder
        else pronoun_position(example)
    )
    row = example.trace[f"{head.path}.weights"][head.head, query]
    for weight, word in zip(row, words, strict=True):
        yield part_of(example.sentence, language, word), float(weight)


def part_of(sentence: Sentence, language: str, word: int | None) -> str:
    """Return what a word is: the antecedent, the distractor, or a part such as `adjective`."""
    coreference = sentence.coreference
    assert coreference is not None
    if word is None:
        return "no word"
    if word in coreference.antecedent[language]:
        return "antecedent"
    if word in coreference.distractor[language]:
        return "distractor"
    parts = sorted(sentence.sides[language].parts[word])
    return parts[0].rpartition(".")[2] if parts else "other"


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A first run: train a translator on the built-in corpus and measure it.

usage: python -m pellucid.cli.demo [RUN_DIR]
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from pellucid import allocator, garden
from pellucid.errors import PellucidError, ResourceError
from pellucid.garden import Sentence, Side

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.text.tokenizer import Tokenizer

SOURCE, TARGET = "en", "de"
TESTED = 1000
SETTINGS = {
    "size": "tiny",
    "data": {"train": ["garden"], "source_language": SOURCE, "target_language": TARGET},
    "tokenizer": {"vocab_size": 2000},
    "model": {"n_encoder_layers": 3, "n_decoder_layers": 3, "dropout": 0.1},
    # A linear decay to 0 and small batches reach the same scores with 60 % of the tokens.
    "training": {
        "max_updates": 2200,
        "max_tokens": 1024,
        "schedule": "linear",
        "rate": 0.003,
        "warmup": 300,
        "validate_every": 550,
        "checkpoint_every": 100,
    },
    # Chosen on validation sentences: with three layers, the last one attends to the aligned words.
    "decoding": {"alignment_layer": -1},
}
NEXT = """
Next:
  echo "The cat didn't cross the river because it was too deep." | pellucid translate {run}
  pellucid info {run}
  pellucid train --data.train my.en my.de      # your own text, a line a sentence
"""


def main(run_dir: str = "runs/demo") -> int:
    """Train or resume the demo's run, then measure it; return an exit code."""
    from pellucid.training.pipeline import train
    from pellucid.training.reporter import choose_reporter

    allocator.prepare_for_steps()
    if not (Path(run_dir) / "final").is_dir():
        trained = train(
            {**SETTINGS, "run_dir": run_dir}, where="the demo", reporter=choose_reporter()
        )
        if trained.signal is not None:
            print("stopped; the same command resumes it", file=sys.stderr)
            return 128 + trained.signal
    show(run_dir)
    write_pages(run_dir)
    print(NEXT.format(run=quote(run_dir)))
    return 0


def show(run_dir: str) -> None:
    """Print scores and translations of sentences whose clauses are not in the training data."""
    from pellucid.api import load
    from pellucid.metrics.translation import bleu, chrf
    from pellucid.nn import kernels

    kernels.decode_on_one_thread()
    model = load(run_dir)
    sentences = list(garden.sentences(TESTED, split="test"))
    sources = [sentence.sides[SOURCE].text for sentence in sentences]
    references = [sentence.sides[TARGET].text for sentence in sentences]
    outputs = [result.text for result in model.translate(sources, alignment=False)]
    print(f"\nOn {TESTED} sentences none of whose clauses was in the training data:")
    for score in (bleu(outputs, references, TARGET), chrf(outputs, references)):
        print(f"  {score.name} {score.value:.1f}   {score.signature}")
    right, total = pronouns(sentences, outputs)
    print(f"  pronouns resolved {right / total:.1%} of {total} (chance 50%)")
    print(
        f"  alignment error rate {alignment_error(model, sentences):.3f} (attention against truth)"
    )
    print("\n  source\n  -> the model's translation\n  == the reference\n")
    for kind in dict.fromkeys(sentence.kind for sentence in sentences[:60]):
        at = next(i for i, sentence in enumerate(sentences) if sentence.kind == kind)
        print(f"  {sources[at]}\n  -> {outputs[at]}\n  == {references[at]}\n")


def write_pages(run_dir: str) -> None:
    """Write the explorer's page of the model on two sentences that differ in one word."""
    from pellucid.cli import explore

    print("What the model computes, as pages for a browser:")
    for word in ("tired", "wide"):
        html = str(Path(run_dir) / f"animal-{word}.html")
        text = f"The animal didn't cross the street because it was too {word}."
        try:
            explore.run(explore.Options(model=run_dir, text=text, html=html))
        except ResourceError as error:
            print(f"no page was written: {error}", file=sys.stderr)
            return


def pronouns(sentences: Sequence[Sentence], outputs: Sequence[str]) -> tuple[int, int]:
    """Return how many because-clauses have the right pronoun after `weil`, and their number."""
    right = total = 0
    for sentence, output in zip(sentences, outputs, strict=True):
        if sentence.coreference is None:
            continue
        total += 1
        words = output.replace(",", " ").split()
        after = words[words.index("weil") + 1 :] if "weil" in words else []
        right += after[:1] == [sentence.coreference.german]
    return right, total


def alignment_error(model: "Loaded", sentences: Sequence[Sentence]) -> float:
    """Return the error of alignments from attention over the references, against gold links."""
    from pellucid.decoding.alignment import align, word_alignment
    from pellucid.metrics.alignment import alignment_error_rate

    tokenizers = model.tokenizer
    end, start = tokenizers.source.id("eos"), tokenizers.target.id("bos")
    sources = [pieces(tokenizers.source, sentence.sides[SOURCE]) for sentence in sentences]
    targets = [pieces(tokenizers.target, sentence.sides[TARGET]) for sentence in sentences]
    attention = align(
        model.model,
        [[*ids, end] for ids, _ in sources],
        [ids for ids, _ in targets],
        start=start,
        layer=model.bundle.decoding.alignment_layer,
    )
    predicted = [
        {(s, t) for t, s in word_alignment(weights, target_words, [*source_words, None])}
        for weights, (_, target_words), (_, source_words) in zip(
            attention, targets, sources, strict=True
        )
    ]
    gold = [sentence.alignment(SOURCE, TARGET) for sentence in sentences]
    return alignment_error_rate(predicted, gold).error_rate


def pieces(tokenizer: "Tokenizer", side: Side) -> tuple[list[int], list[int | None]]:
    """Return a side's ids, and the word of each (None for a piece that is only a space)."""
    encoding = tokenizer.encode(side.text)
    words: list[int | None] = []
    for begin, end in encoding.offsets:
        inside = (i for i, (a, b) in enumerate(side.spans) if a < end and begin < b)
        words.append(next(inside, None))
    return encoding.ids, words


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except PellucidError as error:
        print(f"pellucid: {error}", file=sys.stderr)
        sys.exit(error.exit_code)

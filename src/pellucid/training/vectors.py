"""Embeddings that begin as vectors learned elsewhere: which files, and for which side."""

from pellucid.config.run import RunConfig
from pellucid.data.vectors import Vectors, check_width, read_vectors
from pellucid.text.pair import Tokenizers
from pellucid.training import checkpoints
from pellucid.training.reporter import Reporter
from pellucid.training.run_directory import RunDirectory


def check_files(config: RunConfig, run: RunDirectory) -> None:
    """Whether the named files fit the model, by their first lines. Raises: DataError."""
    for path in _files(config, run).values():
        check_width(path, config.model.embedding_width)


def first_vectors(
    config: RunConfig, tokenizers: Tokenizers, run: RunDirectory, reporter: Reporter
) -> dict[str, Vectors]:
    """What the named files have for the tokenizers' whole words, by stack; each coverage is told.

    Nothing where the run goes on from a checkpoint. Raises: DataError naming file and line.
    """
    found = {}
    for stack, path in _files(config, run).items():
        tokenizer = tokenizers.source if stack == "encoder" else tokenizers.target
        vectors = read_vectors(path, tokenizer.words, config.model.embedding_width)
        reporter.say(
            f"{path}: found {len(vectors.rows):,} of {tokenizer.vocab_size:,} pieces; the {stack}'s"
            " embedding begins with them"
        )
        found[stack] = vectors
    return found


def _files(config: RunConfig, run: RunDirectory) -> dict[str, str]:
    """The files to begin with, by stack, in the order in which they are laid down."""
    c = config.training
    named = {"encoder": c.source_vectors, "decoder": c.target_vectors}
    named = {stack: path for stack, path in named.items() if path}
    if not named or checkpoints.latest_checkpoint(run.path).path is not None:
        return {}
    return named

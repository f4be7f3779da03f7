"""Word vectors to initialize embeddings with."""

from pellucid.config.run import RunConfig
from pellucid.data.vectors import Vectors, check_width, read_vectors
from pellucid.text.pair import Tokenizers
from pellucid.training.reporter import Reporter


def check_files(config: RunConfig) -> None:
    """Check the width of word vectors by the first lines of each file. Raises: DataError."""
    for path in config.objective.vector_files.values():
        check_width(path, config.model.embedding_width)


def load_vectors(
    config: RunConfig, tokenizers: Tokenizers, reporter: Reporter
) -> dict[str, Vectors]:
    """Return the vectors of the tokenizers' whole words, by stack, and report their number.

    Raises: DataError naming file and line.
    """
    vectors = {}
    for stack, path in config.objective.vector_files.items():
        tokenizer = tokenizers.source if stack == "encoder" else tokenizers.target
        vectors[stack] = read_vectors(path, tokenizer.whole_words, config.model.embedding_width)
        reporter.log(
            f"{path}: {len(vectors[stack].rows):,} of {tokenizer.vocab_size:,} pieces have a"
            f" vector; the {stack}'s embedding begins with them"
        )
    return vectors

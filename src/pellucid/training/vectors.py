"""Word vectors to initialize embeddings with."""

from pellucid.config.baselines import HMMConfig
from pellucid.config.run import RunConfig
from pellucid.data.vectors import Vectors, check_width, read_vectors
from pellucid.errors import ConfigError
from pellucid.text.pair import Tokenizers
from pellucid.training.reporter import Reporter


def check_files(config: RunConfig) -> None:
    """Check the width of word vectors by the first lines of each file.

    Raises: DataError; ConfigError if the model has no embedding.
    """
    c = config.model
    setting = "model.d_embedding" if getattr(c, "d_embedding", 0) else "model.d_model"
    for path in config.objective.vector_files.values():
        if isinstance(c, HMMConfig):
            raise ConfigError(
                f"{path}: a hidden Markov model has tables of words, and no embedding to begin with"
                " vectors. Leave objective.vectors out, or use another size."
            )
        check_width(path, c.embedding_width, setting)


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

"""Word vectors as a directory: a file in word2vec's text format, a card, and a manifest."""

from pathlib import Path

from pellucid.data.word_vectors import FILE, WordVectors, open_word_vectors
from pellucid.errors import DataError
from pellucid.files import publish
from pellucid.manifest import verify


def save_word_vectors(directory: Path, vectors: WordVectors) -> None:
    """Publish a directory of word vectors; an existing one is replaced.

    Raises: DataError if something else is there; ResourceError if the disk is full.
    """
    with publish(directory, replace=(directory / FILE).is_file(), facts={}) as temp:
        vectors.save(temp)
        (temp / "README.md").write_text(vectors.card, encoding="utf-8")


def load_word_vectors(name: str | Path) -> WordVectors:
    """Open the word vectors of a finished run, of a directory, or of a file.

    A file is in word2vec or GloVe text format, also gzipped. A directory's checksums are verified.
    Raises: DataError if there are none; VerificationError if a file is damaged.
    """
    path = Path(name)
    if path.is_file():
        return open_word_vectors(path)
    for directory in (path / "final", path):
        if (directory / FILE).is_file():
            if (directory / "manifest.json").is_file():
                verify(directory)
            return open_word_vectors(directory / FILE)
    raise DataError(
        f"there are no word vectors at {str(name)!r}. Give a finished run of task word_vectors, or"
        " a text file of word2vec or GloVe."
    )

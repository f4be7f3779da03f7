"""Weights in one safetensors file, or in several with an index."""

from collections.abc import Callable
from pathlib import Path
from shlex import quote

from torch import Tensor

from pellucid.errors import DataError, VerificationError
from pellucid.json_files import read_json
from pellucid.nn.tensor_file import TensorFile

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
LARGEST_INDEX = 1 << 26


def import_command(directory: Path) -> str:
    """Return the command that converts a pickle-only directory."""
    path = directory.resolve()
    return f"pellucid import {quote(str(directory))} {quote(f'{path.name}-safe')} --from-pickle"


class Shards:
    """All tensors of a directory. Headers are read at once, tensors on request."""

    def __init__(self, directory: Path) -> None:
        """Raises: DataError if there are no weights; VerificationError if a file is damaged."""
        self.directory = directory
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, str] = {}
        self._files: dict[str, TensorFile] = {}
        for name, listed in self._list_tensors().items():
            file = TensorFile(directory / name)
            missing = listed - file.shapes.keys()
            if missing:
                raise VerificationError(
                    f"{directory / INDEX} lists {min(missing)[:100]} in {name}, which lacks"
                    " it. They do not belong together: download the directory again."
                )
            duplicates = file.shapes.keys() & self.shapes.keys()
            if duplicates:
                raise VerificationError(f"{file.path}: {min(duplicates)} is in another file too.")
            self.shapes |= file.shapes
            self.dtypes |= file.dtypes
            self._files |= dict.fromkeys(file.shapes, file)

    def tensor(self, name: str, convert: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
        """Read a tensor and apply `convert` to it. Raises: VerificationError if it is damaged."""
        return self._files[name].tensor(name, convert)

    def _list_tensors(self) -> dict[str, set[str]]:
        """Return the names of the tensors of each file, according to the index."""
        if (self.directory / WEIGHTS).is_file():
            return {WEIGHTS: set()}
        if not (self.directory / INDEX).is_file():
            if any(self.directory.glob("pytorch_model*.bin")):
                raise DataError(
                    f"{self.directory} holds its weights as a pickle (.bin), which can run code"
                    " when it is read. If you trust it:"
                    f" {import_command(self.directory)}"
                )
            raise DataError(f"{self.directory} has no {WEIGHTS}. Is it a model directory?")
        index = read_json(self.directory / INDEX, LARGEST_INDEX)
        table = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise VerificationError(
                f"{self.directory / INDEX} has no weight_map. Download it again."
            )
        contents: dict[str, set[str]] = {name: set() for name in sorted(set(table.values()))}
        if any(Path(name).name != name for name in contents):
            raise VerificationError(f"{self.directory / INDEX} names files outside its directory.")
        for tensor, name in table.items():
            contents[name].add(tensor)
        return contents

"""Weights in one safetensors file, or in several with an index."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from pellucid.errors import DataError, VerificationError
from pellucid.json_files import read_json
from pellucid.nn.tensor_file import TensorFile

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
LARGEST_INDEX = 1 << 26


class Shards:
    """All tensors of a directory by name: shapes at once, numbers one by one."""

    def __init__(self, directory: Path) -> None:
        """Raises: DataError if there are no weights; VerificationError if a file is damaged."""
        self.directory = directory
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, str] = {}
        self._files: dict[str, TensorFile] = {}
        for name, promised in self._contents().items():
            file = TensorFile(directory / name)
            absent = promised - file.shapes.keys()
            if absent:
                raise VerificationError(
                    f"{directory / INDEX} lists {min(absent)[:100]} in {name}, which lacks"
                    " it. They do not belong together: download the directory again."
                )
            twice = file.shapes.keys() & self.shapes.keys()
            if twice:
                raise VerificationError(f"{file.path}: {min(twice)} is in another file too.")
            self.shapes |= file.shapes
            self.dtypes |= file.dtypes
            self._files |= dict.fromkeys(file.shapes, file)

    def tensor(self, name: str, part: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
        """A tensor after `part` is applied to it. Raises: VerificationError if it is damaged."""
        return self._files[name].tensor(name, part)

    def _contents(self) -> dict[str, set[str]]:
        """Return the names of the tensors of each file, according to the index."""
        if (self.directory / WEIGHTS).is_file():
            return {WEIGHTS: set()}
        if not (self.directory / INDEX).is_file():
            if any(self.directory.glob("pytorch_model*.bin")):
                raise DataError(
                    f"{self.directory} holds its weights as a pickle (.bin), which can run code"
                    " when it is read. If you trust it: pellucid import DIR OUT --from-pickle."
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

"""Weights in one safetensors file, or in several with an index."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from pellucid.errors import DataError, VerificationError
from pellucid.manifest import read_json
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
        self._files: dict[str, TensorFile] = {}
        for name in self._names():
            file = TensorFile(directory / name)
            twice = file.shapes.keys() & self.shapes.keys()
            if twice:
                raise VerificationError(f"{file.path}: {min(twice)} is in another file too.")
            self.shapes |= file.shapes
            self._files |= dict.fromkeys(file.shapes, file)

    def tensor(self, name: str, part: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
        """What `part` makes of a tensor. Raises: VerificationError if it is damaged."""
        return self._files[name].tensor(name, part)

    def _names(self) -> list[str]:
        if (self.directory / WEIGHTS).is_file():
            return [WEIGHTS]
        if not (self.directory / INDEX).is_file():
            if any(self.directory.glob("pytorch_model*.bin")):
                raise DataError(
                    f"{self.directory} holds its weights as a pickle (.bin), which can run code"
                    " when it is read. If you trust it: pellucid import DIR OUT --from-pickle."
                )
            raise DataError(f"{self.directory} holds no {WEIGHTS}. Is this a model's directory?")
        index = read_json(self.directory / INDEX, LARGEST_INDEX)
        table = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise VerificationError(f"{self.directory / INDEX} has no weight_map. Get it anew.")
        names = sorted(set(table.values()))
        if any(Path(name).name != name for name in names):
            raise VerificationError(f"{self.directory / INDEX} names files outside its directory.")
        return names

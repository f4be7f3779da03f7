"""Weights in one safetensors file, or in several with an index."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from shlex import quote

from torch import Tensor

from pellucid.errors import ConfigError, DataError, VerificationError
from pellucid.json_files import read_json
from pellucid.nn.tensor_file import TensorFile

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
LARGEST_INDEX = 1 << 26
DTYPES = ("F64", "F32", "F16", "BF16")
"""Supported dtypes of weights; all are converted to float32."""
ROUNDING = 2**-8
"""Largest error of a number of at most 1 that is stored in BF16."""


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

    def check_types(self, names: Iterable[str]) -> None:
        """Raises: ConfigError naming a tensor whose dtype is not one of `DTYPES`."""
        for name in names:
            if self.dtypes[name] not in DTYPES:
                raise ConfigError(
                    f"{self.directory}: {name} holds numbers of type {self.dtypes[name]}:"
                    f" weights are {', '.join(DTYPES)}, others are quantized"
                    " values, which are not supported. Download the model as it was before."
                )

    def check_constants(self, constants: Mapping[str, Tensor]) -> None:
        """Raises: VerificationError naming a tensor that is not this constant, such as sinusoids.

        constants: name in the files -> expected numbers, of at most 1.
        """
        for name, expected in constants.items():
            stored = self.tensor(name, Tensor.float)
            is_same = stored.shape == expected.shape
            if not is_same or float((stored - expected).abs().max()) > ROUNDING:
                raise VerificationError(
                    f"{self.directory}: {name} holds other numbers than this family computes"
                    " there, so this model cannot be opened."
                )

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

"""Weights in one safetensors file, or in several with an index."""

import contextlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from pellucid.errors import DataError, VerificationError
from pellucid.manifest import read_json

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
LARGEST_INDEX = 1 << 26


class Shards:
    """All tensors of a directory by name: shapes at once, numbers one by one."""

    def __init__(self, directory: Path) -> None:
        """Raises: DataError if there are no weights; VerificationError if a file is damaged."""
        self.directory = directory
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, Any] = {}
        with contextlib.ExitStack() as files:  # closes them if one is damaged
            for name in self._names():
                self._add(files, directory / name)
            self._open = files.pop_all()

    def __enter__(self) -> "Shards":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def tensor(self, name: str) -> Tensor:
        """One tensor as it is stored. Raises: VerificationError if it is damaged."""
        try:
            return self._files[name].get_tensor(name)
        except SafetensorError as error:
            raise VerificationError(f"{self.directory}: {name}: {error}. Get it anew.") from error

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

    def _add(self, files: contextlib.ExitStack, path: Path) -> None:
        if not path.is_file():
            raise DataError(f"{path} is missing. Get the directory anew.")
        try:
            file = files.enter_context(safe_open(path, "pt"))
            for name in file.keys():  # noqa: SIM118
                if name in self.shapes:
                    raise VerificationError(f"{path}: {name} is in another file too.")
                self.shapes[name] = tuple(file.get_slice(name).get_shape())
                self._files[name] = file
        except SafetensorError as error:
            raise VerificationError(
                f"{path} is not a whole safetensors file: {error}. Get it anew."
            ) from error

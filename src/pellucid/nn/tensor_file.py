"""Read a safetensors file tensor by tensor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pellucid.errors import DataError, VerificationError

REMAP_BYTES = 16 << 20
"""The file is mapped again after this many bytes were read."""


class TensorFile:
    """The names, shapes and dtypes of a safetensors file; tensors are read one at a time.

    safetensors maps the file into memory: a mapped tensor changes when the file does, and the pages
    that were read stay in memory. So each tensor is copied, and the file is mapped again regularly.
    """

    def __init__(self, path: Path) -> None:
        """Raises: DataError if there is no such file; VerificationError if it is damaged."""
        if not path.is_file():
            raise DataError(f"{path} is missing, or not a file. Check the name.")
        self.path = path
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, str] = {}
        self._open()
        for name in self._file.keys():  # noqa: SIM118
            header = self._file.get_slice(name)
            self.shapes[name] = tuple(header.get_shape())
            self.dtypes[name] = header.get_dtype()

    def tensor(self, name: str, select: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
        """Return a contiguous copy of `select(tensor)`. Raises: VerificationError if damaged."""
        if self._mapped > REMAP_BYTES:
            self._open()
        try:
            mapped = select(self._file.get_tensor(name))
        except SafetensorError as error:
            raise self._error(error) from error
        self._mapped += mapped.nbytes
        return torch.empty(mapped.shape, dtype=mapped.dtype, device="cpu").copy_(mapped)

    def _open(self) -> None:
        self._mapped = 0
        try:
            self._file: Any = safe_open(self.path, "pt")
        except SafetensorError as error:
            raise self._error(error) from error

    def _error(self, error: SafetensorError) -> VerificationError:
        return VerificationError(
            f"{self.path} is not a valid safetensors file: {error}. Copy or download it again."
        )

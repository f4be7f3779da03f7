"""A safetensors file, read tensor by tensor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pellucid.errors import DataError, VerificationError

MAPPED = 16 << 20
"""Bytes that are read before the file is opened again."""


class TensorFile:
    """Names and shapes of all tensors; their values are read one by one.

    The library maps the file into memory: its tensors would change with the file, and all that was
    read would stay resident. So each tensor is copied, and the file is mapped again now and then.
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
            part = self._file.get_slice(name)
            self.shapes[name] = tuple(part.get_shape())
            self.dtypes[name] = part.get_dtype()

    def tensor(self, name: str, part: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
        """Return `part` of a tensor, contiguous. Raises: VerificationError if it is damaged."""
        if self._mapped > MAPPED:
            self._open()
        try:
            mapped = part(self._file.get_tensor(name))
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
            f"{self.path} is not a whole safetensors file: {error}. Copy or download it again."
        )

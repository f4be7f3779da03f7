"""Read weights from pickles: tensors only, in a restricted child process.

A pickle can run code while it is read.
"""

import subprocess
import sys
from pathlib import Path

from pellucid.errors import DataError, ResourceError, VerificationError

TIMEOUT_S = 600
CHILD = "pellucid.formats.pickles"
MAX_TENSORS = 100_000
SPARE_MEMORY = 1 << 30  # bytes of address space in addition to that for the files


def convert(source: Path, directory: Path) -> None:
    """Convert `pytorch_model*.bin` of `source` to `model.safetensors` in `directory`.

    A child process reads with torch.load(weights_only=True). Its memory and file size are limited,
    and it cannot use the network or start processes. The limits need Linux.
    Raises: DataError if there is no such file; VerificationError if one cannot be read;
    ResourceError on other systems.
    """
    if sys.platform != "linux":
        raise ResourceError(
            f"{source}: pickles are read on Linux only, where the memory and file size of the"
            " reading process can be limited. Convert it there, or download model.safetensors."
        )
    files = sorted(source.glob("pytorch_model*.bin"))
    if not files:
        raise DataError(f"{source} has no pytorch_model.bin. Is it a model directory?")
    command = [sys.executable, "-I", "-m", CHILD, str(directory), *map(str, files)]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise VerificationError(
            f"{source}: reading the pickle took more than {TIMEOUT_S} s. Download it again."
        ) from error
    if result.returncode:
        reason = result.stderr.strip().split("\n")[-1][:300]
        raise VerificationError(
            f"{source}: the pickle contains more than tensors, or is damaged: {reason}"
        )


def run_child(directory: Path, files: list[Path]) -> None:
    """Read the files, check that they contain only tensors, and write them. Runs in the child."""
    import resource  # not on Windows

    import torch

    from pellucid.nn.weights import write_tensors

    size = sum(file.stat().st_size for file in files)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: mapped + 4 * size + SPARE_MEMORY,
        resource.RLIMIT_FSIZE: 2 * size + (1 << 20),
        resource.RLIMIT_NPROC: 0,
    }
    for name, limit in limits.items():
        resource.setrlimit(name, (limit, limit))
    sys.addaudithook(_forbid_side_effects)
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        part = torch.load(file, map_location="cpu", weights_only=True, mmap=False)
        if not isinstance(part, dict) or not all(
            isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in part.items()
        ):
            raise SystemExit(f"{file.name} is not a dict of tensors")
        tensors.update(part)
        if len(tensors) > MAX_TENSORS:
            raise SystemExit(f"{file.name} has more than {MAX_TENSORS:,} tensors")
    # Tied tensors share memory, which safetensors cannot store.
    copies = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    write_tensors(copies, directory / "model.safetensors")


def _forbid_side_effects(event: str, arguments: tuple) -> None:
    """Forbid the use of the network, processes and shutil; an audit hook."""
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.fork", "os.system", "shutil.")):
        raise PermissionError(f"{event} is forbidden while a pickle is read")


if __name__ == "__main__":
    run_child(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])

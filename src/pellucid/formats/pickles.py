"""Weights out of a pickle, which could run code as it is read: tensors only, in a child process."""

import subprocess
import sys
from pathlib import Path

from pellucid.errors import DataError, ResourceError, VerificationError

SECONDS = 600
CHILD = "pellucid.formats.pickles"
MOST_TENSORS = 100_000
SPARE = 1 << 30  # bytes of address space beyond what the files can fill


def convert(source: Path, directory: Path) -> None:
    """Write the tensors of `pytorch_model*.bin` as `model.safetensors` into another directory.

    The child reads with torch's loader for tensors alone, its memory and files limited; it may open
    no network and start no process. Linux only, for those limits.
    Raises: DataError, VerificationError; ResourceError on another system.
    """
    if sys.platform != "linux":
        raise ResourceError(
            f"{source}: pickles are read on Linux only, where memory and files of the process that"
            " reads them can be limited. Convert it there, or download model.safetensors."
        )
    files = sorted(source.glob("pytorch_model*.bin"))
    if not files:
        raise DataError(f"{source} holds no pytorch_model.bin. Is this a model's directory?")
    command = [sys.executable, "-I", "-m", CHILD, str(directory), *map(str, files)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise VerificationError(
            f"{source}: reading took over {SECONDS} s. Download it again."
        ) from error
    if done.returncode:
        why = done.stderr.strip().split("\n")[-1][:300]
        raise VerificationError(f"{source}: the pickle holds more than tensors, or is torn: {why}")


def child(directory: Path, files: list[Path]) -> None:
    """Read, check, write; runs in the child only."""
    import resource  # not on Windows

    import torch

    from pellucid.nn.weights import write_tensors

    size = sum(file.stat().st_size for file in files)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: mapped + 4 * size + SPARE,
        resource.RLIMIT_FSIZE: 2 * size + (1 << 20),
        resource.RLIMIT_NPROC: 0,
    }
    for name, limit in limits.items():
        resource.setrlimit(name, (limit, limit))
    sys.addaudithook(_forbid)
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        part = torch.load(file, map_location="cpu", weights_only=True, mmap=False)
        if not isinstance(part, dict) or not all(
            isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in part.items()
        ):
            raise SystemExit(f"{file.name} is no table of tensors")
        tensors.update(part)
        if len(tensors) > MOST_TENSORS:
            raise SystemExit(f"{file.name} holds over {MOST_TENSORS:,} tensors")
    separate = {
        name: tensor.contiguous().clone() for name, tensor in tensors.items()
    }  # ties come apart
    write_tensors(separate, directory / "model.safetensors")


def _forbid(event: str, arguments: tuple) -> None:
    """Stops what reading tensors never needs."""
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.fork", "os.system", "shutil.")):
        raise PermissionError(f"{event} is forbidden while a pickle is read")


if __name__ == "__main__":
    child(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])

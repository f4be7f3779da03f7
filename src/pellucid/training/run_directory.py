"""Where a run keeps everything: config, metrics, log, checkpoints, final model."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pellucid.config.read import read_yaml
from pellucid.config.run import RunConfig
from pellucid.config.write import dump_yaml
from pellucid.errors import ConfigError
from pellucid.families.rnn import build_run
from pellucid.files import atomic_write

FREE = {
    "run_dir",
    "device",
    "training.max_updates",
    "training.patience",
    "training.keep",
    "training.workers",
    "training.tensorboard",
}
"""What a resumed run may change: none of it changes an update that is already done."""


class RunDirectory:
    """Paths of one run, and its line-by-line records."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.yaml"
        self.metrics_path = path / "metrics.jsonl"
        self.log_path = path / "log.txt"
        self.tokenizers = path / "tokenizer"
        self.data = path / "data"
        self.final = path / "final"

    def config(self) -> RunConfig | None:
        """The resolved config that the run began with, or None if it has not begun."""
        if not self.config_path.exists():
            return None
        return build_run(read_yaml(self.config_path), str(self.config_path))

    def begin(self, config: RunConfig) -> None:
        """Record the config; a run that has begun keeps all of it but what is `FREE`.

        Raises: ConfigError naming the first setting that differs.
        """
        known = self.config()
        self.path.mkdir(parents=True, exist_ok=True)
        if known is not None:
            old, new = _flat(asdict(known)), _flat(asdict(config))
            changed = [name for name in old if old[name] != new[name] and name not in FREE]
            if changed:
                name = changed[0]
                raise ConfigError(
                    f"{self.path}: this run began with {name}={old[name]!r}, now it is"
                    f" {new[name]!r}. A resumed run keeps its settings, but for"
                    f" {', '.join(sorted(FREE))}. Use another run_dir, or the old setting."
                )
        if known != config:
            atomic_write(self.config_path, dump_yaml(config).encode())

    def add_metrics(self, record: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def metrics_size(self) -> int:
        """Bytes of metrics.jsonl so far."""
        return self.metrics_path.stat().st_size if self.metrics_path.exists() else 0

    def rewind_metrics(self, size: int) -> None:
        """Forget what was recorded after a checkpoint that knew `size` bytes."""
        if self.metrics_size() > size:
            os.truncate(self.metrics_path, size)

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Every record of metrics.jsonl."""
        if self.metrics_path.exists():
            for line in self.metrics_path.read_text(encoding="utf-8").split("\n"):
                if line:
                    yield json.loads(line)


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat

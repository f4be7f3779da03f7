"""Where a run keeps everything: config, metrics, log, checkpoints, final model."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.config.read import build, read_yaml
from pellucid.config.run import RunConfig
from pellucid.config.write import dump_yaml
from pellucid.errors import ConfigError
from pellucid.files import atomic_write


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
        return build(RunConfig, read_yaml(self.config_path), str(self.config_path))

    def begin(self, config: RunConfig) -> None:
        """Record the config, or check that it is the one the run began with.

        Raises: ConfigError naming the first setting that differs.
        """
        known = self.config()
        if known is not None:
            known = replace(known, run_dir=config.run_dir)  # a run may be moved, or named anew
        if known is None:
            self.path.mkdir(parents=True, exist_ok=True)
            atomic_write(self.config_path, dump_yaml(config).encode())
        elif known != config:
            old, new = dump_yaml(known).split("\n"), dump_yaml(config).split("\n")
            was, now = next((a, b) for a, b in zip(old, new, strict=False) if a != b)
            raise ConfigError(
                f"{self.path}: this run began with `{was.strip()}`, now it is `{now.strip()}`."
                " A resumed run keeps its settings. Use another run_dir, or the old setting."
            )

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

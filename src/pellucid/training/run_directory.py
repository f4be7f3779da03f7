"""The directory of a run: config, metrics, log, checkpoints, final model."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pellucid.config.read import read_yaml
from pellucid.config.run import RunConfig
from pellucid.config.write import dump_yaml
from pellucid.errors import ConfigError, DataError
from pellucid.families.run_config import build_run
from pellucid.files import atomic_write, remove
from pellucid.json_files import dump_json, read_json
from pellucid.nn.kernel_choice import KernelChoices

FREE = {
    "run_dir",
    "device",
    "data.train",
    "data.valid",
    "training.max_updates",
    "training.epochs",
    "training.precision",
    "training.patience",
    "training.keep",
    "training.workers",
    "training.tensorboard",
}
"""Settings that a resumed run may change; updates that are done stay as they are. Data files may
have other names, but must have the same content."""


class RunDirectory:
    """Paths and records of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.yaml"
        self.texts_path = path / "texts.json"
        self.kernels_path = path / "kernels.json"
        self.facts_path = path / "facts.json"
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

    def texts(self) -> dict[str, str]:
        """The sha256 of each file of text that the run reads, by its name."""
        return read_json(self.texts_path) if self.texts_path.exists() else {}

    def kernels(self) -> KernelChoices | None:
        """The kernels that the run uses, or None while none are recorded.

        Raises: DataError, VerificationError if the file is damaged.
        """
        if not self.kernels_path.exists():
            return None
        choices = read_json(self.kernels_path)
        if not isinstance(choices, dict) or choices.keys() != asdict(KernelChoices()).keys():
            raise DataError(f"{self.kernels_path} does not hold the run's kernels. Delete it.")
        return KernelChoices(**choices)

    def keep_kernels(self, choices: KernelChoices) -> None:
        """Record the kernels, for when the run resumes."""
        atomic_write(self.kernels_path, dump_json(asdict(choices)))

    def fixed_config(self) -> RunConfig | None:
        """The config of a run with a checkpoint or a final model, which may not change; or None."""
        has_trained = self.final.exists() or any((self.path / "checkpoints").glob("step-*"))
        return self.config() if has_trained else None

    def begin(self, config: RunConfig, texts: Mapping[str, str]) -> None:
        """Record the config and the sha256 of each data file.

        A run with a checkpoint keeps both, except for the settings in `FREE`. A run without one
        starts again, and deletes its tokenizer if other settings or data need another.
        Raises: ConfigError naming the first setting that differs; DataError naming the file.
        """
        known, kept = self.config(), self.fixed_config()
        self.path.mkdir(parents=True, exist_ok=True)
        if kept is not None:
            self._refuse_other_settings(kept, config)
            self._refuse_other_texts(texts)
        elif self.tokenizers.exists() and not self._has_tokenizer_of(known, config, texts):
            if known is None:
                raise DataError(
                    f"{self.tokenizers} does not belong to this run, which keeps its tokenizer"
                    " there. Move it away, or use another run_dir."
                )
            remove(self.tokenizers)  # before the config that it belongs to
        if known != config:
            atomic_write(self.config_path, dump_yaml(config).encode())
        if self.texts() != texts:
            atomic_write(self.texts_path, dump_json(dict(texts)))

    def facts(self) -> dict[str, Any] | None:
        """What is known of the data since it was encoded, or None before that."""
        return read_json(self.facts_path) if self.facts_path.exists() else None

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        """Record what is known of the data, so that the task can be made from this directory."""
        data = dump_json(dict(facts))
        if not self.facts_path.exists() or self.facts_path.read_bytes() != data:
            atomic_write(self.facts_path, data)

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

    def _refuse_other_settings(self, kept: RunConfig, config: RunConfig) -> None:
        old, new = _flat(asdict(kept)), _flat(asdict(config))
        changed = [name for name in old if old[name] != new.get(name) and name not in FREE]
        if changed:
            name = changed[0]
            raise ConfigError(
                f"{self.path}: this run began with {name}={old[name]!r}, now it is"
                f" {new[name]!r}. A resumed run keeps all settings except"
                f" {', '.join(sorted(FREE))}. Use another run_dir, or the old setting."
            )

    def _refuse_other_texts(self, texts: Mapping[str, str]) -> None:
        """Another text: other pairs are held out, and a batch's number names other ones."""
        known = list(self.texts().values())
        if known != list(texts.values()):
            changed = [name for name, digest in texts.items() if digest not in known]
            changed += self.texts()  # files in another order, or fewer
            raise DataError(
                f"{changed[0]}: this is not the text that the run {self.path} began with: other"
                " pairs would be held out, and batches come in another order. Use another run_dir,"
                " or the old text."
            )

    def _has_tokenizer_of(
        self, known: RunConfig | None, config: RunConfig, texts: Mapping[str, str]
    ) -> bool:
        """Whether the tokenizer here is what a run of this config and text would begin with."""
        original = Path(config.tokenizer.path)
        if config.tokenizer.path and original.is_dir():  # it may have changed since
            return original.resolve() == self.tokenizers.resolve()
        if known is None or config.start_from or self.texts() != texts:
            return False
        return all(
            getattr(known, name) == getattr(config, name)
            for name in ("start_from", "task", "family", "data", "tokenizer")
        )


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat

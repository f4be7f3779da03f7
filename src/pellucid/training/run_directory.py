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
from pellucid.training.checkpoints import list_checkpoints

MAY_CHANGE = {
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
    "training.wandb",
}
"""Settings that may change when a run resumes. Finished updates are not repeated. Data files may be
renamed, but their content must be the same."""


class RunDirectory:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.yaml"
        self.digests_path = path / "texts.json"
        self.kernels_path = path / "kernels.json"
        self.facts_path = path / "facts.json"
        self.metrics_path = path / "metrics.jsonl"
        self.log_path = path / "log.txt"
        self.tokenizers = path / "tokenizer"
        self.data = path / "data"
        self.final = path / "final"

    def config(self) -> RunConfig | None:
        """Return the resolved config that the run started with, or None if it has not started."""
        if not self.config_path.exists():
            return None
        return build_run(read_yaml(self.config_path), str(self.config_path))

    def digests(self) -> dict[str, str]:
        """Return the recorded sha256 of each data file, by file name."""
        return read_json(self.digests_path) if self.digests_path.exists() else {}

    def kernels(self) -> KernelChoices | None:
        """Return the kernels that the run uses, or None if none are recorded yet.

        Raises: DataError, VerificationError if the file is damaged.
        """
        if not self.kernels_path.exists():
            return None
        choices = read_json(self.kernels_path)
        if not isinstance(choices, dict) or not choices.keys() <= asdict(KernelChoices()).keys():
            raise DataError(f"{self.kernels_path} does not hold the run's kernels. Delete it.")
        return KernelChoices(**choices)

    def record_kernels(self, choices: KernelChoices) -> None:
        """Record the kernels, so that a resumed run uses the same ones."""
        atomic_write(self.kernels_path, dump_json(asdict(choices)))

    def fixed_config(self) -> RunConfig | None:
        """Return the config of a run with a checkpoint or final model, else None."""
        has_trained = self.final.exists() or bool(list_checkpoints(self.path))
        return self.config() if has_trained else None

    def record_config(self, config: RunConfig, digests: Mapping[str, str]) -> None:
        """Record the config and the sha256 of each data file.

        If the run has a checkpoint, only settings in `MAY_CHANGE` may differ. Otherwise it starts
        again, and its tokenizer is deleted if the new settings or data require another.
        Raises: ConfigError naming the first setting that differs; DataError naming the file.
        """
        known, kept = self.config(), self.fixed_config()
        self.path.mkdir(parents=True, exist_ok=True)
        if kept is not None:
            self._check_same_settings(kept, config)
            self._check_same_data(digests)
        elif self.tokenizers.exists() and not self._is_tokenizer_reusable(known, config, digests):
            if known is None:
                raise DataError(
                    f"{self.tokenizers} does not belong to this run, which keeps its tokenizer"
                    " there. Move it away, or use another run_dir."
                )
            remove(self.tokenizers)  # before the config that it belongs to
        if known != config:
            atomic_write(self.config_path, dump_yaml(config).encode())
        if self.digests() != digests:
            atomic_write(self.digests_path, dump_json(dict(digests)))

    def facts(self) -> dict[str, Any] | None:
        """Return the facts recorded after encoding, or None if there are none yet.

        `inputs.dump_facts` lists them: labels, longest example, heads, token ids.
        """
        return read_json(self.facts_path) if self.facts_path.exists() else None

    def record_facts(self, facts: Mapping[str, Any]) -> None:
        """Record the facts from which `read_inputs` rebuilds the task."""
        data = dump_json(dict(facts))
        if not self.facts_path.exists() or self.facts_path.read_bytes() != data:
            atomic_write(self.facts_path, data)

    def add_metrics(self, record: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def metrics_size(self) -> int:
        """Return the size of metrics.jsonl in bytes."""
        return self.metrics_path.stat().st_size if self.metrics_path.exists() else 0

    def rewind_metrics(self, size: int) -> None:
        """Delete metrics recorded after a checkpoint, when the file had `size` bytes."""
        if self.metrics_size() > size:
            os.truncate(self.metrics_path, size)

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the records of metrics.jsonl."""
        if self.metrics_path.exists():
            for line in self.metrics_path.read_text(encoding="utf-8").split("\n"):
                if line:
                    yield json.loads(line)

    def _check_same_settings(self, kept: RunConfig, config: RunConfig) -> None:
        old, new = _flat(asdict(kept)), _flat(asdict(config))
        changed = [name for name in old if old[name] != new.get(name) and name not in MAY_CHANGE]
        if changed:
            name = changed[0]
            raise ConfigError(
                f"{self.path}: this run began with {name}={old[name]!r}, now it is"
                f" {new[name]!r}. A resumed run keeps all settings except"
                f" {', '.join(sorted(MAY_CHANGE))}. Use another run_dir, or the old setting."
            )

    def _check_same_data(self, digests: Mapping[str, str]) -> None:
        """Raises: DataError if a data file has changed, which would change split and batches."""
        if not self.digests_path.exists():
            raise DataError(
                f"{self.digests_path} is missing, so that it cannot be seen whether the run began"
                " with these texts. Restore the file, or use another run_dir."
            )
        known = list(self.digests().values())
        if known != list(digests.values()):
            changed = [name for name, digest in digests.items() if digest not in known]
            changed += self.digests()  # files in another order, or fewer
            raise DataError(
                f"{changed[0]}: this is not the text that the run {self.path} began with: other"
                " pairs would be held out, and batches come in another order. Use another run_dir,"
                " or the old text."
            )

    def _is_tokenizer_reusable(
        self, known: RunConfig | None, config: RunConfig, digests: Mapping[str, str]
    ) -> bool:
        """Whether this config and data would give the tokenizer that the run already has."""
        original = Path(config.tokenizer.path)
        if config.tokenizer.path and original.is_dir():  # it may have changed since
            return original.resolve() == self.tokenizers.resolve()
        if known is None or config.start_from or self.digests() != digests:
            return False
        return all(
            getattr(known, name) == getattr(config, name)
            for name in ("start_from", "task", "family", "data", "tokenizer")
        )


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat

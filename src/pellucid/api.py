"""`pellucid.load`: a finished model as a handle with verbs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.config.decoding import DecodingConfig
from pellucid.config.embedding import EmbeddingConfig
from pellucid.decoding.alignment import align, hard_alignment
from pellucid.errors import DataError, UsageError
from pellucid.families.directory import ModelDirectory
from pellucid.families.door import open_model
from pellucid.nn import kernels
from pellucid.nn.kernels import PackedType
from pellucid.nn.prepare import prepare
from pellucid.tasks.embedding import embed
from pellucid.tasks.generation import Filled, fill, write
from pellucid.tasks.logits import Inputs, logits
from pellucid.tasks.translate import Translated, translate
from pellucid.text.pair import Tokenizers

SHIPPED = Path(__file__).parent / "models"
"""The models that come with the package, a directory each."""

Alignment = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Translation:
    """A translation, and where each of its tokens came from."""

    text: str
    score: float
    """Length-normalised log-probability."""
    tokens: tuple[str, ...]
    alignment: Alignment
    """Pairs (source token, target token), one for each target token; empty unless asked for."""
    detail: Translated
    """Log-probabilities by token, ids, and whether the text was cut or split."""


class Loaded:
    """A model with its tokenizers: `.model` is the plain module that was trained."""

    def __init__(
        self, directory: ModelDirectory, device: torch.device, dtype: PackedType = "fp32"
    ) -> None:
        self.directory = directory
        self.model = directory.model.to(device).eval()
        self.tokenizer: Tokenizers = directory.tokenizers
        self.task = directory.task
        self.config = directory.model_config
        self.heads = directory.model.head_configs
        self._dtype: PackedType = dtype

    def translate(
        self,
        texts: Sequence[str],
        *,
        alignment: bool = True,
        progress: Callable[[int], None] | None = None,
        **settings: Any,
    ) -> list[Any]:
        """One `Translation` a text; with `n_best` above 1, a list of them a text, best first.

        settings: fields of `DecodingConfig`, e.g. beam=5.
        Raises: ConfigError on impossible settings; UsageError if texts is one string.
        """
        if isinstance(texts, str):
            raise UsageError("translate takes a list of texts. Write m.translate([text]).")
        config = self.decoding(**settings)
        found = translate(self._prepared, texts, config, progress)
        flat = [t for hypotheses in found for t in hypotheses]
        aligned = iter(self._alignments(flat) if alignment else [()] * len(flat))
        ranked = [
            [Translation(t.text, t.score, t.tokens, next(aligned), t) for t in hypotheses]
            for hypotheses in found
        ]
        return ranked if config.n_best > 1 else [best for best, *_ in ranked]

    def logits(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        *,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
        head: str | None = None,
    ) -> Tensor:
        """A head's raw output in float32; see `pellucid.tasks.logits`.

        ids: (B, T) integers. keep: (B, T), True = real token. target_ids: (B, U), what the decoder
        of an encoder-decoder reads. segments: (B, T). head: may be left out where there is one.
        Raises: UsageError naming what does not fit, or listing the heads.
        """
        return logits(self.directory, Inputs(ids, keep, target_ids, segments), head)

    def generate(
        self, prompts: Sequence[str], *, stop: Sequence[str] = (), **settings: Any
    ) -> list[Any]:
        """One `Generated` a prompt; with `n_best` above 1, a list of them a prompt, best first.

        stop: strings that end a text. settings: fields of `DecodingConfig`, e.g. method="sample".
        Raises: ConfigError on impossible settings; UsageError if the model writes no text.
        """
        if isinstance(prompts, str):
            raise UsageError("generate takes a list of prompts. Write m.generate([prompt]).")
        config = self.decoding(**settings)
        ranked = write(self._prepared, prompts, config, stop)
        return ranked if config.n_best > 1 else [best for best, *_ in ranked]

    def fill(self, texts: Sequence[str], top: int = 5) -> list[list[list[Filled]]]:
        """For each gap (the mask token) of each text, the `top` likeliest tokens, best first.

        Raises: UsageError if the model fills no gaps, or a text has none.
        """
        if isinstance(texts, str):
            raise UsageError("fill takes a list of texts. Write m.fill([text]).")
        return fill(self._prepared, texts, top)

    def embed(self, texts: Sequence[str], **settings: Any) -> Tensor:
        """A vector for each text, (N, D) in float32 on the CPU.

        settings: fields of `EmbeddingConfig`, e.g. pooling="first"; the rest is as the directory
        says. Raises: ConfigError on impossible settings; UsageError if texts is one string.
        """
        if isinstance(texts, str):
            raise UsageError("embed takes a list of texts. Write m.embed([text]).")
        _check_names(settings, EmbeddingConfig)
        return embed(self._prepared, texts, replace(self.directory.embedding, **settings))

    @cached_property
    def _prepared(self) -> ModelDirectory:
        """The same with a model packed for decoding, made when first asked for."""
        return replace(self.directory, model=prepare(self.model, self._dtype))

    def decoding(self, **settings: Any) -> DecodingConfig:
        """The model's own search settings, these in place of some."""
        _check_names(settings, DecodingConfig)
        return replace(self.directory.decoding, **settings)

    def _alignments(self, found: Sequence[Translated]) -> list[Alignment]:
        """(source token, target token) pairs of each, by forced passes over batches of them."""
        start = self.tokenizer.target.id(self.directory.roles.start)
        config = self.directory.decoding
        alignments: list[Alignment] = [()] * len(found)
        todo = sorted((i for i, t in enumerate(found) if t.ids), key=lambda i: len(found[i].ids))
        for at in range(0, len(todo), config.batch_size):
            batch = todo[at : at + config.batch_size]
            weights = align(
                self.model,
                [found[i].source_ids for i in batch],
                [found[i].ids for i in batch],
                start=start,
                layer=config.alignment_layer,
            )
            for i, each in zip(batch, weights, strict=True):
                alignments[i] = tuple((source, target) for target, source in hard_alignment(each))
        return alignments


def _check_names(settings: Mapping[str, Any], config: type) -> None:
    """Raises: UsageError at a setting that the config does not have."""
    known = config.__dataclass_fields__
    unknown = settings.keys() - known.keys()
    if unknown:
        raise UsageError(f"unknown setting {min(unknown)!r}. Known are: {', '.join(known)}.")


def load(name: str | Path, *, device: str = "auto", dtype: PackedType = "fp32") -> Loaded:
    """The model in a directory, in a run's directory, or shipped under this name.

    Raises: DataError if there is no such model; VerificationError if its files are damaged.
    """
    place = kernels.device(device)
    return Loaded(open_model(find(name)), place, dtype)


def train(settings: Mapping[str, Any] | str | Path) -> Loaded:
    """Train what a mapping of settings or a YAML file says, or go on with it; the finished model.

    Raises: DataError, ConfigError, ResourceError; KeyboardInterrupt if a signal stopped it, after
    its state was saved.
    """
    from pellucid.config.read import read_yaml  # a translator in service never needs these
    from pellucid.training.pipeline import train as run_training

    if isinstance(settings, Mapping):
        trained = run_training(settings)
    else:
        trained = run_training(read_yaml(settings), where=str(settings))
    if trained.signal is not None:
        raise KeyboardInterrupt
    return load(trained.run.path)


def find(name: str | Path) -> Path:
    """The model directory behind a name: a path, a run that is finished, a shipped model."""
    path = Path(name)
    for candidate in (path / "final", path, SHIPPED / path.name):
        if (candidate / "config.json").is_file():
            return candidate
    if (path / "config.yaml").is_file():
        raise DataError(f"{path} is a run that has no final model yet. Let its training end first.")
    shipped = ", ".join(sorted(p.name for p in SHIPPED.glob("*") if p.is_dir())) or "none"
    raise DataError(
        f"there is no model at {str(name)!r}. Give a model directory, a finished run, or the name"
        f" of a shipped model ({shipped})."
    )

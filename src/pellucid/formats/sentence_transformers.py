"""How texts become vectors, as a directory of sentence-transformers tells it: read, and written."""

from pathlib import Path

from pellucid.config.embedding import EmbeddingConfig, Pooling
from pellucid.errors import ConfigError
from pellucid.manifest import dump_json, read_json

STEPS, POOLED, CUT = "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"
FILES = (STEPS, POOLED, CUT)
POOLING: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
}
"""What sentence-transformers calls the ways of pooling, and we."""


def read_embedding(directory: Path) -> EmbeddingConfig:
    """What a directory says of pooling; the mean where it says nothing.

    Raises: ConfigError at what is not honoured here; VerificationError naming a damaged file.
    """
    steps, pooling, cut = (directory / name for name in FILES)
    if not (steps.is_file() and pooling.is_file()):
        return EmbeddingConfig()
    kinds = _kinds(read_json(steps))
    if not kinds <= {"Transformer", "Pooling", "Normalize"}:
        raise ConfigError(
            f"{steps}: it asks for {', '.join(sorted(kinds))[:200]}, but only Transformer, Pooling"
            " and Normalize are honoured here, so vectors would differ. It cannot be opened."
        )
    told = read_json(pooling)
    chosen: list[Pooling] = [
        name for key, name in POOLING.items() if isinstance(told, dict) and told.get(key)
    ]
    if len(chosen) != 1:
        raise ConfigError(f"{pooling}: it asks for a pooling that is not one of {POOLING}.")
    sizes = read_json(cut) if cut.is_file() else {}
    if not isinstance(sizes, dict):
        raise ConfigError(f"{cut} holds no settings. Get the directory anew.")
    longest = sizes.get("max_seq_length", 0)
    return EmbeddingConfig(
        pooling=chosen[0],
        normalize="Normalize" in kinds,
        longest=longest if isinstance(longest, int) else 0,
    )


def write_embedding(directory: Path, e: EmbeddingConfig, d_model: int) -> None:
    """Say the same in its three files."""
    steps = {"": "Transformer", "1_Pooling": "Pooling"}
    if e.normalize:
        steps["2_Normalize"] = "Normalize"
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{step}"}
        for i, (path, step) in enumerate(steps.items())
    ]
    pooling = {key: way == e.pooling for key, way in POOLING.items()}
    (directory / POOLED).parent.mkdir()
    (directory / STEPS).write_bytes(dump_json(modules))
    (directory / POOLED).write_bytes(dump_json({"word_embedding_dimension": d_model, **pooling}))
    (directory / CUT).write_bytes(dump_json({"max_seq_length": e.longest or None}))


def _kinds(steps: object) -> set[str]:
    """What its steps are, by the last part of their classes' names."""
    table = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    return {str(step.get("type")).rpartition(".")[2] for step in table}

"""The teacher of a distillation: what it must have, and the weights that a student begins with."""

import re

import torch

from pellucid.config.tasks.distillation import DistillationConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.compare import describe_difference

HEAD = "mlm"
SHAPE = ("d_model", "n_heads", "d_ff", "d_embedding", "positions", "max_length")
"""What a student that begins with the teacher's weights has in common with it."""


def get_teacher(inputs: TaskInputs) -> Bundle:
    """Return the teacher. Raises: UsageError if there is none."""
    if not inputs.teachers:
        raise UsageError(
            "there is no teacher to learn from. Set objective.teacher to the directory of a masked"
            " language model."
        )
    return inputs.teachers[0]


def check_teacher(inputs: TaskInputs, objective: DistillationConfig) -> None:
    """Check that the student of a run can learn from the teacher.

    Raises: ConfigError, UsageError naming what does not fit.
    """
    teacher = get_teacher(inputs)
    if HEAD not in teacher.model.head_configs or teacher.model.decoder is not None:
        known = ", ".join(teacher.model.head_configs) or "none"
        raise ConfigError(
            f"objective.teacher={objective.teacher}: it is no masked language model (its heads:"
            f" {known}). Use one, such as a BERT or RoBERTa."
        )
    difference = describe_difference(inputs.tokenizers.source, teacher.tokenizers.source)
    c, other = inputs.model_config, teacher.model_config
    if not difference and c.vocab_size != other.vocab_size:
        difference = f"it has {other.vocab_size} embeddings, not {c.vocab_size}"
    if difference:
        raise ConfigError(
            f"objective.teacher={objective.teacher} has another tokenizer than the student:"
            f" {difference}. Their predictions cannot be compared. Use a teacher and a start_from"
            " of one tokenizer, or leave start_from out."
        )
    if 0 < other.max_positions < inputs.config.data.max_length:
        raise ConfigError(
            f"data.max_length={inputs.config.data.max_length}, but the teacher has"
            f" {other.max_positions} positions. Use at most as many."
        )
    if objective.cosine_weight and c.d_model != other.d_model:
        raise ConfigError(
            f"the student has width {c.d_model}, the teacher {other.d_model}, so their states"
            " cannot be compared. Set objective.cosine_weight=0, or use a student as wide as the"
            " teacher."
        )
    if objective.initialize == "teacher" and not inputs.config.start_from:
        _check_same_shape(inputs, teacher)


def copy_teacher(teacher: Model, student: Model) -> None:
    """Copy the teacher's embeddings, head and evenly spaced layers into a student.

    Of 12 layers, a student of 6 gets 0, 2, 4, 7, 9 and 11, as in the released recipe of DistilBERT.
    """
    layers = choose_layers(teacher.config.n_encoder_layers, student.config.n_encoder_layers)
    weights = dict(teacher.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            source = re.sub(r"\.layers\.(\d+)\.", lambda m: f".layers.{layers[int(m[1])]}.", name)
            if source in weights or not name.endswith("output.bias"):  # a head may have no bias
                parameter.copy_(weights[source])
        if teacher.config.n_segments and not student.config.n_segments:
            # All tokens are of the first segment, whose vector a student without segments adds with
            # the positions.
            positions = student.get_parameter("encoder.embedding.positions.weight")
            positions += teacher.get_parameter("encoder.embedding.segments")[0]


def choose_layers(n_teacher: int, n_student: int) -> list[int]:
    """Return the teacher's layer for each of the student's, from the first to the last."""
    if n_student == 1:
        return [0]
    return [round(i * (n_teacher - 1) / (n_student - 1)) for i in range(n_student)]


def _check_same_shape(inputs: TaskInputs, teacher: Bundle) -> None:
    """Raises: ConfigError if the student cannot begin with the teacher's weights."""
    c, other = inputs.model_config, teacher.model_config
    pairs = {name: (getattr(c, name), getattr(other, name)) for name in SHAPE}
    different = [f"{name} {a} (the teacher: {b})" for name, (a, b) in pairs.items() if a != b]
    if c.n_encoder_layers > other.n_encoder_layers:
        different.append(f"{c.n_encoder_layers} layers (the teacher: {other.n_encoder_layers})")
    if c.n_segments and c.n_segments != other.n_segments:
        different.append(f"{c.n_segments} segments (the teacher: {other.n_segments})")
    if different:
        raise ConfigError(
            f"objective.initialize=teacher, but the student has {', '.join(different)}. Set"
            " objective.initialize=random, or use a student of the teacher's shape."
        )

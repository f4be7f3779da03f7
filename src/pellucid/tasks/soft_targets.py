"""Probabilities of trained classifiers as targets (Bucila et al. 2006; Hinton et al. 2015)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.errors import ConfigError
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.tasks.encoder import check_has_no_decoder
from pellucid.tasks.protocol import TaskInputs
from pellucid.tasks.text_pairs import TextRows, score_texts
from pellucid.text.compare import describe_difference


def check_teachers(
    inputs: TaskInputs, names: Sequence[str], head: str, labels: Sequence[str], problem: str
) -> None:
    """Check that a classifier can learn from its teachers.

    names: of the teachers. head, labels, problem: the student's head, as in `HeadConfig`.
    Raises: ConfigError naming what does not fit.
    """
    if names:
        check_has_no_decoder(inputs)
    for name, teacher in zip(names, inputs.teachers, strict=True):
        wrong = _describe_misfit(inputs, teacher, head, labels, problem)
        if wrong:
            raise ConfigError(f"objective.teachers: {name} {wrong}")


def mean_probabilities(
    teachers: Sequence[Model], rows: TextRows, head: str, temperature: float, are_binary: bool
) -> Tensor:
    """Return the teachers' mean probabilities (N, C) of the labels, without a gradient.

    are_binary: each label has a probability of its own.
    """
    total = torch.zeros((), device=rows.ids.device)
    with torch.no_grad():
        for teacher in teachers:
            logits = score_texts(teacher.to(rows.ids.device).eval(), rows, head) / temperature
            total = total + (logits.sigmoid() if are_binary else logits.softmax(-1))
    return total / len(teachers)


def soft_loss(
    logits: Tensor, probabilities: Tensor, temperature: float, are_binary: bool
) -> Tensor:
    """Return the cross-entropy with probabilities (N, C), summed: a scalar in float32.

    logits (N, C) are divided by the temperature; the sum is multiplied by its square, so that
    gradients keep their size.  Source: Hinton et al. 2015, section 2.
    """
    loss = F.binary_cross_entropy_with_logits if are_binary else F.cross_entropy
    summed = loss(logits.float() / temperature, probabilities, reduction="sum")
    return summed * temperature**2


def _describe_misfit(
    inputs: TaskInputs, teacher: Bundle, head: str, labels: Sequence[str], problem: str
) -> str:
    """Return why a teacher cannot be used, or an empty string."""
    config = teacher.model.head_configs.get(head)
    if config is None or teacher.model.decoder is not None:
        known = ", ".join(teacher.model.head_configs) or "none"
        return f"is no classifier on an encoder (its heads: {known}). Train one first."
    if config.labels != tuple(labels) or config.reading != problem:
        known = ", ".join(config.label_names)
        kind = " and predicts any number of them" if config.reading == "multi_label" else ""
        return f"has other labels ({known[:200]}{kind}) than the data ({', '.join(labels)[:200]})."
    difference = describe_difference(inputs.tokenizers.source, teacher.tokenizers.source)
    if difference:
        return (
            f"has another tokenizer than the student: {difference}. Train both on the same texts"
            " with the same tokenizer settings, or set tokenizer.path to the"
            " directory of the teacher's model."
        )
    if 0 < teacher.model_config.max_positions < inputs.config.data.max_length:
        return (
            f"has {teacher.model_config.max_positions} positions, but data.max_length="
            f"{inputs.config.data.max_length}. Use at most as many."
        )
    return ""

"""Build optimizers, and save and restore their state by parameter name."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pellucid.config.training import TrainingConfig

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(
    module: nn.Module, c: TrainingConfig, factors: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """Return Adam with L2 decay or AdamW with decoupled decay; biases and gains never decay.

    factors: by parameter name, a factor on the learning rate; 1 if it is left out.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            key = (parameter.ndim > 1, (factors or {}).get(name, 1.0))
            groups.setdefault(key, []).append(parameter)
    settings = [
        {"params": params, "weight_decay": c.weight_decay if decays else 0.0, "rate_factor": factor}
        for (decays, factor), params in groups.items()
    ]
    kind = OPTIMIZERS[c.optimizer]
    return kind(settings, lr=0.0, betas=c.betas, eps=c.eps, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate; each group has its factor of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]


def optimizer_tensors(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's state as `<parameter>.<slot>` tensors, for a checkpoint."""
    return {
        f"{name}.{slot}": torch.as_tensor(value)
        for name, parameter in module.named_parameters()
        for slot, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, module: nn.Module, tensors: dict[str, Tensor]
) -> None:
    """Restore the state that `optimizer_tensors` returned."""
    for name, parameter in module.named_parameters():
        slots = {
            key.removeprefix(f"{name}."): value
            for key, value in tensors.items()
            if key.rpartition(".")[0] == name
        }
        if slots:
            optimizer.state[parameter] = {
                slot: value.to(parameter.device, copy=True) for slot, value in slots.items()
            }

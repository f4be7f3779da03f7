"""Build optimizers, and save and restore their state by parameter name."""

import torch
from torch import Tensor, nn

from pellucid.config.training import TrainingConfig

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(module: nn.Module, c: TrainingConfig) -> torch.optim.Optimizer:
    """Return Adam with L2 decay or AdamW with decoupled decay; biases and gains never decay."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": c.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    kind = OPTIMIZERS[c.optimizer]
    return kind(groups, lr=0.0, betas=c.betas, eps=c.eps, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


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

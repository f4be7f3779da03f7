"""A model under FSDP2 in two processes, its gradients compared with those of the whole model."""

import sys

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from pellucid.config.model import ModelConfig
from pellucid.nn.model import build

CONFIG = ModelConfig(
    vocab_size=64,
    d_model=32,
    n_heads=4,
    d_ff=64,
    n_encoder_layers=2,
    n_decoder_layers=2,
    dropout=0.0,
)


class Objective(nn.Module):
    """As in the trainer: every parameter is reached through one forward."""

    def __init__(self) -> None:
        super().__init__()
        self.model = build(CONFIG, seed=3)

    def forward(self, ids: Tensor, keep: Tensor, target: Tensor) -> Tensor:
        return self.model.heads["lm"](self.model(ids, keep, target)).square().mean()


def main() -> float:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (2,))
    rng = torch.Generator().manual_seed(1)
    ids, target = (torch.randint(64, (4, n), generator=rng) for n in (7, 5))
    batch = ids, torch.arange(7) < torch.tensor([7, 5, 3, 6])[:, None], target
    whole, sharded = Objective(), Objective()
    for stack in (sharded.model.encoder, sharded.model.decoder):
        for layer in stack.layers:
            fully_shard(layer, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    whole(*batch).backward()
    sharded(*batch).backward()
    pairs = zip(sharded.parameters(), whole.parameters(), strict=True)
    max_difference = max(float((p.grad.full_tensor() - q.grad).abs().max()) for p, q in pairs)
    dist.destroy_process_group()
    return max_difference


if __name__ == "__main__":
    difference = main()
    print(f"largest difference of a gradient: {difference:.2e}", file=sys.stderr)
    sys.exit(difference > 1e-6)

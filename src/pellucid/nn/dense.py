"""The dense layer that sentence-transformers applies to a text's vector after pooling."""

from torch import Tensor, nn


class Dense(nn.Module):
    """activation(linear(x)), plus x itself, or a projection of it, if it has a residual."""

    def __init__(
        self, d_in: int, d_out: int, bias: bool, activation: nn.Module, residual: bool = False
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(d_in, d_out, bias)
        self.activation = activation
        self.has_residual = residual
        self.residual = nn.Linear(d_in, d_out, bias=False) if residual and d_in != d_out else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, d_in) -> (N, d_out)"""
        y: Tensor = self.activation(self.linear(x))  # (N, d_out)
        if not self.has_residual:
            return y
        return y + (x if self.residual is None else self.residual(x))

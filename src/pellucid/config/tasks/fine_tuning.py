"""Default training settings of every task that starts from a finished model."""

from typing import Any

from pellucid.config.tasks.encoders import ADAMW

FEW_EXAMPLES = 5_000
RATE, WIDTH = 5e-5, 768
"""The rate of BERT-base (Devlin et al. 2019, appendix A.3), and its width."""
MAX_RATE = 3e-4
"""The largest rate that Turc et al. 2019 tried for small BERTs."""
LORA_RATE = 5e-4
"""The rate of LoRA for RoBERTa-base (Hu et al. 2022, table 9)."""
WARMUP_SHARE = 0.06
"""Share of the updates with a rising rate (Liu et al. 2019, table 10)."""


def fine_tuning(n_examples: int, width: int, lora: bool = False) -> dict[str, Any]:
    """Return the settings for a number of training examples and a model width.

    lora: whether only LoRA's matrices and the heads are trained.

    With Adam, the best rate of hidden weights is proportional to 1 / width (Yang et al. 2021,
    table 3).
    """
    is_few = n_examples < FEW_EXAMPLES
    return {
        **ADAMW,
        "epochs": 10.0 if is_few else 3.0,
        "batch_examples": 16 if is_few else 32,
        "rate": LORA_RATE if lora else min(RATE * WIDTH / width, MAX_RATE),
        "patience": 3,
    }

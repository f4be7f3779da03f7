"""Checks and messages about encoded data, before the first update."""

import sys

from pellucid.config.run import RunConfig
from pellucid.data.batching import Order
from pellucid.data.store import ExampleStore
from pellucid.errors import ConfigError
from pellucid.training.epochs import count_updates, describe_batch


def check_fits(config: RunConfig, train: ExampleStore, validation: ExampleStore) -> None:
    """Raises: ConfigError naming an example that is too long for the model or for a batch."""
    batch = config.training.max_tokens or sys.maxsize
    positions = config.model.max_positions or sys.maxsize
    whole_batch = f"training.max_tokens={batch} allows for a whole batch. Raise it"
    model = f"the model's {positions} positions. Use a larger model.max_length"
    for store, bound, what in (
        (train, batch, whole_batch),
        (train, positions, model),
        (validation, positions, model),
    ):
        longest = store.lengths.max(axis=1)
        worst = int(longest.argmax())
        if longest[worst] > bound:
            raise ConfigError(
                f"{store.origin(worst)} has {longest[worst]} tokens on its longer side, special"
                f" tokens included, more than {what}, or lower data.max_length so that it is left"
                " out or cut."
            )


def summarize(config: RunConfig, train: ExampleStore, order: Order) -> str:
    """Return the numbers of examples, layers and updates, as a message."""
    model, c = config.model, count_updates(config.training, train.lengths, order)
    layers = f"{model.n_encoder_layers}+{model.n_decoder_layers} layers"
    left_out = "".join(f", {n:,} {reason}" for reason, n in train.left_out.items())
    return (
        f"{len(train):,} examples{left_out}; {layers}, d_model {model.d_model};"
        f" {c.max_updates:,} updates of {describe_batch(c)}"
    )

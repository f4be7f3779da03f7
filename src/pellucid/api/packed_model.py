"""A model with a copy that is packed for inference, and a decoder of it that calls can share."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

from pellucid.config.model import ModelConfig
from pellucid.decoding.session import Session
from pellucid.decoding.shared import SharedDecoder
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.pack_model import pack_model
from pellucid.nn.packed_linear import PackedType
from pellucid.nn.step_programs import add_compiled_step

MAX_ROWS = 256
"""Texts that are decoded together: more do not make a step faster by the text."""


class PackedModel:
    """A model as loaded, and packed."""

    bundle: Bundle
    model: Model
    _dtype: PackedType
    _session: Session | None = None

    def __repr__(self) -> str:
        n = sum(p.numel() for p in self.model.parameters())
        languages = "-".join(filter(None, self.bundle.languages))
        what = " ".join(filter(None, (self.bundle.family, self.bundle.task, languages)))
        return f"<{type(self).__name__} {what}, {n:,} parameters, {self._dtype}>"

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all but what is made for this process when first used."""
        return {name: x for name, x in vars(self).items() if name not in ("_packed", "_session")}

    @cached_property
    def _packed(self) -> Bundle:
        """The same with a model packed for inference, made when first used."""
        return replace(self.bundle, model=pack_model(self.model, self._dtype))

    def compile(self) -> None:
        """Decode with a step that is compiled for this CPU; of few texts it is much faster.

        Compiling takes about a minute at the first time; the result is kept in the cache.
        Raises: UsageError if the model cannot be compiled, or is not in fp32 or bf16 on the CPU;
        ResourceError if the compiler fails; VerificationError if the results differ.
        """
        device = next(self.model.parameters()).device.type
        if self._dtype == "int8" or device != "cpu":
            raise UsageError(
                f"compile is for fp32 and bf16 on the CPU, not for {self._dtype} on {device}. Leave"
                " it out."
            )
        add_compiled_step(self.model, self._packed.model)

    def shared_decoder(self, wake: Callable[[], None], cache_bytes: int = 1 << 30) -> SharedDecoder:
        """Return a decoder whose steps calls of several threads share; see `in_session`.

        wake: called when a call waits for its `step`. cache_bytes: keys and values of texts that
        are open at a time.
        """
        c = self.bundle.model_config
        width = c.n_heads * c.head_width if isinstance(c, ModelConfig) else c.d_model
        # Keys and values in float32, and a second buffer of them to reorder rows into.
        tokens = cache_bytes // (2 * 2 * c.n_decoder_layers * width * 4)
        return SharedDecoder(self._packed.model, wake, MAX_ROWS, tokens)

    def in_session(self, session: Session) -> Self:
        """Return this model, with searches that a session takes to its shared decoder."""
        other = object.__new__(type(self))  # `copy` would leave out what is not pickled
        vars(other).update(vars(self), _session=session)
        return other

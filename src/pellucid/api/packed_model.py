"""A model with a copy that is packed for inference, and a decoder of it that calls can share."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Self

from pellucid.config.model import ModelConfig
from pellucid.decoding.session import Session
from pellucid.decoding.shared import SharedDecoder
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.kernels import PackedType
from pellucid.nn.pack_model import pack_model

MAX_ROWS = 256
"""Texts that are decoded together: more do not make a step faster by the text."""


class PackedModel:
    """A model as loaded, and packed."""

    bundle: Bundle
    model: Model
    _dtype: PackedType
    _session: Session | None = None

    @cached_property
    def _packed(self) -> Bundle:
        """The same with a model packed for inference, made when first used."""
        return replace(self.bundle, model=pack_model(self.model, self._dtype))

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
        """Return this model, with searches that a session takes to its shared decoder.

        Calls of `translate` in threads need alignment=False: alignments listen to the model.
        """
        other = copy(self)
        other._session = session
        return other

"""A model with a copy that is packed for inference, and a decoder of it that calls can share."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Self

from pellucid.decoding.session import Session
from pellucid.decoding.shared import SharedDecoder
from pellucid.formats.bundle import Bundle
from pellucid.nn.base import Model
from pellucid.nn.kernels import PackedType
from pellucid.nn.pack_model import pack_model


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

    def shared_decoder(self, wake: Callable[[], None]) -> SharedDecoder:
        """Return a decoder whose steps calls of several threads share; see `in_session`.

        wake: called when a call waits for its `step`.
        """
        return SharedDecoder(self._packed.model, wake)

    def in_session(self, session: Session) -> Self:
        """Return this model, with searches that a session takes to its shared decoder.

        Calls of `translate` in threads need alignment=False: alignments listen to the model.
        """
        other = copy(self)
        other._session = session
        return other

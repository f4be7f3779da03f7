"""The models of a server, by name."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from pellucid.api import Loaded
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError
from pellucid.serve.engine import Engine
from pellucid.serve.errors import RequestError
from pellucid.serve.job import Work
from pellucid.serve.limits import Limits
from pellucid.serve.worker import SEARCHES

T = TypeVar("T")
R = TypeVar("R")
VERBS = (
    *("translate", "generate", "summarize", "classify", "tag", "answer", "similarity", "embed"),
    "fill",
)
"""Methods of a loaded model that take a list."""
SEARCH_SETTINGS = frozenset(each.name for each in fields(DecodingConfig))


class ServedModel:
    """A model with its name, and what it can do."""

    def __init__(self, model: Loaded, name: str, limits: Limits, n_processes: int = 0) -> None:
        """n_processes: as of `Engine`."""
        self.model = model
        self.name = name
        self.limits = limits
        self.created = int(time.time())
        self.engine = Engine(model, name, limits, n_processes)

    @cached_property
    def verbs(self) -> tuple[str, ...]:
        """What the model can do. A model that cannot do something refuses even an empty list."""
        return (*filter(self._can, VERBS), "trace")

    def check(self, verb: str, settings: Mapping[str, Any]) -> None:
        """Raises: UsageError or ConfigError if the model, settings or limits do not allow this."""
        if verb in SEARCHES:  # the model's own settings count where the request has none
            searched = {name: settings[name] for name in SEARCH_SETTINGS & settings.keys()}
            self.limits.check_search(self.model.decoding(**searched))
        if verb in VERBS:
            self._try(verb, settings)

    async def count_tokens(self, texts: Sequence[str]) -> int:
        """Return the number of tokens that the model reads."""
        return sum(await _in_thread(self._count, texts))

    async def check_lengths(self, texts: Sequence[str]) -> None:
        """Raises: UsageError if a text has more tokens than the server lets a model read."""
        limit, positions = self.limits.input_tokens, self.model.config.max_positions
        if 0 < positions <= limit:
            return
        for number, count in enumerate(await _in_thread(self._count, texts)):
            if count > limit:
                raise UsageError(
                    f"text {number} has {count:,} tokens, more than {limit:,}, this server's limit."
                    " Split it."
                )

    async def run(
        self, verb: str, inputs: Sequence[Any], settings: Mapping[str, Any], seconds: float
    ) -> list[Any]:
        """Return one result per input. Raises: as `check` and `Engine.run`."""
        deadline = time.monotonic() + seconds
        self.check(verb, settings)
        return await self.engine.run(Work(verb, inputs, settings, deadline))

    def _count(self, texts: Sequence[str]) -> list[int]:
        return [len(self.model.ids(text)) for text in texts]

    def _can(self, verb: str) -> bool:
        try:
            self._try(verb, {})
        except UsageError:
            return False
        return True

    def _try(self, verb: str, settings: Mapping[str, Any]) -> None:
        """Do nothing with a verb. Raises: as its method."""
        getattr(self.model, verb)([], **settings)


async def _in_thread(function: Callable[[T], R], argument: T) -> R:
    """Return a function's result from a thread, whose memory the request counts until it ends."""
    task = asyncio.ensure_future(asyncio.to_thread(function, argument))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


@dataclass(frozen=True)
class Models:
    """The models of a server."""

    by_name: Mapping[str, ServedModel]

    def choose(self, name: str, verb: str) -> ServedModel:
        """Return the model of a name; without a name, the only one that can do this.

        Raises: RequestError, status 404, if there is none; UsageError if there are several.
        """
        if name:
            return self.find(name)
        able = [model for model in self.by_name.values() if verb in model.verbs]
        if not able:
            raise RequestError(HTTPStatus.NOT_FOUND, f"no model of this server can {verb}.")
        if len(able) > 1:
            names = ", ".join(model.name for model in able)
            raise UsageError(f"several models can {verb}. Choose one with model: {names}.")
        return able[0]

    def check_open(self) -> None:
        """Raises: OverloadedError if the queues of all models are full."""
        engines = [model.engine for model in self.by_name.values()]
        if all(engine.is_full for engine in engines):
            for engine in engines:
                engine.outcomes["refused"] += 1
            engines[0].check_open()

    def find(self, name: str) -> ServedModel:
        """Return the model of a name. Raises: RequestError, status 404."""
        if name not in self.by_name:
            known = ", ".join(self.by_name)
            raise RequestError(
                HTTPStatus.NOT_FOUND, f"there is no model {name!r:.60}. Models: {known}."
            )
        return self.by_name[name]


def name_models(arguments: Sequence[str]) -> dict[str, str]:
    """Return the path of each model by its name: NAME=PATH, or the last part of a path.

    Raises: UsageError if a name occurs twice or cannot be part of an address.
    """
    paths: dict[str, str] = {}
    for argument in arguments:
        name, path = _split(argument)
        if not re.fullmatch(r"\w[\w.-]{0,63}", name):
            raise UsageError(
                f"{name[:80]!r} cannot be the name of a model: use letters, digits, `-`, `_` and"
                f" `.`. Choose a name: NAME={path}"
            )
        if name in paths:
            raise UsageError(
                f"two models have the name {name!r}: {paths[name]} and {path}. Choose another for"
                f" one of them: NAME={path}"
            )
        paths[name] = path
    return paths


def _split(argument: str) -> tuple[str, str]:
    name, equals, path = argument.partition("=")
    if equals and path and "/" not in name:
        return name, path
    path = Path(argument)
    name = (path.parent if path.name == "final" else path).name  # a finished run
    return re.sub(r"[^\w.-]+", "-", name), argument

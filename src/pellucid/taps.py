"""Taps: named places where a tensor passes and may be read or replaced.

A module owns a tap as a plain attribute (`self.weights = Tap()`), and calls it on the tensor worth
seeing (`weights = self.weights(weights)`). A tap is no `nn.Module`: it lives in the instance's
`__dict__`, has no parameters, and costs one `if` while nobody listens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from pellucid.errors import UsageError

Listener = Callable[[Any], Any]


class Tap:
    """Passes a tensor through, by way of its listener if there is one."""

    __slots__ = ("listener",)

    def __init__(self) -> None:
        self.listener: Listener | None = None

    def __call__(self, x: Any) -> Any:
        return x if self.listener is None else self.listener(x)

    def __deepcopy__(self, memo: dict) -> "Tap":
        return Tap()  # a copy of a model is not being listened to


def taps(model: Any) -> dict[str, Tap]:
    """Every tap of a model by its path, e.g. `decoder.layers.3.cross.inner.weights`."""
    found = {}
    for path, module in plain(model).named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tap):
                found[f"{path}.{name}" if path else name] = value
    return found


def plain(model: Any) -> Any:
    """The uncompiled module of a compiled one, or the module itself."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def edit(model: Any, pattern: str, fn: Callable[[str, Any], Any]) -> Iterator[list[str]]:
    """Let `fn(path, tensor)` replace what passes every tap whose path matches a glob pattern.

    Yields the matching paths. Listeners stack: an inner `edit` sees what an outer one made.
    Raises: UsageError if no tap matches.
    """
    chosen = {path: tap for path, tap in taps(model).items() if fnmatchcase(path, pattern)}
    if not chosen:
        known = ", ".join(sorted({path.rsplit(".", 1)[-1] for path in taps(model)}))
        raise UsageError(f"no tap matches {pattern!r}. The last parts of tap names are: {known}.")
    before = {path: tap.listener for path, tap in chosen.items()}
    for path, tap in chosen.items():
        tap.listener = _chain(before[path], path, fn)
    try:
        yield list(chosen)
    finally:
        for path, tap in chosen.items():
            tap.listener = before[path]


@contextmanager
def record(model: Any, pattern: str = "*") -> Iterator[dict[str, list[Any]]]:
    """Collect what passes every matching tap: path -> one tensor per call, in order of calls."""
    seen: dict[str, list[Any]] = {}

    def keep(path: str, x: Any) -> Any:
        seen.setdefault(path, []).append(x)
        return x

    with edit(model, pattern, keep):
        yield seen


def _chain(outer: Listener | None, path: str, fn: Callable[[str, Any], Any]) -> Listener:
    if outer is None:
        return lambda x: fn(path, x)
    return lambda x: fn(path, outer(x))

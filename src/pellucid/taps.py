"""Taps: named points in a model where a tensor can be read or replaced.

A module has a tap as a plain attribute (`self.weights = Tap()`) and calls it on a tensor
(`weights = self.weights(weights)`). A tap is not an `nn.Module`: it is in the instance's
`__dict__`, has no parameters, and costs one `if` without a listener.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from pellucid.errors import UsageError

Listener = Callable[[Any], Any]
Pattern = str | Callable[[str], bool]
"""A glob pattern of paths, or a function that says whether a path is meant."""


class Tap:
    """Returns its argument, or the listener's replacement of it."""

    __slots__ = ("listener",)

    def __init__(self) -> None:
        self.listener: Listener | None = None

    def __call__(self, x: Any) -> Any:
        return x if self.listener is None else self.listener(x)

    def __deepcopy__(self, memo: dict) -> "Tap":
        return Tap()  # copies of a model have no listeners


def taps(model: Any) -> dict[str, Tap]:
    """Return every tap of a model by its path, e.g. `decoder.layers.3.cross.inner.weights`."""
    by_path = {}
    for path, module in uncompiled(model).named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tap):
                by_path[f"{path}.{name}" if path else name] = value
    return by_path


def uncompiled(model: Any) -> Any:
    """Return the original module of a compiled one, or the module itself."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def edit(model: Any, pattern: Pattern, fn: Callable[[str, Any], Any]) -> Iterator[list[str]]:
    """Replace the tensor at every tap whose path matches a pattern by `fn(path, tensor)`.

    Yields the matching paths. Edits nest: an inner one gets the tensor that an outer one returned.
    Raises: UsageError if no tap matches.
    """
    matches = pattern if callable(pattern) else lambda path: fnmatchcase(path, pattern)
    chosen = {path: tap for path, tap in taps(model).items() if matches(path)}
    if not chosen:
        known = ", ".join(sorted({path.rsplit(".", 1)[-1] for path in taps(model)}))
        match = "is chosen" if callable(pattern) else f"matches {pattern!r}"
        raise UsageError(f"no tap {match}. The last parts of tap names are: {known}.")
    before = {path: tap.listener for path, tap in chosen.items()}
    for path, tap in chosen.items():
        tap.listener = _chain(before[path], path, fn)
    try:
        yield list(chosen)
    finally:
        for path, tap in chosen.items():
            tap.listener = before[path]


@contextmanager
def record(model: Any, pattern: Pattern = "*") -> Iterator[dict[str, list[Any]]]:
    """Collect the tensors at every matching tap: path -> one tensor per call, in order."""
    recorded: dict[str, list[Any]] = {}

    def append(path: str, x: Any) -> Any:
        recorded.setdefault(path, []).append(x)
        return x

    with edit(model, pattern, append):
        yield recorded


def _chain(outer: Listener | None, path: str, fn: Callable[[str, Any], Any]) -> Listener:
    if outer is None:
        return lambda x: fn(path, x)
    return lambda x: fn(path, outer(x))

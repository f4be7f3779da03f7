"""Taps: named points in a model where a tensor can be read or replaced.

A module has a tap as a plain attribute (`self.weights = Tap()`) and calls it on a tensor
(`weights = self.weights(weights)`). A tap is not an `nn.Module`: it is in the instance's
`__dict__`, has no parameters, and costs one `if` without a listener. A thread listens to its own
tensors alone: others may compute with the model meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from threading import Lock, get_ident
from typing import Any

from pellucid.errors import UsageError

Listener = Callable[[Any], Any]
Pattern = str | Callable[[str], bool]
"""A glob pattern of paths, or a function that says whether a path is meant."""


_CHANGES = Lock()
"""Held while listeners are added or removed."""


class Tap:
    """Returns its argument, or the listener's replacement of it."""

    __slots__ = ("listener",)

    def __init__(self) -> None:
        self.listener: _Listeners | None = None

    def __call__(self, x: Any) -> Any:
        listener = self.listener  # read once: another thread may remove it
        return x if listener is None else listener(x)

    def __deepcopy__(self, memo: dict) -> "Tap":
        return Tap()  # copies of a model have no listeners


class _Listeners:
    """What each thread does with the tensors that it computes."""

    def __init__(self, by_thread: Mapping[int, Listener]) -> None:
        self.by_thread = by_thread

    def __call__(self, x: Any) -> Any:
        listener = self.by_thread.get(get_ident())
        return x if listener is None else listener(x)


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
    They are those of this thread.
    Raises: UsageError if no tap matches.
    """
    matches = pattern if callable(pattern) else lambda path: fnmatchcase(path, pattern)
    chosen = {path: tap for path, tap in taps(model).items() if matches(path)}
    if not chosen:
        known = ", ".join(sorted({path.rsplit(".", 1)[-1] for path in taps(model)}))
        match = "is chosen" if callable(pattern) else f"matches {pattern!r}"
        raise UsageError(f"no tap {match}. The last parts of tap names are: {known}.")
    thread = get_ident()
    before = {path: _listeners(tap).get(thread) for path, tap in chosen.items()}
    _listen(thread, [(tap, _chain(before[path], path, fn)) for path, tap in chosen.items()])
    try:
        yield list(chosen)
    finally:
        _listen(thread, [(tap, before[path]) for path, tap in chosen.items()])


@contextmanager
def record(model: Any, pattern: Pattern = "*") -> Iterator[dict[str, list[Any]]]:
    """Collect the tensors at every matching tap: path -> one tensor per call, in order."""
    recorded: dict[str, list[Any]] = {}

    def append(path: str, x: Any) -> Any:
        recorded.setdefault(path, []).append(x)
        return x

    with edit(model, pattern, append):
        yield recorded


def _listeners(tap: Tap) -> Mapping[int, Listener]:
    return {} if tap.listener is None else tap.listener.by_thread


def _listen(thread: int, listeners: Sequence[tuple[Tap, Listener | None]]) -> None:
    """Set what a thread does at some taps; None: nothing."""
    with _CHANGES:
        for tap, listener in listeners:
            others = {t: each for t, each in _listeners(tap).items() if t != thread}
            by_thread = others if listener is None else others | {thread: listener}
            tap.listener = _Listeners(by_thread) if by_thread else None


def _chain(outer: Listener | None, path: str, fn: Callable[[str, Any], Any]) -> Listener:
    if outer is None:
        return lambda x: fn(path, x)
    return lambda x: fn(path, outer(x))

"""Words to options, by tyro; what it says about a mistake is cut to a few lines."""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any, TypeVar

import tyro

from pellucid.errors import UsageError

Options = TypeVar("Options")
MOST_LINES = 3
BOX = re.compile(r"[─-╿]+")


def parse(cls: type[Options], args: Sequence[str], verb: str) -> Options | None:
    """The options that the words give; None if they asked for help and got it on stdout.

    Raises: UsageError in a few lines, with what may have been meant.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                cls,
                args=list(args),
                prog=f"pellucid {verb}",
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff),
            )
    except SystemExit as stop:
        if not stop.code:
            return None
        raise UsageError(_condensed(said.getvalue(), verb)) from None


def given(instance: Any) -> dict[str, Any]:
    """The settings of a `partial` config that were given."""
    from pellucid.config.partial import given as found

    return found(instance)


def single(search: Any) -> dict[str, Any]:
    """The settings of a search that were given, for one text a source.

    Raises: UsageError if more were asked for.
    """
    settings = given(search)
    if settings.setdefault("n_best", 1) > 1:
        raise UsageError(
            f"--n-best {settings['n_best']}: only the best text of each source is measured. Leave"
            " it out."
        )
    return settings


def _condensed(said: str, verb: str) -> str:
    """The words of a framed message, without its frame and title."""
    lines = [BOX.sub("", line).strip() for line in said.split("\n")[1:]]
    words = [line for line in lines if line and not line.startswith("For full helptext")]
    text = " ".join(words)
    return f"{text[:600]}\nSee: pellucid {verb} --help"

"""How a run reports: progress bars on a terminal, plain lines elsewhere, or JSON lines."""

import contextlib
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LogFormat = Literal["text", "json"]


class SafeStderr:
    """Standard error for a process that must go on when nobody reads it any more.

    What cannot be written (a closed pipe, a terminal that is gone, a full disk) is dropped.
    """

    def __init__(self) -> None:
        self.stream = sys.stderr  # None if the process has none

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):  # ValueError: Python has closed it
            if self.stream is not None:
                self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self.stream is not None:
                self.stream.flush()

    def isatty(self) -> bool:
        return self.stream is not None and not self.stream.closed and self.stream.isatty()

    def __getattr__(self, name: str) -> Any:  # rich reads encoding, fileno and others
        return getattr(self.stream, name)


class Reporter:
    """Plain lines on stderr; the base of the others, and what a log file or a pipe sees."""

    def begin(self, what: str, done: int, total: int) -> None:
        """Begin work that goes from `done` to `total`, e.g. training, counted in updates."""

    def advance(self, done: int) -> None:
        """Report how much is done."""

    def say(self, message: str) -> None:
        """Report a message."""
        print(message, file=SafeStderr(), flush=True)

    def scores(self, record: dict[str, float]) -> None:
        """Report metrics of training or validation."""
        self.say(format_metrics(record))

    def end(self) -> None:
        """End the work, whether it succeeded or not."""


class Quiet(Reporter):
    """Reports nothing: for processes other than the first, and for callers from Python."""

    def say(self, message: str) -> None:
        pass


class JsonLines(Reporter):
    """One JSON object a line on stderr, for other programs."""

    def say(self, message: str) -> None:
        super().say(json.dumps({"message": message}, ensure_ascii=False))

    def scores(self, record: dict[str, float]) -> None:
        super().say(json.dumps(record))


class LogFile(Quiet):
    """Every line with its time, appended to a file, whatever the terminal shows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, message: str) -> None:
        line = f"{datetime.now():%Y-%m-%d %H:%M:%S}  {message}\n"
        # A full disk must not end a training here: saving says so where it matters.
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(line)


class Tee(Reporter):
    """Several reporters as one."""

    def __init__(self, *reporters: Reporter) -> None:
        self.reporters = reporters

    def begin(self, what: str, done: int, total: int) -> None:
        for reporter in self.reporters:
            reporter.begin(what, done, total)

    def advance(self, done: int) -> None:
        for reporter in self.reporters:
            reporter.advance(done)

    def say(self, message: str) -> None:
        for reporter in self.reporters:
            reporter.say(message)

    def scores(self, record: dict[str, float]) -> None:
        for reporter in self.reporters:
            reporter.scores(record)

    def end(self) -> None:
        for reporter in self.reporters:
            reporter.end()


class Bar(Reporter):
    """A progress bar with the remaining time and the latest metrics."""

    def __init__(self) -> None:
        self.console = Console(file=cast(IO[str], SafeStderr()))
        self.progress: Progress | None = None

    def begin(self, what: str, done: int, total: int) -> None:
        self.progress = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("<"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            speed_estimate_period=60,
        )
        self.task = self.progress.add_task("", total=total, completed=done, figures="")
        self.progress.start()

    def advance(self, done: int) -> None:
        if self.progress is not None:
            self.progress.update(self.task, completed=done)

    def say(self, message: str) -> None:
        self.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def scores(self, record: dict[str, float]) -> None:
        if "valid_loss" in record or self.progress is None:
            self.say(format_metrics(record))
        else:
            figures = f"loss {record['loss']:.3f}  {record['tokens_per_second']:,.0f} tok/s"
            self.progress.update(self.task, figures=figures)

    def end(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def reporter(log_format: LogFormat = "text") -> Reporter:
    """Return the reporter that fits where stderr goes."""
    if log_format == "json":
        return JsonLines()
    return Bar() if SafeStderr().isatty() else Reporter()


def format_metrics(record: dict[str, float]) -> str:
    """Format metrics as `step 100  loss 4.123  ...`."""
    return "  ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in record.items())


def _short(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6f}" if abs(value) < 0.1 else f"{value:.3f}"

"""Reporters of a run: a progress bar on a terminal, plain lines elsewhere, or JSON lines."""

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
    """Standard error that never fails.

    Output that cannot be written (closed pipe or terminal, full disk) is dropped.
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
    """Prints plain lines on stderr. Base class of the other reporters."""

    def start(self, task: str, completed: int, total: int) -> None:
        """Start the progress of a task such as training: `completed` of `total` steps are done."""

    def advance(self, completed: int) -> None:
        """Set the number of completed steps."""

    def log(self, message: str) -> None:
        """Log a message."""
        print(message, file=SafeStderr(), flush=True)

    def log_metrics(self, record: dict[str, float]) -> None:
        """Log metrics of training or validation."""
        self.log(format_metrics(record))

    def stop(self) -> None:
        """Stop the progress, also after an error."""


class Quiet(Reporter):
    """Reports nothing. For calls from Python, and for all processes but the first."""

    def log(self, message: str) -> None:
        pass


class JsonLines(Reporter):
    """Prints one JSON object per line on stderr."""

    def log(self, message: str) -> None:
        super().log(json.dumps({"message": message}, ensure_ascii=False))

    def log_metrics(self, record: dict[str, float]) -> None:
        super().log(json.dumps(record))


class LogFile(Quiet):
    """Appends every line to a file, with its time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def log(self, message: str) -> None:
        line = f"{datetime.now():%Y-%m-%d %H:%M:%S}  {message}\n"
        # Training must not end here if the disk is full: saving a checkpoint raises that error.
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(line)


class Tee(Reporter):
    """Forwards to several reporters."""

    def __init__(self, *reporters: Reporter) -> None:
        self.reporters = reporters

    def start(self, task: str, completed: int, total: int) -> None:
        for reporter in self.reporters:
            reporter.start(task, completed, total)

    def advance(self, completed: int) -> None:
        for reporter in self.reporters:
            reporter.advance(completed)

    def log(self, message: str) -> None:
        for reporter in self.reporters:
            reporter.log(message)

    def log_metrics(self, record: dict[str, float]) -> None:
        for reporter in self.reporters:
            reporter.log_metrics(record)

    def stop(self) -> None:
        for reporter in self.reporters:
            reporter.stop()


class ProgressBar(Reporter):
    """Shows a progress bar with the remaining time and the latest metrics."""

    def __init__(self) -> None:
        self.console = Console(file=cast(IO[str], SafeStderr()))
        self.progress: Progress | None = None

    def start(self, task: str, completed: int, total: int) -> None:
        self.progress = Progress(
            TextColumn(task),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("<"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
            console=self.console,
            speed_estimate_period=60,
        )
        self.task = self.progress.add_task("", total=total, completed=completed, metrics="")
        self.progress.start()

    def advance(self, completed: int) -> None:
        if self.progress is not None:
            self.progress.update(self.task, completed=completed)

    def log(self, message: str) -> None:
        self.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def log_metrics(self, record: dict[str, float]) -> None:
        if "valid_loss" in record or self.progress is None:
            self.log(format_metrics(record))
        else:
            metrics = f"loss {record['loss']:.3f}  {record['tokens_per_second']:,.0f} tok/s"
            self.progress.update(self.task, metrics=metrics)

    def stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def choose_reporter(log_format: LogFormat = "text") -> Reporter:
    """Return the reporter for a log format, and for whether stderr is a terminal."""
    if log_format == "json":
        return JsonLines()
    return ProgressBar() if SafeStderr().isatty() else Reporter()


def format_metrics(record: dict[str, float]) -> str:
    """Format metrics as `step 100  loss 4.123  ...`."""
    return "  ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in record.items())


def _short(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6f}" if abs(value) < 0.1 else f"{value:.3f}"

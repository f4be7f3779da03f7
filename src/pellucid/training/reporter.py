"""How a run tells what it does: bars on a terminal, plain lines elsewhere, or JSON lines."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Literal

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


class Reporter:
    """Plain lines on stderr; the base of the others, and what a log file or a pipe sees."""

    def begin(self, done: int, total: int) -> None:
        """Training goes from update `done` to `total`."""

    def advance(self, step: int) -> None:
        """Update `step` is done."""

    def say(self, message: str) -> None:
        """Something worth a line."""
        print(message, file=sys.stderr, flush=True)

    def scores(self, record: dict[str, float]) -> None:
        """Figures of training or validation."""
        self.say(line_of(record))

    def end(self) -> None:
        """Training is over, well or not."""


class Quiet(Reporter):
    """Says nothing: for processes other than the first, and for callers from Python."""

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
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {message}\n")


class Tee(Reporter):
    """Tells several reporters the same."""

    def __init__(self, *reporters: Reporter) -> None:
        self.reporters = reporters

    def begin(self, done: int, total: int) -> None:
        for reporter in self.reporters:
            reporter.begin(done, total)

    def advance(self, step: int) -> None:
        for reporter in self.reporters:
            reporter.advance(step)

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
    """A progress bar with the time to go, and the latest figures beside it."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.progress: Progress | None = None

    def begin(self, done: int, total: int) -> None:
        self.progress = Progress(
            TextColumn("training"),
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

    def advance(self, step: int) -> None:
        if self.progress is not None:
            self.progress.update(self.task, completed=step)

    def say(self, message: str) -> None:
        self.console.print(message, markup=False, highlight=False)

    def scores(self, record: dict[str, float]) -> None:
        if "valid_loss" in record or self.progress is None:
            self.say(line_of(record))
        else:
            figures = f"loss {record['loss']:.3f}  {record['tokens_per_second']:,.0f} tok/s"
            self.progress.update(self.task, figures=figures)

    def end(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def reporter(log_format: LogFormat = "text") -> Reporter:
    """The one that fits where stderr goes."""
    if log_format == "json":
        return JsonLines()
    return Bar() if sys.stderr.isatty() else Reporter()


def line_of(record: dict[str, float]) -> str:
    """`step 100  loss 4.123  ...`, numbers at a width that can be read."""
    return "  ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in record.items())


def _short(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6f}" if abs(value) < 0.1 else f"{value:.3f}"

"""`pellucid data check`: everything that is wrong with parallel text, in one pass."""

from dataclasses import dataclass

from pellucid.cli.parse import positional
from pellucid.config.data import DataConfig
from pellucid.errors import DataError


@dataclass(frozen=True)
class Options:
    """Report each fault of parallel text by file, line and byte, and count them.

    pellucid data check my.en my.de
    """

    files: tuple[str, ...] = positional()
    """Two aligned text files, or one .tsv or .jsonl; .gz is read as is; - is standard input."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is a fault."""


def run(options: Options) -> int:
    """Print the report. Raises: DataError if training on this text would stop with an error."""
    from pellucid.data.check import check

    report = check(options.files, DataConfig(max_line_bytes=options.max_line_bytes))
    for line in report.lines():
        print(line)
    if report.fatal:
        errors = sum(fault.fatal for fault in report.faults)
        raise DataError(
            f"{errors} or more errors: training on this text would stop at the first. The lines"
            " above that begin with `error` say where and what to do."
        )
    return 0

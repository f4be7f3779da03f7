"""Errors that a user can fix, each with the exit code of the command line.

A message says what happened, where (file and line, or field), why, and what to do about it.
"""


class PellucidError(Exception):
    """Base of every error that a user can fix."""

    exit_code = 1


def is_rust_panic(error: BaseException) -> bool:
    """Return whether a Rust library panicked: a BaseException whose class no module exports."""
    return type(error).__name__ == "PanicException"


class UsageError(PellucidError):
    """The command or call itself is wrong: an unknown name, a missing argument."""

    exit_code = 2


class DataError(PellucidError):
    """A file or text cannot be used: missing, unreadable, malformed, misaligned."""

    exit_code = 3


class ConfigError(PellucidError):
    """A setting is unknown, impossible, or contradicts another."""

    exit_code = 4


class ResourceError(PellucidError):
    """The machine lacks something: memory, disk, a device, a free run directory."""

    exit_code = 5


class VerificationError(PellucidError):
    """A file's content is not what its manifest or its format requires."""

    exit_code = 6

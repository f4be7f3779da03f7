"""`pellucid VERB ...`: runs the verb's file; an error becomes a few lines and an exit code.

Exit codes: 0 ok, 1 internal, 2 usage, 3 data or file, 4 config, 5 resource, 6 verification,
129 SIGHUP, 130 SIGINT, 141 closed pipe, 143 SIGTERM.
"""

import contextlib
import io
import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise

from pellucid import __version__
from pellucid.cli.faults import SIGINT_CODE, SIGPIPE_CODE, Stopped, convert_errors, stop_on_signals
from pellucid.errors import PellucidError, ResourceError, UsageError

# Verb -> (module, description).
VERBS = {
    "init": ("init", "print a commented config file"),
    "train": ("train", "train a model, or resume a run"),
    "translate": ("translate", "translate lines from standard input to standard output"),
    "evaluate": ("evaluate", "metrics of a model on a test set, or of finished translations"),
    "score": ("score", "log-probability of given translations, line by line"),
    "generate": ("generate", "continue lines of standard input"),
    "fill": ("fill", "words for the mask tokens in lines of standard input"),
    "summarize": ("summarize", "a summary of each line of standard input"),
    "classify": ("classify", "a label for each line of standard input"),
    "tag": ("tag", "a tag for each word of lines of standard input"),
    "answer": ("answer", "an answer to the question in each line of standard input"),
    "similarity": ("similarity", "how similar the two texts of each line are"),
    "embed": ("embed", "a vector for each line of standard input"),
    "trace": ("trace", "every intermediate result of one text"),
    "explore": ("explore", "a page that shows what a model computes for a text"),
    "serve": ("serve", "models behind HTTP"),
    "info": ("info", "this machine, a model, or a family"),
    "verify": ("verify", "check that files are what was saved"),
    "import": ("import_model", "check a downloaded model and add a manifest"),
    "export": ("export_model", "write a model in the layout of other tools"),
    "average": ("average", "average checkpoints into a model"),
    "bench": ("bench", "measure the speed of a translator here"),
    "data check": ("data_check", "find everything that is wrong with data"),
    "data build": ("data_build", "tokenizer and encoded data of a run, without training"),
    "tokenizer train": ("tokenizer_train", "train a tokenizer on text"),
}
GROUPS = {verb.split()[0] for verb in VERBS if " " in verb}
MOST_LINES = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors are printed, not raised."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    require_checksum = "--require-checksum" in args
    args = [arg for arg in args if arg not in ("--debug", "--require-checksum")]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # text is UTF-8 in a C locale too
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with stop_on_signals(), convert_errors(), checksum_required(require_checksum):
            if sys.stdout is None:
                raise ResourceError(
                    "standard output is closed, so results cannot be written. Send it to a file or"
                    " to /dev/null."
                )
            code = dispatch(args)
            sys.stdout.flush()
            return code
    except PellucidError as error:
        _report(error, debug, _logs_json(args))
        return error.exit_code
    except BrokenPipeError:
        _discard_stdout()
        return SIGPIPE_CODE
    except KeyboardInterrupt:
        return SIGINT_CODE
    except Stopped as stopped:
        return stopped.code


@contextlib.contextmanager
def checksum_required(required: bool) -> Iterator[None]:
    """Within the block, refuse models without a manifest, in this process and its children."""
    if not required:
        yield
        return
    from pellucid.manifest import REQUIRE  # slow to import

    before = os.environ.get(REQUIRE)
    os.environ[REQUIRE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[REQUIRE]


def dispatch(args: list[str]) -> int:
    """Parse the options of a verb and run it."""
    if args[:1] in (["--help"], ["-h"], ["help"]):
        print(overview())
        return 0
    if args == ["--version"]:
        print(f"pellucid {__version__}")
        return 0
    verb, rest = _verb(args)
    module = import_module(f"pellucid.cli.{VERBS[verb][0]}")
    from pellucid.cli.parse import parse

    options = parse(module.Options, rest, verb)
    return 0 if options is None else module.run(options) or 0


def overview(group: str = "") -> str:
    """Return the help for all verbs, or those of one group."""
    chosen = {verb: text for verb, (_, text) in VERBS.items() if verb.startswith(group)}
    width = max(map(len, chosen))
    lines = [f"  {verb:{width}}  {text}" for verb, text in chosen.items()]
    return "\n".join(
        [
            f"usage: pellucid {group or 'VERB'} ... [--debug] [--require-checksum]",
            "",
            *lines,
            "",
            "`pellucid VERB --help` shows a verb's options; --debug prints tracebacks;",
            "--require-checksum refuses a model without a checksum manifest.",
        ]
    )


def _verb(args: list[str]) -> tuple[str, list[str]]:
    for words in (2, 1):
        verb = " ".join(args[:words])
        if verb in VERBS:
            return verb, args[words:]
    if args and args[0] in GROUPS:
        if args[1:2] in (["--help"], ["-h"]):
            print(overview(args[0]))
            raise Stopped(0)
        known = [verb for verb in VERBS if verb.startswith(args[0])]
        raise UsageError(f"`pellucid {args[0]}` needs one more word: {' or '.join(known)}.")
    raise _unknown(args)


def _unknown(args: list[str]) -> UsageError:
    if not args:
        return UsageError(f"a verb is missing. Known: {', '.join(VERBS)}. See: pellucid --help.")
    close = get_close_matches(" ".join(args[:2])[:40], VERBS, n=1)
    close = close or get_close_matches(args[0][:40], VERBS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UsageError(f"{args[0][:60]!r} is not a verb.{hint} See: pellucid --help.")


def _logs_json(args: list[str]) -> bool:
    """Return whether `--log-format json` is among the arguments, which may be invalid."""
    return "--log-format=json" in args or ("--log-format", "json") in pairwise(args)


def _report(error: PellucidError, debug: bool, as_json: bool) -> None:
    """Write an error to standard error, if anybody reads it."""
    lines = [line for line in str(error).split("\n") if line.strip()][:MOST_LINES]
    trace = "".join(traceback.format_exception(error)) if debug else ""
    if as_json:
        record = {"error": "\n".join(lines), "exit_code": error.exit_code}
        text = json.dumps(record | ({"traceback": trace} if debug else {}), ensure_ascii=False)
    else:
        text = trace + "pellucid: " + "\n".join(lines)
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def _discard_stdout() -> None:
    """Discard the buffer of stdout: Python flushes it at exit, an error on a closed pipe."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # not a real file, in a test
        return

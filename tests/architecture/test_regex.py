"""C4: no regular expression of the package can be made slow.

Authority: the structure of the pattern as Python parses it, and a clock on hostile text.
"""

import ast
import re
import time
from re import _constants, _parser  # pyright: ignore[reportAttributeAccessIssue]

import pytest

from architecture import walk

CALLS = ("compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
LENGTHS = (5_000, 100_000)  # the first soon finds what the second would take minutes over
SLOWEST = 0.05
UNITS = ["a", "A", "0", " ", "\t", "\n", "\r", "-", "_", ".", ",", "!", "'", '"', "/", "e", "1e"]
UNITS += [
    "a.",
    "a ",
    "1.",
    "0-",
    "-1",
    "\n ",
    "é",
    "我",
    "。",
    "e\u0301",
    "😀",
    "\u200d",
    "<s>",
    "</",
]
TAILS = ["", "!", "\n", "x\n"]
HOSTILE = [(unit, tail) for unit in UNITS for tail in TAILS]


def patterns():
    """(module:line, argument) of each call of a function of `re`."""
    for module, node in walk.nodes():
        if isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func)
            if called.startswith("re.") and called[3:] in CALLS:
                yield f"{module}:{node.lineno}", node.args[0]


def text_of(argument):
    """The literal pattern; a value in an f-string counts as one letter."""
    if isinstance(argument, ast.Constant):
        return argument.value
    if isinstance(argument, ast.JoinedStr):
        return "".join(p.value if isinstance(p, ast.Constant) else "x" for p in argument.values)
    return None


def nested_quantifier(parsed, inside=False):
    """Whether an unbounded repeat stands in another: (a+)*, where time may double by the letter."""
    for op, argument in parsed:
        if op in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            endless = argument[1] == _constants.MAXREPEAT
            if (endless and inside) or nested_quantifier(argument[2], inside or endless):
                return True
        elif op is _constants.BRANCH:
            if any(nested_quantifier(branch, inside) for branch in argument[1]):
                return True
        elif op is _constants.SUBPATTERN and nested_quantifier(argument[3], inside):
            return True
    return False


def test_patterns_are_literal_and_flat():
    offenders = []
    for where, argument in patterns():
        text = text_of(argument)
        if text is None:
            offenders.append(f"{where}: write the pattern in place of {ast.unparse(argument)}")
        elif nested_quantifier(_parser.parse(text)):
            offenders.append(f"{where}: nested quantifiers in {text!r}")
    assert not offenders


@pytest.mark.timeout(600)
def test_patterns_are_quick_on_hostile_text():
    offenders = []
    for where, argument in patterns():
        offenders += [f"{where}: {slow}" for slow in slow_on(re.compile(text_of(argument)))]
    assert not offenders


def slow_on(pattern):
    """What the pattern is slow on; the first that is found, as others could take minutes."""
    for length in LENGTHS:
        for unit, tail in HOSTILE:
            text = unit * (length // len(unit)) + tail
            took = seconds(pattern, text)
            if took > SLOWEST:  # or the machine was busy
                took = min(took, seconds(pattern, text))
            if took > SLOWEST:
                return [f"{pattern.pattern!r}: {took:.2f} s on {length} of {unit!r}"]
    return []


def seconds(pattern, text):
    began = time.process_time()
    pattern.search(text)
    return time.process_time() - began


@pytest.mark.parametrize(("text", "bad"), [("(a+)*", True), ("(?:a|b+)+", True), ("a+b*", False)])
def test_the_check_itself_works(text, bad):  # authority: the textbook's examples
    assert nested_quantifier(_parser.parse(text)) is bad

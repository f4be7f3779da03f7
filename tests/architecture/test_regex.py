"""C4: no regular expression of ours can be made slow.

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
    found = []
    for module, tree in walk.modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                called = ast.unparse(node.func)
                if called.startswith("re.") and called[3:] in CALLS:
                    found.append(pytest.param(node.args[0], id=f"{module}:{node.lineno}"))
    return found


def text_of(argument):
    """The literal; what an f-string fills in is taken for one letter."""
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


@pytest.mark.parametrize("argument", patterns())
def test_patterns_are_literal_and_flat(argument):
    text = text_of(argument)
    assert text is not None, f"write the pattern where it is used, not {ast.unparse(argument)}"
    assert not nested_quantifier(_parser.parse(text)), f"nested quantifiers in {text!r}"


@pytest.mark.parametrize("argument", patterns())
def test_patterns_are_quick_on_hostile_text(argument):
    pattern = re.compile(text_of(argument))
    for length in LENGTHS:
        for unit, tail in HOSTILE:
            text = unit * (length // len(unit)) + tail
            took = min(seconds(pattern, text) for _ in range(2))
            assert took <= SLOWEST, f"{pattern.pattern!r}: {took:.2f} s on {length} of {unit!r}"


def seconds(pattern, text):
    began = time.process_time()
    pattern.search(text)
    return time.process_time() - began


@pytest.mark.parametrize(("text", "bad"), [("(a+)*", True), ("(?:a|b+)+", True), ("a+b*", False)])
def test_the_check_itself_works(text, bad):  # authority: the textbook's examples
    assert nested_quantifier(_parser.parse(text)) is bad

"""STYLE.md's language rules, as far as a list of words can check them.

Names: every function, class, parameter and variable of the package. Prose: every comment, docstring
and message. A word that a list cannot judge (a metaphor, an inversion) is for the reviewer.
"""

import ast
import io
import re
import tokenize

from architecture import walk

NAMES = re.compile(
    r"(?:^|_)(?:found|told|said|says|given|theirs|ours|mine|begun|anew|asked|wanted|made|gone"
    r"|spoken|speak|talks|talkative|journey|travel|team|together|ledger|book|door|house|own|onward)"
    r"(?:_|$)"
)
PRESCRIBED = ("connection_made",)  # a method of asyncio's protocols
PROSE = re.compile(
    r"\b(?:anew|mends?|mended|vouch(?:es|ed)?|hang on|to be had|takes? no notice|onward|journey"
    r"|ledger|talkative|on paper|of ours|beside (?:it|them|us)|lest|whence|hitherto|nought)\b",
    re.IGNORECASE,
)


def names_in(tree):
    """(line, name) wherever a name is given to something."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def banned_names():
    for module, tree in walk.modules().items():
        for line, name in names_in(tree):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
            if NAMES.search(words) and name not in PRESCRIBED:
                yield f"{module}:{line}: {name}"


def banned_prose():
    for path in walk.files():
        for token in tokenize.tokenize(io.BytesIO(path.read_bytes()).readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING):
                for match in PROSE.finditer(token.string):
                    line = token.start[0] + token.string.count("\n", 0, match.start())
                    yield f"{walk.name_of(path)}:{line}: {match[0]}"


def test_names_are_plain():
    offenders = list(banned_names())
    assert not offenders, offenders


def test_prose_is_plain():
    offenders = list(banned_prose())
    assert not offenders, offenders


def test_the_lists_work():  # authority: by hand
    tree = ast.parse("def f(theirs):\n    wholeFound = 1\n    x.they_said = found\n")
    names = [name for _, name in names_in(tree)]
    assert names == ["f", "theirs", "wholeFound", "they_said"]
    assert PROSE.search("Get the directory anew.")
    assert not PROSE.search("recommends a renewed amendment")

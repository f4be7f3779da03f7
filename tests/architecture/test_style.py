"""STYLE.md's countable rules: one test per rule, which lists every offender."""

import ast
import re
from dataclasses import fields

import pytest

from architecture import walk
from pellucid.config.model import ModelConfig

LONGEST_FILE = 250
LONGEST_FUNCTION = 40
MOST_PARAMETERS = 5
MOST_MODEL_FIELDS = 34
PUBLISHED_FAMILIES = re.compile(
    r"bert|electra|marian|pegasus|xlnet|transformer.?xl|(?<![a-z])(?:gpt|ctrl|m?bart|m2m|nllb|m?t5)(?![a-z])",
    re.IGNORECASE,
)


def test_files_are_short():
    lengths = {walk.name_of(path): path.read_bytes().count(b"\n") for path in walk.files()}
    assert not {name: n for name, n in lengths.items() if n > LONGEST_FILE}


def test_functions_are_short():
    lengths = {}
    for name, function in walk.functions():
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lengths[name] = body[-1].end_lineno - body[0].lineno + 1 if body else 0
    assert not {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION}


def test_functions_take_few_parameters():
    """More are a dataclass; the public verbs name each option as a keyword instead."""
    counts = {}
    for name, function in walk.functions():
        a = function.args
        options = () if name.startswith("api.") else a.kwonlyargs
        names = [p.arg for p in (*a.posonlyargs, *a.args, *options)]
        counts[name] = len([p for p in names if p not in ("self", "cls")])
    assert not {name: n for name, n in counts.items() if n > MOST_PARAMETERS}


def test_blocks_name_no_family():
    """Outside `Source:` lines."""
    offenders = []
    for path in sorted((walk.SOURCE / "nn").rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if "Source:" not in line and (match := PUBLISHED_FAMILIES.search(line)):
                offenders.append(f"nn/{path.name}:{number}: {match[0]}")
    assert not offenders


def test_the_model_has_few_fields():
    assert len(fields(ModelConfig)) <= MOST_MODEL_FIELDS


def test_banned_constructs():
    """Rules 1, 5 and 9 of the reliability page, and no error that is swallowed."""
    assert not [
        f"{module}:{node.lineno}: {banned}"  # pyright: ignore[reportAttributeAccessIssue]
        for module, node in walk.nodes()
        for banned in banned_in(node)
        # The one guarded place.
        if not (module == "formats.pickles" and reads_tensors_only(node))
    ]


def reads_tensors_only(node):
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "torch.load"
        and any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords)
    )


def banned_in(node):
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
        for name in names:
            if name.split(".")[0] in ("pickle", "cPickle", "dill", "marshal", "shelve", "joblib"):
                yield f"{name} can run code from a file"
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called in ("eval", "exec", "compile", "__import__", "torch.load", "torch.save"):
            yield f"{called}() is banned"
        if called.endswith(".splitlines"):
            yield "splitlines() cuts at characters that are no line ends: split at \\n"
        if called in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
            yield f"{called}() reads more than plain data: use config.read"
        if any(k.arg == "allow_pickle" and k.value.value for k in node.keywords):
            yield "allow_pickle can run code from a file"
    if isinstance(node, ast.ExceptHandler) and (
        node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
    ):
        last = node.body[-1]
        if not isinstance(last, ast.Raise):
            yield "a broad except that does not raise hides our own mistakes"


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "from joblib import load",
        "eval(x)",
        "torch.load(f)",
        "text.splitlines()",
        "yaml.load(f)",
        "np.load(f, allow_pickle=True)",
        "try:\n    f()\nexcept Exception:\n    pass",
    ],
)
def test_the_ban_itself_works(bad):  # authority: each banned construct, by hand
    assert any(list(banned_in(node)) for node in ast.walk(ast.parse(bad)))


def test_the_ban_lets_the_ordinary_pass():  # authority: by hand
    good = "model.eval(); text.split(); re.compile('a'); np.load(f, allow_pickle=False)"
    assert not any(list(banned_in(node)) for node in ast.walk(ast.parse(good)))

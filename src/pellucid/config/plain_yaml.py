"""YAML as plain data: the scalars of version 1.2, without anchors, tags or aliases."""

import re
from typing import Any, NoReturn

import yaml

from pellucid.errors import ConfigError

MAX_DEPTH = 32

# YAML 1.2, not 1.1: there the language code `no` is false, 1e-9 is text, and 1:30 is ninety.
SCALARS = (
    ("null", re.compile(r"^(?:~|null|)$"), ("~", "n", "")),
    ("bool", re.compile(r"^(?:true|false)$"), tuple("tf")),
    ("int", re.compile(r"^[-+]?(?:0|[1-9][0-9_]*)$"), tuple("-+0123456789")),
    (
        "float",
        re.compile(
            r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$",
        ),
        tuple("-+.0123456789"),
    ),
)


def load(text: str, where: str) -> Any:
    """Return the plain data in a YAML text.

    Raises: ConfigError with the line if it is malformed, repeats a key, or is not plain.
    """
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{where}:{line}: {error.problem or error.context}.") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{where}:{line}: holds U+{error.character:04X}, a character that YAML does not allow."
        ) from None
    except ValueError:  # Python's own limit on digits
        raise ConfigError(f"{where}: holds an integer of thousands of digits.") from None
    finally:
        if loader is not None:
            loader.dispose()


def dump(data: Any) -> str:
    """Return plain data as YAML that `load` reads back unchanged, keys in their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=96)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 - as in PyYAML
    levels = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            _refuse("anchors (&) and aliases (*) are not read: write the value itself", event)
        if event.tag is not None:
            _refuse("tags (!) are not read: write the plain value", event)
        self.levels += 1
        if self.levels > MAX_DEPTH:
            _refuse("nested too deeply", event)
        node = super().compose_node(parent, index)
        self.levels -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                _refuse("a setting's name must be text", key)
            if key.value in seen:
                _refuse(f"the key {key.value[:80]!a} occurs twice: keep one", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Has the resolvers of YAML 1.1 too: it quotes what either version would misread."""


def _refuse(problem: str, place: Any) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


def _flow_list(dumper: _Dumper, items: Any) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    """Represent text; Unicode line breaks, which a reader would fold, are escaped."""
    style = '"' if any(c in text for c in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


for _tag, _pattern, _first in SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))
for _list in (list, tuple):
    _Dumper.add_representer(_list, _flow_list)
_Dumper.add_representer(str, _text)

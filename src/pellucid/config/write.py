"""From configs to YAML: resolved, as saved with a run, or commented, as a file to begin with."""

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, get_type_hints

from pellucid.config import plain_yaml
from pellucid.config.docs import choices, field_docs
from pellucid.config.sections import inside

WIDTH = 96
CHOICE = "Left out, it is chosen by size, text and machine: this is but an example."


def dump_yaml(config: Any) -> str:
    """Every setting in the order of its declaration; `read_yaml` and `build` give it back."""
    return plain_yaml.dump(asdict(config))


def template(
    config: Any, given: Mapping[str, Any] | None = None, chosen: Collection[str] = ()
) -> str:
    """The same as `dump_yaml`, each setting below a comment that says what it is.

    With `given`, a nested mapping, settings that it does not hold are commented out (`#name: ...`).
    chosen: dotted names of those that a training chooses then, which is said.
    """
    return "\n".join(_commented(config, "", given, chosen)) + "\n"


def _commented(
    config: Any, indent: str, given: Mapping[str, Any] | None, chosen: Collection[str]
) -> list[str]:
    cls = type(config)
    docs, hints = field_docs(cls), get_type_hints(cls)
    lines = []
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            lines += ["", *_comment((type(value).__doc__ or "").split("\n\n")[0], indent)]
            inner = None if given is None else given.get(field.name, {})
            within = inside(chosen, field.name)
            lines += [f"{indent}{field.name}:", *_commented(value, indent + "  ", inner, within)]
            continue
        lines += _comment(docs.get(field.name, ""), indent)
        words = choices(hints[field.name])
        lines += _comment(f"One of {', '.join(words)}." if words else "", indent)
        said = plain_yaml.dump({field.name: value})
        off = "" if given is None or field.name in given else "#"
        lines += _comment(CHOICE if off and field.name in chosen else "", indent)
        lines += [f"{indent}{off}{line}" for line in said.rstrip("\n").split("\n")]
    return lines


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(" ".join(text.split()), WIDTH - 4)]

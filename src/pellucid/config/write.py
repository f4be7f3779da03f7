"""From configs to YAML: complete, as saved with a run, or commented, as a file to start from."""

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, get_type_hints

from pellucid.config import plain_yaml
from pellucid.config.docs import choices, field_docs
from pellucid.config.sections import inside

WIDTH = 96
CHOICE = "If left out, it is chosen by size, text and machine; this is an example."


def dump_yaml(config: Any) -> str:
    """Return all settings as YAML, which `read_yaml` and `build` turn into the same config."""
    return plain_yaml.dump(asdict(config))


def template(
    config: Any, settings: Mapping[str, Any] | None = None, chosen: Collection[str] = ()
) -> str:
    """Return the settings as YAML, each below a comment that describes it.

    settings: a nested mapping; settings that are not in it are commented out (`#name: ...`).
    chosen: dotted names of settings that a training chooses if they are left out.
    """
    return "\n".join(_section(config, "", settings, chosen)) + "\n"


def _section(
    config: Any, indent: str, settings: Mapping[str, Any] | None, chosen: Collection[str]
) -> list[str]:
    cls = type(config)
    docs, hints = field_docs(cls), get_type_hints(cls)
    lines = []
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            lines += ["", *_comment((type(value).__doc__ or "").split("\n\n")[0], indent)]
            inner = None if settings is None else settings.get(field.name, {})
            within = inside(chosen, field.name)
            lines += [
                f"{indent}{field.name}:",
                *_section(value, indent + "  ", inner, within),
            ]
            continue
        lines += _comment(docs.get(field.name, ""), indent)
        words = choices(hints[field.name])
        lines += _comment(f"One of {', '.join(words)}." if words else "", indent)
        text = plain_yaml.dump({field.name: value})
        off = "" if settings is None or field.name in settings else "#"
        lines += _comment(CHOICE if off and field.name in chosen else "", indent)
        lines += [f"{indent}{off}{line}" for line in text.rstrip("\n").split("\n")]
    return lines


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(" ".join(text.split()), WIDTH - 4)]

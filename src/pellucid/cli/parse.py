"""Command-line arguments: a dataclass describes a verb's options, and argparse reads them."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields
from difflib import get_close_matches
from inspect import get_annotations, getdoc
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from pellucid.config.docs import choices, field_docs
from pellucid.config.sections import section_kinds
from pellucid.errors import UsageError

Options = TypeVar("Options")
Sections = Mapping[str, type]
NO_FLAG = "\0"
"""Begins a word after a `--`: no argument of a program can have this character."""
END_OF_FLAGS = "--" + NO_FLAG
BY_TRAINING = "by size, text and machine"


def positional(default: Any = MISSING) -> Any:
    """Return a dataclass field whose argument has no flag."""
    return field(default=default, metadata={"positional": True})


def config_flags(
    cls: type,
    chosen: frozenset[str] = frozenset(),
    sections: Callable[[Sequence[str]], Sections] | None = None,
    left_out: frozenset[str] = frozenset(),
) -> Any:
    """Return a dataclass field for a config: one flag per setting, such as --section.setting.

    The field holds the settings that are given, as the nested mapping that `config.read.build`
    takes; a setting that is not given is not in it.
    chosen: dotted names of settings without a default, because a training chooses them.
    sections: from the arguments, the class of each section (by dotted name) that depends on them.
    left_out: dotted names of settings that have no flag.
    """
    metadata = {"settings": cls, "chosen": chosen, "sections": sections, "left_out": left_out}
    return field(default_factory=dict, metadata=metadata)


def parse(cls: type[Options], args: Sequence[str], verb: str) -> Options | None:
    """Return the options that the arguments give; None if they ask for help, which is printed.

    Raises: UsageError.
    """
    args, after = _split_at_dashes(args)
    args = list(map(_with_hyphens, args))
    parser = _Parser(prog=f"pellucid {verb}", description=getdoc(cls))
    for each, hint, doc in _list_fields(cls):
        if "settings" in each.metadata:
            choose = each.metadata["sections"]
            sections = choose(args) if choose else {}
            parser.add_settings(each.metadata["settings"], each, sections)
        else:
            parser.add_option(each, hint, doc)
    parser.usage = " ".join([parser.prog, *parser.positionals, "[OPTION ...]"])
    if "-h" in args or "--help" in args:
        print(parser.format_help(), end="")
        return None
    return cls(**parser.read(args, after))


def read_flags(args: Sequence[str], *names: str) -> dict[str, str]:
    """Return the values of some flags, to choose the classes of others' sections by them."""
    parser = _Parser()
    for name in names:
        parser.add_argument(_flag(name))
    words = list(map(_with_hyphens, _split_at_dashes(args)[0]))
    return vars(parser.parse_known_args(words)[0])


class _Parser(argparse.ArgumentParser):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,  # what is not given is not in the result
            allow_abbrev=False,
            add_help=False,
            **kwargs,
        )
        self.positionals: list[str] = []
        self.flags: dict[str, argparse.Action] = {}

    def add_option(self, option: Field, hint: Any, doc: str) -> None:
        """Add an argument of the verb itself."""
        required = option.default is MISSING
        help_text = doc if not option.default or required else f"{doc} {_default(option.default)}"
        if option.metadata.get("positional"):
            many = get_origin(hint) is tuple
            nargs = {(True, True): "+", (True, False): "*", (False, False): "?"}
            name = option.name.upper()
            shown = f"{name} ..." if many else name
            self.positionals.append(shown if required else f"[{shown}]")
            self.add_argument(
                option.name,
                nargs=nargs.get((many, required)),
                metavar=name,
                help=_plain(help_text),
                type=_without_mark,
            )
        elif hint is bool:
            self._add(self, option.name, option.name, action="store_true", help=_plain(doc))
        else:
            self._add(self, option.name, option.name, **_reads(hint, "+"), help=_plain(help_text))

    def add_settings(self, cls: type, option: Field, sections: Sections, path: str = "") -> None:
        """Add the flags of a config, and of its sections below `path`."""
        group = self.add_argument_group(path or "settings", (cls.__doc__ or "").split("\n\n")[0])
        inner = []
        for each, hint, doc in _list_fields(cls):
            name = f"{path}.{each.name}" if path else each.name
            kinds = (sections[name],) if name in sections else section_kinds(hint)
            inner += [(kind, name) for kind in kinds]
            if kinds or name in option.metadata["left_out"] or _flag(name) in self.flags:
                continue
            default = BY_TRAINING if name in option.metadata["chosen"] else each.default
            help_text, dest = _plain(f"{doc} {_default(default)}"), f"{option.name}.{name}"
            self._add(group, name, dest, **_reads(hint, "*"), help=help_text)
        for kind, name in inner:
            self.add_settings(kind, option, sections, name)

    def read(self, args: Sequence[str], words: Sequence[str] = ()) -> dict[str, Any]:
        """Return what is given: dotted names as nested mappings, lists as tuples.

        words: arguments after a `--`.
        """
        args = list(self._join_dashes(args))
        if words:  # argparse does not take `--` between flags and words in any order
            self.add_argument(END_OF_FLAGS, action="store_true", help=argparse.SUPPRESS)
            args += [END_OF_FLAGS, *(NO_FLAG + word for word in words)]
        values, unknown = self.parse_known_intermixed_args(args)
        vars(values).pop(NO_FLAG, None)
        if unknown:
            close = get_close_matches(unknown[0], self.flags, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            self.error(f"unrecognized argument {unknown[0][:60]}.{hint}")
        nested: dict[str, Any] = {}
        for name, value in vars(values).items():
            *path, last = name.split(".")
            inner = nested
            for section in path:
                inner = inner.setdefault(section, {})
            inner[last] = tuple(value) if isinstance(value, list) else value
        return nested

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nSee: {self.prog} --help")

    def _add(self, group: Any, name: str, dest: str, **kwargs: Any) -> None:
        self.flags[_flag(name)] = group.add_argument(_flag(name), dest=dest, **kwargs)

    def _join_dashes(self, args: Sequence[str]) -> Iterator[str]:
        """Join `--prefix -x` as `--prefix=-x`: argparse takes each word with a dash for a flag."""
        words = iter(args)
        for word in words:
            one_value = word in self.flags and self.flags[word].nargs is None
            value = next(words, None) if one_value else None
            if value is None:
                yield word
            elif value.startswith("-") and not value.startswith("--"):
                yield f"{word}={value}"
            else:
                yield word
                yield value


def _list_fields(cls: Any) -> Iterator[tuple[Field, Any, str]]:
    """Yield the fields of a dataclass with their types and docs, those of its bases last."""
    hints, docs = get_type_hints(cls), field_docs(cls)
    for each in sorted(fields(cls), key=lambda field: field.name not in get_annotations(cls)):
        yield each, hints[each.name], docs.get(each.name, "")


def _reads(hint: Any, many: str) -> dict[str, Any]:
    """Return argparse's settings for a type; `many`: its `nargs` for any number of values."""
    if get_origin(hint) is dict:
        shown = "NAME=FIELD"
        return {"type": _pair, "nargs": many, "metavar": shown, "action": _StoreMapping}
    items = get_args(hint) if get_origin(hint) is tuple else (hint,)
    words = choices(items[0])
    if words:
        return {"choices": words}
    kind, name = {
        int: (int, "INT"),
        float: (float, "NUMBER"),
        bool: (_truth, "{true,false}"),
        str: (str, "TEXT"),
    }[items[0]]
    if Ellipsis in items:
        return {"type": kind, "nargs": many, "metavar": name}
    if len(items) > 1:
        return {"type": kind, "nargs": len(items), "metavar": (name,) * len(items)}
    return {"type": kind, "metavar": name}


def _truth(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{word!r} is neither true nor false")
    return word.lower() == "true"


def _pair(word: str) -> tuple[str, str | int]:
    name, equals, field = word.partition("=")
    if not (name and equals and field):
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=FIELD, as in label=3")
    return name, int(field) if field.isascii() and field.isdigit() else field


class _StoreMapping(argparse.Action):
    """Stores the pairs that `_pair` reads as a mapping."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, dict(values))


def _default(value: Any) -> str:
    if value is MISSING:  # a default that is made for each config is an empty mapping
        return "(default: none)"
    if isinstance(value, tuple):
        shown = " ".join(map(str, value))
    else:
        shown = str(value).lower() if isinstance(value, bool) else str(value)
    return f"(default: {shown or 'none'})"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _split_at_dashes(args: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the arguments before a `--`, and those after it, none of which is a flag."""
    at = args.index("--") if "--" in args else len(args)
    return args[:at], args[at + 1 :]


def _without_mark(word: str) -> str:
    return word.removeprefix(NO_FLAG)


def _with_hyphens(arg: str) -> str:
    name, equals, value = arg.partition("=")
    return name.replace("_", "-") + equals + value if arg.startswith("--") else arg


def _plain(text: str) -> str:
    return text.strip().replace("%", "%%")  # argparse formats help texts

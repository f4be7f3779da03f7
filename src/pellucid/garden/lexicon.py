"""The words of the garden, read from the folder `tables`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun in three languages; `mass` nouns have no plural and no indefinite article."""

    name: str
    en_plural: str
    de: str
    de_oblique: str  # weak nouns: every case of the singular but the nominative
    gender: str
    de_plural: str
    zh: str
    measure: str
    classes: frozenset[str]
    mass: bool


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb with its principal parts; `who` and `what` are the nouns that make sense with it."""

    name: str
    en: tuple[str, str, str]  # base, past, participle
    en_after: str  # "up" in "clean up", "onto" in "climb onto"
    infinitive: str
    present: str
    past: str
    participle: str
    prefix: str  # "auf" in "aufmachen", whose infinitive is stored as "machen"
    auxiliary: str  # of the perfect: "haben" or "sein"
    case: str  # of the object: "acc" or "dat"
    de_preposition: str  # "auf" in "klettern auf"
    zh: str
    done: str
    aspect: str
    who: tuple[Noun, ...]
    what: tuple[Noun, ...]
    where: tuple[tuple[str, Noun], ...]  # preposition and place

    @property
    def key(self) -> str:
        """The name without the sense: clauses of one key can look alike in some language."""
        return self.name.split(".")[0]


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective; `of` are the nouns of which it can be true, `compared` those compared by it."""

    name: str
    comparative: str
    de: str
    stem: str  # before an ending: "hoh" for "hoch"
    de_comparative: str
    zh: str
    zh_attributive: tuple[str, ...]  # empty: not used before a noun
    absolute: bool  # red, round, empty: not a matter of degree, with 是 … 的 in Chinese
    of: tuple[Noun, ...]
    compared: tuple[tuple[Noun, ...], ...]


@dataclass(frozen=True)
class Reason:
    """A main clause whose reason tells the animal from the thing."""

    verb: Verb
    negated: bool
    subjects: tuple[Noun, ...]
    objects: tuple[tuple[str, Noun], ...]  # with the preposition of a place, or "" for an object
    of_animal: tuple[Adjective, ...]
    of_thing: tuple[Adjective, ...]


def rows(table: str) -> Iterator[tuple[str, ...]]:
    """Yield the lines of a table as tuples; empty lines separate blocks, which have headers."""
    path = files("pellucid.garden") / "tables" / f"{table}.txt"
    text = path.read_text(encoding="utf-8")
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith("#")]
        for line in lines[1:]:
            yield tuple(cell.strip() for cell in line.split("|"))


@cache
def nouns() -> dict[str, Noun]:
    """Return all nouns by English name."""
    return {row[0]: _noun(*row) for row in rows("nouns")}


@cache
def verbs() -> dict[str, Verb]:
    """Return all verbs by name."""
    return {row[0]: _verb(*row) for row in rows("verbs")}


@cache
def adjectives() -> tuple[Adjective, ...]:
    """Return all adjectives; two senses of one English word are two entries."""
    return tuple(_adjective(*row) for row in rows("adjectives"))


@cache
def reasons() -> tuple[Reason, ...]:
    """Return all frames of because-sentences."""
    return tuple(_reason(*row) for row in rows("reasons"))


@cache
def named(names: str) -> tuple[Noun, ...]:
    """Return the nouns of a list of classes and nouns, in the order of the table."""
    requested = set(names.split()) - {"-"}
    classes = {c for noun in nouns().values() for c in noun.classes}
    if unknown := requested - classes - nouns().keys():
        raise KeyError(f"{sorted(unknown)} in {names!r} is neither a noun nor a class of nouns")
    return tuple(
        n for n in nouns().values() if n.classes & requested or n.name in requested - classes
    )


@cache
def places(names: str) -> tuple[tuple[str, Noun], ...]:
    """Return the places of a list such as "in:room under:tree"."""
    pairs = [place.split(":") for place in names.split()]
    return tuple((preposition, n) for preposition, nouns in pairs for n in named(nouns))


def _noun(*row: str) -> Noun:
    en, plural, de, gender, de_plural, zh, measure, classes = row
    nominative, _, oblique = de.partition("/")
    return Noun(
        name=en,
        en_plural=_plural(en) if plural == "-" else plural,
        de=nominative,
        de_oblique=oblique or nominative,
        gender=gender,
        de_plural=de_plural,
        zh=zh,
        measure=measure,
        classes=frozenset(classes.split()),
        mass=plural == "mass",
    )


def _plural(noun: str) -> str:
    """Return the regular English plural."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"


def _verb(*row: str) -> Verb:
    name, english, german, zh, done, aspect, who, what = row
    base, past, participle, *after = english.split()
    infinitive, present, de_past, de_participle, *more = german.split()
    prefix, _, stem = infinitive.rpartition("·")
    preposition, _, case = next((m for m in more if "+" in m), "+acc").partition("+")
    return Verb(
        name=name,
        en=(base, past, participle),
        en_after=after[0].lstrip(">") if after else "",
        infinitive=stem,
        present=present,
        past=de_past,
        participle=de_participle,
        prefix=prefix,
        auxiliary="sein" if "sein" in more else "haben",
        case="dat" if "dat" in more else case,
        de_preposition=preposition,
        zh=zh,
        done=done,
        aspect=aspect,
        who=named(who),
        what=() if ":" in what else named(what),
        where=places(what) if ":" in what else (),
    )


def _adjective(*row: str) -> Adjective:
    en, comparative, de, stem, de_comparative, zh, attributive, of, compared = row
    return Adjective(
        name=en,
        comparative=f"more {en}" if comparative == "-" else comparative,
        de=de,
        stem=de if stem == "-" else stem,
        de_comparative=de_comparative,
        zh=zh.removesuffix(" 的"),
        zh_attributive=tuple(attributive.split()) if attributive != "-" else (),
        absolute=zh.endswith(" 的"),
        of=named(of),
        compared=tuple(named(c) for c in compared.split() if c != "-"),
    )


def _reason(*row: str) -> Reason:
    name, polarity, who, of_animal, of_thing = row
    verb = verbs()[name]
    by_name = {a.name: a for a in adjectives()}
    return Reason(
        verb=verb,
        negated=polarity == "-",
        subjects=verb.who if who == "-" else named(who),
        objects=verb.where or tuple(("", noun) for noun in verb.what),
        of_animal=tuple(by_name[a] for a in of_animal.split()),
        of_thing=tuple(by_name[a] for a in of_thing.split()),
    )

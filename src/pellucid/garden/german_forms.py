"""German inflection: articles, adjective endings, nouns by case, verbs by person."""

from pellucid.garden.lexicon import Adjective, Verb
from pellucid.garden.outline import NUMBERS, Phrase

# Endings by case, in the order masculine, feminine, neuter, plural.
_COLUMNS = {"m": 0, "f": 1, "n": 2, "pl": 3}
_DEFINITE = {
    "nom": ("der", "die", "das", "die"),
    "acc": ("den", "die", "das", "die"),
    "dat": ("dem", "der", "dem", "den"),
}
_STRONG = {
    "nom": ("er", "e", "es", "e"),
    "acc": ("en", "e", "es", "e"),
    "dat": ("em", "er", "em", "en"),
}
_WEAK = {"nom": ("e", "e", "e", "en"), "acc": ("en", "e", "e", "en"), "dat": ("en",) * 4}
_EIN = {"nom": ("", "e", "", "e"), "acc": ("en", "e", "", "e"), "dat": ("em", "er", "em", "en")}
_MIXED = {"nom": ("er", "e", "es", "en"), "acc": ("en", "e", "es", "en"), "dat": ("en",) * 4}
_STEMS = {"a": "ein", "my": "mein", "no": "kein", "this": "dies", "some": "einig", "many": "viel"}
_NUMBER_WORDS = ("zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn")
_NUMBERS = dict(zip(NUMBERS, _NUMBER_WORDS, strict=True))
PRONOUNS = {"m": "er", "f": "sie", "n": "es", "pl": "sie"}
_CONTRACTIONS = {
    ("in", "dem"): "im",
    ("an", "dem"): "am",
    ("von", "dem"): "vom",
    ("in", "das"): "ins",
    ("an", "das"): "ans",
}
_IRREGULAR_I = {"wissen": "weiß", "mögen": "mag"}
_AUXILIARIES = {
    "sein": ("bin", "ist", "sind"),
    "waren": ("war", "war", "waren"),
    "haben": ("habe", "hat", "haben"),
    "werden": ("werde", "wird", "werden"),
    "wurden": ("wurde", "wurde", "wurden"),
    "can": ("kann", "kann", "können"),
    "must": ("muss", "muss", "müssen"),
    "want": ("will", "will", "wollen"),
}


def column(phrase: Phrase) -> str:
    """Return the gender with which article and adjective agree; "pl" for any plural."""
    return "pl" if phrase.plural else phrase.noun.gender


def noun_form(phrase: Phrase, case: str) -> str:
    """Return the noun of a phrase in a case."""
    noun = phrase.noun
    if not phrase.plural:
        return noun.de if case == "nom" else noun.de_oblique
    if case == "dat" and noun.de_plural[-1] not in "ns":
        return noun.de_plural + "n"
    return noun.de_plural


def determiner_form(determiner: str, gender: str, case: str) -> str:
    """Return the determiner before a noun, "" if German has none; "no" is kein."""
    i = _COLUMNS[gender]
    if determiner == "bare":
        return ""
    if determiner == "the":
        return _DEFINITE[case][i]
    if determiner in _NUMBERS:
        return _NUMBERS[determiner]
    endings = _EIN if determiner in ("a", "my", "no") else _STRONG
    return _STEMS[determiner] + endings[case][i]


def adjective_form(adjective: Adjective, determiner: str, gender: str, case: str) -> str:
    """Return an adjective before a noun: weak after der or dieser, mixed after ein, else strong."""
    if determiner in ("the", "this"):
        endings = _WEAK
    elif determiner in ("a", "my", "no"):
        endings = _MIXED
    else:
        endings = _STRONG
    return adjective.stem + endings[case][_COLUMNS[gender]]


def relative_pronoun(gender: str, case: str) -> str:
    """Return the relative pronoun der, die, das in a case."""
    return "denen" if (gender, case) == ("pl", "dat") else _DEFINITE[case][_COLUMNS[gender]]


def contraction(preposition: str, article: str) -> str | None:
    """Return the contraction, such as "im" for "in dem"; None if there is none."""
    return _CONTRACTIONS.get((preposition, article))


def auxiliary(name: str, person: str) -> str:
    """Return a form of a verb of the table; person: "I", "one" or "many"."""
    return _AUXILIARIES[name][("I", "one", "many").index(person)]


def present(verb: Verb, person: str) -> str:
    """Return the present tense; person: "I", "one" or "many"."""
    if person == "many":
        return verb.infinitive
    if person == "one":
        return verb.present
    if irregular := _IRREGULAR_I.get(verb.infinitive):
        return irregular
    if verb.infinitive.endswith("eln"):
        return verb.infinitive[:-3] + "le"
    return verb.infinitive[:-1] if verb.infinitive[-2] == "e" else verb.infinitive[:-1] + "e"


def past(verb: Verb, person: str) -> str:
    """Return the simple past."""
    if person != "many":
        return verb.past
    return verb.past + ("n" if verb.past.endswith("e") else "en")

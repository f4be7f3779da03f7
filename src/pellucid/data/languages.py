"""Languages that the names of data files give."""

import re
from collections.abc import Sequence

from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.builtin import PAIR_LANGUAGES
from pellucid.data.files import has_known_ending
from pellucid.data.lines import plain_name

CODE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})?")
TWO_CODES = re.compile(r"([a-z]{2,3})[-_]([a-z]{2,3})")


def languages(files: Sequence[str], config: DataConfig) -> tuple[str, str]:
    """Return source and target language, from the config or the names; "" if neither gives them.

    Names give them by endings (`train.en`, `train.de`) or a part with both (`tatoeba.zh-en.tsv`).
    """
    codes = ("", "")
    if tuple(files) == (GARDEN,):
        codes = PAIR_LANGUAGES
    elif len(files) == 2 and not all(map(has_known_ending, files)):
        codes = tuple(map(_ending_code, files))
    elif files:
        codes = file_languages(files[0], DataConfig())
        codes = codes if all(codes) else (_ending_code(files[0]), "")
    return config.source_language or codes[0], config.target_language or codes[1]


def file_languages(file: str, config: DataConfig) -> tuple[str, str]:
    """Return the languages of one file: from its name (`tatoeba.zh-en.tsv`), else of the config."""
    for part in reversed(plain_name(file).split(".")):
        if match := TWO_CODES.fullmatch(part):
            return match[1], match[2]
    return config.source_language, config.target_language


def text_language(file: str, config: DataConfig) -> str:
    """Return which of `data.languages` a part of a file's name is (`news.de.gz`), "" if none."""
    known = {language.lower(): language for language in config.languages}
    parts = [part for part in plain_name(file).split(".")[1:] if part in known]
    return known[parts[-1]] if parts else ""


def _ending_code(file: str) -> str:
    name, _, ending = plain_name(file).rpartition(".")
    is_code = name and CODE.fullmatch(ending) and not has_known_ending(file)
    return ending if is_code else ""

"""Read the search settings of a published directory as a `DecodingConfig`.

An unsupported setting that would change the generated texts becomes a note.
Source: the behaviour of `transformers` 5, which the tests compare with.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.config.decoding import MINIMUM, MOST, DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.config.read import build
from pellucid.errors import ConfigError
from pellucid.formats.search_tables import (
    IRRELEVANT,
    PENALTIES,
    SAMPLING,
    SAMPLING_CUTS,
    STOPS,
    SUPPORTED,
    UNSUPPORTED,
)
from pellucid.json_files import read_json

NAME = "generation_config.json"
MAX_BEAMS = 1024
BOUNDS = {
    "temperature": (MINIMUM, MOST["temperature"]),
    "top_k": (0, math.inf),
    "top_p": (MINIMUM, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (MINIMUM, 1.0),
}
"""Of the sampling settings. transformers opens a directory with any other number too."""
FORCES_START = "force_bos_token_to_be_generated"
"""Setting of old config.json files: every text starts with the token of bos_token_id."""
BART_START = 0
"""bos_token_id of a config.json that has none, for `FORCES_START`."""


def is_absent(value: Any) -> bool:
    """Return whether a setting is unset. A 0 counts as set."""
    return value is None or value is False or value in ("", [], {})


class SearchSettings(NamedTuple):
    """The search settings of a directory."""

    decoding: DecodingConfig
    token_ids: Mapping[str, int]
    banned: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    """One per setting that is not supported or ignored."""
    decoding_notes: tuple[str, ...] = ()
    """One per setting whose value in `decoding` is another."""


def read_search(directory: Path, hf_config: Mapping[str, Any], c: ModelConfig) -> SearchSettings:
    """Read the settings of generation_config.json, or of config.json where older models have them.

    Raises: ConfigError or VerificationError naming the file and the setting.
    """
    path, notes = directory / NAME, list[str]()
    has_file = path.is_file()
    settings = {name: value for name, value in hf_config.items() if not is_absent(value)}
    ids = dict(hf_config)
    if hf_config.get(FORCES_START) and not has_file:
        ids["forced_bos_token_id"] = hf_config.get("bos_token_id", BART_START)
    known = {*SUPPORTED, *PENALTIES, *UNSUPPORTED, *SAMPLING}
    if not c.n_decoder_layers or not (has_file or settings.keys() & known):
        token_ids = _read_ids(ids, c, str(directory / "config.json"), notes)
        return SearchSettings(DecodingConfig(), token_ids, notes=tuple(notes))
    if has_file:
        settings = read_json(path)
        if not isinstance(settings, dict):
            raise ConfigError(f"{path} is not a JSON object. Download the directory again.")
        ids = {n: i for n, i in hf_config.items() if not n.startswith("forced_")} | settings
    else:
        path = directory / "config.json"
    where = str(path)
    token_ids = _read_ids(ids, c, where, notes)
    changes = list[str]()
    values = _read_lengths(settings, c, where, changes)
    values |= _read_method(settings, where, changes)
    for name, field in PENALTIES.items():
        if settings.get(name) is not None:
            values[field] = settings[name]
    banned = _read_banned(settings, c, token_ids.get("eos_token_id"), where, notes)
    _note_unsupported(settings, has_file, notes)
    decoding = build(DecodingConfig, values, where)
    return SearchSettings(decoding, token_ids, banned, tuple(notes), tuple(changes))


def _read_lengths(
    settings: Mapping[str, Any], c: ModelConfig, where: str, notes: list[str]
) -> dict[str, Any]:
    """Read maximum and minimum length. Only `..._new_tokens` do not count the prompt."""
    lengths: dict[str, Any] = {}
    for name in ("max", "min"):
        new, total = settings.get(f"{name}_new_tokens"), settings.get(f"{name}_length")
        if new is not None:
            lengths[f"{name}_length"] = _whole_number(new, f"{name}_new_tokens", where)
        elif total is None or total == 0:
            continue
        elif c.n_encoder_layers:
            n = _whole_number(total, f"{name}_length", where) - 1  # without the start token
            lengths[f"{name}_length"] = max(n, 1 if name == "max" else 0)
        else:
            notes.append(f"{name}_length={total} includes the prompt's tokens")
    longest, shortest = lengths.get("max_length", 0), lengths.get("min_length", 0)
    most = longest - 1 if longest > 0 else math.inf
    if shortest:  # transformers stops at the longest length, whatever the shortest is
        lengths["min_length"] = _clamp("min_length", shortest, (0, most), notes)
    return lengths


def _read_method(settings: Mapping[str, Any], where: str, notes: list[str]) -> dict[str, Any]:
    """Read the settings of beam search or of sampling."""
    beams = 1 if settings.get("num_beams") is None else settings["num_beams"]
    if isinstance(beams, int) and beams > MAX_BEAMS:
        raise ConfigError(f"{where}: num_beams={str(beams)[:40]} is above {MAX_BEAMS}. Use less.")
    if settings.get("do_sample"):
        if beams != 1:
            notes.append(f"num_beams={beams} with do_sample: sampling uses no beam")
        sampling = {name: settings.get(name) for name in SAMPLING}
        sampling = {name: SAMPLING[name] if v is None else v for name, v in sampling.items()}
        for name, bounds in BOUNDS.items():
            sampling[name] = _clamp(name, sampling[name], bounds, notes)
        return {"method": "sample", **sampling}
    if beams == 1:
        return {"beam": 1}
    stop = str(settings.get("early_stopping")).lower()
    if stop not in STOPS:
        raise ConfigError(
            f"{where}: early_stopping={stop[:40]!r} is not supported. Use true, false or 'never'."
        )
    alpha = 1.0 if settings.get("length_penalty") is None else settings["length_penalty"]
    alpha = _clamp("length_penalty", alpha, (0.0, MOST["alpha"]), notes)
    return {"beam": beams, "stop": STOPS[stop], "alpha": alpha}


def _read_ids(
    ids: Mapping[str, Any], c: ModelConfig, where: str, notes: list[str]
) -> dict[str, int]:
    """Read token ids by name. Of several end tokens the first is used."""
    token_ids = {}
    for name, value in ids.items():
        if not name.endswith("token_id"):
            continue
        if isinstance(value, list) and value:
            if len(value) > 1:
                notes.append(f"{name}={str(value)[:60]}: only the first is used")
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            token_ids[name] = value
    if "forced_bos_token_id" in token_ids and not c.n_encoder_layers:
        notes.append(
            f"forced_bos_token_id={token_ids.pop('forced_bos_token_id')} in a decoder-only model"
        )
    for name in ("forced_bos_token_id", "forced_eos_token_id", "decoder_start_token_id"):
        _check_id(token_ids.get(name, 0), c, f"{where}: {name}")
    size = c.target_vocab_size or c.vocab_size
    for name in [name for name, i in token_ids.items() if i >= size]:
        notes.append(
            f"{name}={str(token_ids.pop(name))[:40]} is outside the model's vocabulary of {size}"
        )
    return token_ids


def _read_banned(
    settings: Mapping[str, Any], c: ModelConfig, end: int | None, where: str, notes: list[str]
) -> tuple[int, ...]:
    """Read the ids that are never generated."""
    words, tokens = settings.get("bad_words_ids") or [], settings.get("suppress_tokens") or []
    if not (isinstance(words, list) and isinstance(tokens, list)):
        raise ConfigError(f"{where}: bad_words_ids and suppress_tokens must be lists.")
    longer = [word for word in words if not (isinstance(word, list) and len(word) == 1)]
    if longer:
        notes.append(f"bad_words_ids: {len(longer)} entries with more than one token")
    single = [word[0] for word in words if isinstance(word, list) and len(word) == 1]
    banned = [*(i for i in single if i != end), *tokens]
    for i in banned:
        _check_id(i, c, f"{where}: a banned token")
    return tuple(dict.fromkeys(banned))


def _note_unsupported(settings: Mapping[str, Any], has_file: bool, notes: list[str]) -> None:
    """Add notes on unsupported settings, and on unknown ones in generation_config.json."""
    cuts = {} if not settings.get("do_sample") else dict.fromkeys(SAMPLING_CUTS, 0)
    for name, neutral in {**UNSUPPORTED, **cuts}.items():
        value = settings.get(name)
        if not is_absent(value) and value != neutral:
            notes.append(f"{name}={str(value)[:60]}")
    known = {*SUPPORTED, *PENALTIES, *UNSUPPORTED, *SAMPLING, *SAMPLING_CUTS, *IRRELEVANT}
    if has_file:
        unknown = [name for name in settings if name not in known and not is_absent(settings[name])]
        notes += [f"{name[:60]}={str(settings[name])[:60]}: unknown setting" for name in unknown]


def _clamp(name: str, value: Any, bounds: tuple[float, float], notes: list[str]) -> Any:
    """Return a number within bounds, with a note if it was outside; return other types as is."""
    if not isinstance(value, int | float) or bounds[0] <= value <= bounds[1]:
        return value
    where, limit = ("below", bounds[0]) if value < bounds[0] else ("above", bounds[1])
    notes.append(f"{name}={str(value)[:40]} is {where} {limit:g}; {limit:g} is used instead")
    return limit


def _whole_number(value: Any, name: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{where}: {name} is {str(value)[:40]!r}, but must be a whole number.")
    return value


def _check_id(value: Any, c: ModelConfig, what: str) -> None:
    size = c.target_vocab_size or c.vocab_size
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < size:
        raise ConfigError(
            f"{what} is {str(value)[:40]!r}, but the model's token ids are 0 to {size - 1}."
            " Use one of these."
        )

"""What a published directory says of searching: read into our settings, and written back.

A setting that changes texts and is not honoured here is told in a note, never dropped in silence.
Source: the meaning that `transformers` 5 gives to generation_config.json, by test.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.config.read import build
from pellucid.errors import ConfigError
from pellucid.json_files import read_json


def names(text: str) -> tuple[str, ...]:
    """Words of a line."""
    return tuple(text.split(" "))


NAME = "generation_config.json"
STOPS = {"true": "first_k", "false": "current", "none": "current", "never": "exact"}
"""Their early_stopping, as text, and our `stop`."""
DRAWING = {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0}
"""Settings of drawing that both have, with their defaults; they matter where it is asked for."""
PENALTIES = {"repetition_penalty": "repetition_penalty", "no_repeat_ngram_size": "no_repeat_ngram"}
HONOURED = names(
    "num_beams do_sample early_stopping length_penalty max_length max_new_tokens min_length"
    " min_new_tokens bad_words_ids suppress_tokens forced_bos_token_id forced_eos_token_id"
)
UNHONOURED: dict[str, Any] = {
    "num_beam_groups": 1,
    "diversity_penalty": 0,
    "penalty_alpha": 0,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1,
    "guidance_scale": 1,
    "num_return_sequences": 1,
    **dict.fromkeys(
        names(
            "begin_suppress_tokens sequence_bias exponential_decay_length_penalty"
            " renormalize_logits forced_decoder_ids constraints force_words_ids stop_strings"
            " max_time watermarking_config token_healing dola_layers"
        )
    ),
}
"""What changes texts and is not here, with the value at which it changes none."""
CUTS = ("epsilon_cutoff", "eta_cutoff", "top_h")
"""As above, of drawing alone."""
HARMLESS = names(
    "use_cache cache_implementation cache_config max_cache_len return_dict_in_generate"
    " output_attentions output_hidden_states output_scores output_logits transformers_version"
    " _from_model_config _commit_hash _original_object_hash compile_config disable_compile"
    " low_memory prefill_chunk_size remove_invalid_values num_assistant_tokens"
    " num_assistant_tokens_schedule assistant_confidence_threshold assistant_early_exit"
    " assistant_lookbehind target_lookbehind prompt_lookup_num_tokens max_matching_ngram_size"
    " is_assistant pad_token_id bos_token_id eos_token_id decoder_start_token_id"
)
"""What changes no text."""
MOST_BEAMS = 1024


def is_absent(value: Any) -> bool:
    """Whether a setting asks for nothing; 0 is a number that may be asked for."""
    return value is None or value is False or value in ("", [], {})


class Told(NamedTuple):
    """What a directory says of searching."""

    decoding: DecodingConfig
    token_ids: Mapping[str, int]
    banned: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def read_search(directory: Path, theirs: Mapping[str, Any], c: ModelConfig) -> Told:
    """What generation_config.json says, else what config.json (`theirs`) does, as it used to.

    Raises: ConfigError or VerificationError naming the file and the setting.
    """
    where = directory / NAME
    told, ids = {name: v for name, v in theirs.items() if not is_absent(v)}, dict(theirs)
    whole, notes = where.is_file(), list[str]()
    says = whole or told.keys() & {*HONOURED, *PENALTIES, *UNHONOURED, *DRAWING}
    if not (says and c.n_decoder_layers):
        token_ids = _ids(theirs, c, str(directory / "config.json"), notes)
        return Told(DecodingConfig(), token_ids, notes=tuple(notes))
    if whole:
        told = read_json(where)
        if not isinstance(told, dict):
            raise ConfigError(f"{where} holds no settings. Get the directory anew.")
        ids = {n: i for n, i in theirs.items() if not n.startswith("forced_")} | told
    else:
        where = directory / "config.json"
    token_ids = _ids(ids, c, str(where), notes)
    settings = {**_lengths(told, c, str(where), notes), **_search(told, str(where), notes)}
    for name, ours in PENALTIES.items():
        if told.get(name) is not None:
            settings[ours] = told[name]
    banned = _banned(told, c, token_ids.get("eos_token_id"), str(where), notes)
    _note_others(told, whole, notes)
    decoding = build(DecodingConfig, settings, str(where))
    return Told(decoding, token_ids, banned, tuple(notes))


def to_generation_config(
    c: ModelConfig, decoding: DecodingConfig, banned: Iterable[int]
) -> tuple[dict[str, Any], list[str]]:
    """Settings for their generation_config.json, and notes on what it cannot say."""
    d, notes = decoding, []
    found: dict[str, Any] = {}
    if d.method == "sample":
        found = {"do_sample": True, **{name: getattr(d, name) for name in DRAWING}}
    elif d.method == "beam":
        found = {"num_beams": d.beam}
        if d.beam > 1:
            stop = {"first_k": True, "current": False, "exact": "never"}[d.stop]
            found |= {"length_penalty": d.alpha, "early_stopping": stop}
        if d.beam > 1 and d.alpha and d.length_norm != "power":
            notes.append(f"length_norm={d.length_norm} has no name there; it divides by |Y|^alpha")
        if d.groups > 1:
            notes.append(f"groups={d.groups} has no name there; it searches one beam")
    else:
        notes.append(f"method={d.method} has no name there; it searches greedily")
    both = bool(c.n_encoder_layers and c.n_decoder_layers)
    for name in ("max", "min"):
        length = getattr(d, f"{name}_length")
        if length:  # of an encoder-decoder theirs counts the start token
            found |= {f"{name}_length": length + 1} if both else {f"{name}_new_tokens": length}
    for name, ours in PENALTIES.items():
        if getattr(d, ours) != getattr(DecodingConfig(), ours):
            found[name] = getattr(d, ours)
    if banned:
        found["suppress_tokens"] = sorted(banned)
    return found, notes


def _lengths(
    told: Mapping[str, Any], c: ModelConfig, where: str, notes: list[str]
) -> dict[str, Any]:
    """Longest and shortest text. Theirs counts what stands before it, where "new" is not said."""
    found: dict[str, Any] = {}
    for name in ("max", "min"):
        new, whole = told.get(f"{name}_new_tokens"), told.get(f"{name}_length")
        if new is not None:
            found[f"{name}_length"] = _whole_number(new, f"{name}_new_tokens", where)
        elif whole is None or whole == 0:
            continue
        elif c.n_encoder_layers:
            n = _whole_number(whole, f"{name}_length", where) - 1  # without the start token
            found[f"{name}_length"] = max(n, 1 if name == "max" else 0)
        else:
            notes.append(f"{name}_length={whole} counts the prompt's tokens too")
    return found


def _search(told: Mapping[str, Any], where: str, notes: list[str]) -> dict[str, Any]:
    """How texts are looked for, or drawn."""
    beams = 1 if told.get("num_beams") is None else told["num_beams"]
    if isinstance(beams, int) and beams > MOST_BEAMS:
        raise ConfigError(f"{where}: num_beams={str(beams)[:40]} is beyond {MOST_BEAMS}. Mend it.")
    if told.get("do_sample"):
        if beams != 1:
            notes.append(f"num_beams={beams} beside do_sample: one text is drawn at a time")
        drawn = {name: told.get(name) for name in DRAWING}
        drawn = {name: DRAWING[name] if v is None else v for name, v in drawn.items()}
        return {"method": "sample", **drawn}
    if beams == 1:
        return {"beam": 1}
    stop = str(told.get("early_stopping")).lower()
    if stop not in STOPS:
        raise ConfigError(
            f"{where}: early_stopping={stop[:40]!r} is none of true, false, 'never'. Mend it."
        )
    alpha = 1.0 if told.get("length_penalty") is None else told["length_penalty"]
    if isinstance(alpha, int | float) and alpha < 0:
        notes.append(f"length_penalty={alpha} is below 0; scores are not divided instead")
        alpha = 0.0
    return {"beam": beams, "stop": STOPS[stop], "alpha": alpha}


def _ids(ids: Mapping[str, Any], c: ModelConfig, where: str, notes: list[str]) -> dict[str, int]:
    """Token ids by their names; of several ends the first."""
    found = {}
    for name, value in ids.items():
        if not name.endswith("token_id"):
            continue
        if isinstance(value, list) and value:
            if len(value) > 1:
                notes.append(f"{name}={str(value)[:60]}: only the first is taken")
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            found[name] = value
    if "forced_bos_token_id" in found and not c.n_encoder_layers:
        notes.append(f"forced_bos_token_id={found.pop('forced_bos_token_id')} of a decoder alone")
    for name in ("forced_bos_token_id", "forced_eos_token_id", "decoder_start_token_id"):
        _check_id(found.get(name, 0), c, f"{where}: {name}")
    size = c.target_vocab_size or c.vocab_size
    for name in [name for name, i in found.items() if i >= size]:
        notes.append(
            f"{name}={str(found.pop(name))[:40]} is no token of this model, which has {size}"
        )
    return found


def _banned(
    told: Mapping[str, Any], c: ModelConfig, end: int | None, where: str, notes: list[str]
) -> tuple[int, ...]:
    """Ids that are never written."""
    words, tokens = told.get("bad_words_ids") or [], told.get("suppress_tokens") or []
    if not (isinstance(words, list) and isinstance(tokens, list)):
        raise ConfigError(f"{where}: bad_words_ids and suppress_tokens must be lists. Mend it.")
    longer = [word for word in words if not (isinstance(word, list) and len(word) == 1)]
    if longer:
        notes.append(f"bad_words_ids: {len(longer)} of more than one token each")
    single = [word[0] for word in words if isinstance(word, list) and len(word) == 1]
    found = [*(i for i in single if i != end), *tokens]
    for i in found:
        _check_id(i, c, f"{where}: a banned token")
    return tuple(dict.fromkeys(found))


def _note_others(told: Mapping[str, Any], whole: bool, notes: list[str]) -> None:
    """Note what changes texts and is not here; of a file for this alone, unknown names too."""
    cuts = {} if not told.get("do_sample") else dict.fromkeys(CUTS, 0)
    for name, neutral in {**UNHONOURED, **cuts}.items():
        value = told.get(name)
        if not is_absent(value) and value != neutral:
            notes.append(f"{name}={str(value)[:60]}")
    known = {*HONOURED, *PENALTIES, *UNHONOURED, *DRAWING, *CUTS, *HARMLESS}
    if whole:
        unknown = [name for name in told if name not in known and not is_absent(told[name])]
        notes += [f"{name[:60]}={str(told[name])[:60]}: not known here" for name in unknown]


def _whole_number(value: Any, name: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{where}: {name} is {str(value)[:40]!r}, no whole number. Mend it.")
    return value


def _check_id(value: Any, c: ModelConfig, what: str) -> None:
    size = c.target_vocab_size or c.vocab_size
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < size:
        raise ConfigError(
            f"{what} is {str(value)[:40]!r}, but this model knows 0 to {size - 1}. Mend it."
        )

"""The one road from a request to ranked texts: any method, one model or several."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.ensemble import Ensemble
from pellucid.decoding.generate import Request, generate, one_text, stream
from pellucid.decoding.minimum_risk import minimum_risk
from pellucid.decoding.search import Hypothesis, SpecialIds, device_of
from pellucid.decoding.speculative import Draft, speculate
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.call import Call, with_banned
from pellucid.metrics.translation import sentence_similarity
from pellucid.nn.cache import Decoder
from pellucid.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Team:
    """Who writes, and what the ids mean."""

    model: Decoder
    draft: Draft | None
    special_ids: SpecialIds
    text: Callable[[Sequence[int]], str]
    """The text of generated ids, up to a stop string."""
    language: str


def writes(directory: Bundle) -> bool:
    """Whether a model has a head that writes text."""
    return "lm" in directory.model.head_configs and directory.model.decoder is not None


def check_translates(directory: Bundle) -> None:
    """Raises: UsageError unless the model reads one text and writes another."""
    if directory.model.encoder is None or not writes(directory):
        raise UsageError(
            "this model translates nothing: that needs an encoder-decoder whose head writes text."
            " Use generate, fill or embed."
        )


def gather(directory: Bundle, call: Call) -> Team:
    """The models of a call as one. Raises: UsageError naming how one differs from the first."""
    others = {f"model {n} of the ensemble": m for n, m in enumerate(call.ensemble, 2)}
    if call.draft is not None:
        others["the draft"] = call.draft
    said = directory.tokenizers.target.decode_output
    for name, other in others.items():
        _check_alike(directory, other, name)
        _check_special_ids(directory.special_ids, other.special_ids, name)
    models = [m.model for m in (directory, *call.ensemble)]
    return Team(
        model=Ensemble(models) if call.ensemble else directory.model,
        draft=None if call.draft is None else Draft(call.draft.model),
        special_ids=with_banned(directory, directory.special_ids, call),
        text=lambda ids: until(said(ids), call.stop_at),
        language=directory.languages[1],
    )


def search(
    team: Team,
    request: Request,
    config: DecodingConfig,
    progress: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """The n best texts for each source, best first, by the config's method.

    Raises: UsageError as the method does, or if a draft is to guess for more than one open text.
    """
    if team.draft is not None:
        one_text(config)
        return [[_speculated(team, one, config)] for one in _singles(request, progress)]
    found = generate(team.model, request, team.special_ids, config, progress)
    return (
        [_least_risk(team, drawn, config) for drawn in found] if config.method == "mbr" else found
    )


def spoken(
    team: Team, request: Request, config: DecodingConfig, stop_at: Sequence[str]
) -> Iterator[str]:
    """The text of a request's one source, piece by piece, as soon as a piece is certain.

    An unfinished character waits for its end, and what may begin a stop string for what follows.
    """
    ids: list[int] = []
    said = ""
    for piece in stream(team.model, request, team.special_ids, config):
        ids += piece.ids
        text = team.text(ids)
        if not piece.ended:
            text = text.rstrip("\ufffd")
            text = text[: len(text) - _waiting(text, stop_at)]
        if text.startswith(said) and text != said:
            yield text[len(said) :]
            said = text


def until(text: str, stop: Sequence[str]) -> str:
    """The text before the stop string that is complete first, of several the longest.

    That is where a text ends which is read character by character, whatever its tokens.
    """
    found = [(text.find(string), string) for string in stop]
    ends = [(start + len(string), start) for start, string in found if start >= 0]
    return text[: min(ends)[1]] if ends else text


def _waiting(text: str, stop: Sequence[str]) -> int:
    """How many last characters may be the beginning of a stop string."""
    lengths = (n for s in stop for n in range(1, len(s)) if text.endswith(s[:n]))
    return max(lengths, default=0)


def _singles(request: Request, progress: Callable[[int], None] | None) -> Iterator[Request]:
    """A request for each source, for searches that go one by one."""
    for i, source in enumerate(request.sources):
        prefixes = request.prefixes[i : i + 1]
        yield replace(request, sources=[source], prefixes=prefixes, keys=[request.key(i)])
        if progress is not None:
            progress(1)


def _speculated(team: Team, request: Request, config: DecodingConfig) -> Hypothesis:
    assert team.draft is not None
    return speculate(team.model, team.draft, request, team.special_ids, config).hypothesis


def _least_risk(
    team: Team, drawn: Sequence[Hypothesis], config: DecodingConfig
) -> list[Hypothesis]:
    """The texts most like all that were drawn, each but once."""
    texts = [team.text(h.ids) for h in drawn]
    distinct: dict[str, Hypothesis] = {}
    for text, h in zip(texts, drawn, strict=True):
        distinct.setdefault(text, h)
    found = list(distinct.values())
    ranked = minimum_risk(list(distinct), sentence_similarity(config.utility, team.language), texts)
    return [replace(found[r.place], utility=r.utility) for r in ranked[: config.n_best]]


def _check_alike(mine: Bundle, other: Bundle, name: str) -> None:
    """Raises: UsageError unless both read and write the same ids, in the same shape and place."""
    if not writes(other):
        raise UsageError(f"{name} has no head that writes text. Leave it out.")
    if (mine.model.encoder is None) != (other.model.encoder is None):
        kinds = ("an encoder-decoder", "a decoder alone")
        first, second = (kinds[d.model.encoder is None] for d in (mine, other))
        raise UsageError(f"{name} is {second}, the first model {first}. Use models of one shape.")
    for side in ("source", "target"):
        found = _difference(getattr(mine.tokenizers, side), getattr(other.tokenizers, side))
        if found:
            raise UsageError(
                f"{name} has another vocabulary, {found}. Models that write one text must share"
                " their tokenizer: use some that were trained with the same."
            )
    widths = [c.target_vocab_size or c.vocab_size for c in (mine.model_config, other.model_config)]
    if widths[0] != widths[1]:
        raise UsageError(
            f"{name} predicts {widths[1]} tokens, the first model {widths[0]}, though their"
            " tokenizers agree: one was padded. Use models of one width."
        )
    places = [device_of(d.model) for d in (mine, other)]
    if places[0] != places[1]:
        raise UsageError(
            f"{name} is on {places[1]}, the first model on {places[0]}: use one device."
        )


def _check_special_ids(mine: SpecialIds, other: SpecialIds, name: str) -> None:
    """Raises: UsageError if texts begin or end in another way."""
    for field in ("start", "end", "forced_first", "forced_last"):
        a, b = getattr(mine, field), getattr(other, field)
        if a != b:
            raise UsageError(
                f"{name} has {field}={b}, the first model {field}={a}: one text cannot begin and"
                " end in two ways. Use models that were trained alike."
            )


def _difference(mine: Tokenizer, other: Tokenizer) -> str:
    """The first id that means two things, in words; empty if there is none."""
    if mine is other or mine.pieces_by_id == other.pieces_by_id:
        return ""
    a, b = mine.pieces_by_id, other.pieces_by_id
    i = min(i for i in a.keys() | b.keys() if a.get(i) != b.get(i))
    here, there = (repr(d[i]) if i in d else "nothing" for d in (a, b))
    return f"whose token {i} is {there} and not {here}"

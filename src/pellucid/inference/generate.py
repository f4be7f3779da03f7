"""Prompts to texts: what a language model says by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, one_text, stop_strings
from pellucid.decoding.search import Hypothesis
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.call import ALONE, Call, most_places, prefixes
from pellucid.inference.embed import wrapped
from pellucid.inference.methods import Team, gather, search, spoken, writes


@dataclass(frozen=True)
class Generated:
    """One text that a model wrote."""

    text: str
    """What was written, without the prompt."""
    score: float
    """Length-normalised log-probability."""
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    finished: bool
    """Whether it ended by an end token or a stop string; if not, it was cut."""
    utility: float | None = None
    """Mean likeness to all texts drawn, by which `mbr` ranks; none of other methods."""


def write(
    directory: Bundle,
    prompts: Sequence[str],
    config: DecodingConfig,
    call: Call = ALONE,
) -> list[list[Generated]]:
    """`n_best` texts for each prompt, best first.

    A decoder alone continues the prompt; an encoder-decoder reads it, and writes another text.
    Raises: UsageError if the model writes nothing, or as `gather` and `search`.
    """
    request = _request(directory, prompts, call)
    team = gather(directory, call)
    found = search(team, request, config, call.progress)
    return [[_generated(directory, team, h) for h in hypotheses] for hypotheses in found]


def speak(
    directory: Bundle, prompt: str, config: DecodingConfig, call: Call = ALONE
) -> Iterator[str]:
    """The one text for a prompt, piece by piece as it comes.

    Raises: UsageError if the config keeps more than one text open, or as `write`.
    """
    one_text(config)
    request = _request(directory, [prompt], call)
    return spoken(gather(directory, call), request, config, call.stop_at)


def _request(directory: Bundle, prompts: Sequence[str], call: Call) -> Request:
    """Ids of the prompts. Raises: UsageError if the model writes nothing."""
    if not writes(directory):
        raise UsageError("this model has no head that writes text.")
    alone = directory.model.encoder is None
    source, target = directory.tokenizers.source, directory.tokenizers.target
    return Request(
        source.encode_batch(prompts) if alone else wrapped(directory, prompts),
        prefixes(directory, call, len(prompts)),
        pad=source.roles.get("pad", 0),
        continued=alone,
        stopped=stop_strings(target.said, call.stop_at) if call.stop_at else None,
        keys=[(n, 0) for n, _ in enumerate(prompts, call.first)],
        bound=most_places(directory, call),
    )


def _generated(directory: Bundle, team: Team, h: Hypothesis) -> Generated:
    pieces = directory.tokenizers.target.said_pieces(h.ids)
    return Generated(team.text(h.ids), h.score, tuple(pieces), h.ids, h.finished, h.utility)

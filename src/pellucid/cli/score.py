"""`pellucid score`: print the log-probability of given translations."""

import json
import math
import sys
from dataclasses import dataclass

from pellucid.cli.pairs import check_order, read_pairs
from pellucid.cli.parse import positional
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Print the log-probability, token count and perplexity of each translation, tab-separated.

    pellucid score MODEL --data source.en target.de
    """

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
    data: tuple[str, ...] = ()
    """Two aligned files (source, target), or one .tsv or .jsonl."""
    to: str = ""
    """Target language of a model with several."""
    source_language: str = ""
    """Language of the sources, for a model that marks them with it (mBART, M2M-100)."""
    jsonl: bool = False
    """One JSON object per line."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""


def run(options: Options) -> int:
    """Print one line per pair, an empty one for a blank pair."""
    if not options.data:
        raise UsageError("no translations to score. Pass them: --data source.en target.de")
    pairs = read_pairs(options.data)
    from pellucid.api import load
    from pellucid.inference.languages import choose_languages
    from pellucid.inference.score import score

    model = load(options.model, device=options.device)
    check_order(options.data, model.bundle.languages)
    bundle = choose_languages(model.bundle, options.to, options.source_language)
    filled = [pair for pair in pairs if pair.source]  # the others are blank
    positions = [pair.position for pair in filled]
    results = iter(score(bundle, [(pair.source, pair.target) for pair in filled], positions))
    total, tokens = 0.0, 0
    for pair in pairs:
        scored = next(results) if pair.source else None
        if scored is None:
            print("{}" if options.jsonl else "")
            continue
        total, tokens = total + scored.log_prob, tokens + scored.tokens
        if options.jsonl:
            print(json.dumps({**scored._asdict(), "perplexity": scored.perplexity}))
        else:
            print(f"{scored.log_prob:.4f}\t{scored.tokens}\t{scored.perplexity:.4f}")
    perplexity = math.exp(-total / max(tokens, 1))
    print(f"perplexity {perplexity:.4f} over {tokens:,} tokens", file=sys.stderr)
    return 0

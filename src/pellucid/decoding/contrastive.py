"""Contrastive search: a probable token, whose state is unlike those of all before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.choice import Chances, Law, Rules, certain
from pellucid.decoding.generate import Request, begun, check, limits_of, one_text
from pellucid.decoding.ledger import Hypothesis, Vocabulary
from pellucid.decoding.processors import INF
from pellucid.decoding.search import device_of, forced_ids
from pellucid.decoding.single import Text
from pellucid.errors import ConfigError
from pellucid.nn.cache import Decoder


@dataclass(frozen=True)
class Contrast:
    """How a token is chosen: (1 - alpha) times its probability, less alpha times its likeness."""

    candidates: int = 4
    """The most probable tokens, which are all tried."""
    alpha: float = 0.6
    """0 is greedy search."""

    def __post_init__(self) -> None:
        if self.candidates < 1 or not 0 <= self.alpha <= 1:
            raise ConfigError(
                f"candidates={self.candidates} and alpha={self.alpha}: at least one token must be"
                " tried, and alpha is from 0 to 1. The paper's are 4 to 8, and 0.6."
            )


@torch.inference_mode()
def contrastive(
    model: Decoder,
    request: Request,
    vocabulary: Vocabulary,
    config: DecodingConfig,
    contrast: Contrast,
) -> list[Hypothesis]:
    """A text for each source, one source after another.

    Likeness is the greatest cosine to the state of any token read so far, the prompt's included.
    Source: Su et al. 2022, eq. 5. Raises: UsageError as `stream`.
    """
    one_text(config)
    check(model, request)
    return [
        _Search(model, request, vocabulary, config, source).run(contrast)
        for source in range(len(request.sources))
    ]


class _Search:
    """The text of one source, and the states of all that was read for it."""

    def __init__(
        self,
        model: Decoder,
        request: Request,
        vocabulary: Vocabulary,
        config: DecodingConfig,
        source: int,
    ) -> None:
        self.model, self.config, self.device = model, config, device_of(model)
        self.law = Law(Rules(config, vocabulary, self.device), replace(config, method="sample"))
        limits = limits_of(request, vocabulary, config, [source])
        self.text = Text(limits, vocabulary, config)
        (self.forced,) = forced_ids(vocabulary, limits)
        if request.continued:  # read here, not in `begun`, which keeps no states
            self.read = list(limits.beginnings[0])
            self.cache = model.prefill(None, None, 1)
        else:
            self.read = [vocabulary.start]
            self.cache, _ = begun(model, request, vocabulary, config, [source])

    def run(self, contrast: Contrast) -> Hypothesis:
        """Token after token until the text has ended."""
        logits, new = self._step(self.read)  # (T, V), (T, D)
        logits = logits[-1:]  # (1, V)
        states = nn.functional.normalize(new, dim=-1)  # (T, D)
        k = min(contrast.candidates, logits.shape[1])
        self.cache.expand(k)
        while True:
            chances = self._chances(logits)
            probs, tokens = chances.probs[0].topk(k)  # (k,)
            logits, new = self._step(tokens)  # (k, V), (k, D)
            new = nn.functional.normalize(new, dim=-1)
            likeness = (new @ states.mT).amax(-1)  # (k,)
            scores = (1 - contrast.alpha) * probs - contrast.alpha * likeness  # (k,)
            best = scores.masked_fill(probs == 0, -INF).argmax()  # what is banned is no candidate
            self.text.add(int(tokens[best]), chances)
            if self.text.ended:
                return self.text.hypothesis(self.config)
            self.read.append(int(tokens[best]))
            self.cache.reorder(best.expand(k))
            logits, states = logits[best][None], torch.cat((states, new[best][None]))

    def _step(self, ids: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Logits and states (N, ...) of ids (N,): a text's in a row, or one each of its copies."""
        rows = torch.as_tensor(ids, device=self.device).view(self.cache.rows, -1)
        step = self.model.step(rows, self.cache)
        return step.logits.flatten(0, 1), step.state.flatten(0, 1)

    def _chances(self, logits: Tensor) -> Chances:
        n = len(self.text.ids) - 1
        if n < len(self.forced):
            return certain(self.forced[n], logits)
        return self.law(logits, lambda: np.array([[self.read]]), n)

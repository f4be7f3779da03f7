"""Contrastive search: a probable token, whose state is unlike those of all before it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.choice import Chances, Law, Rules, certain
from pellucid.decoding.generate import Request, begun, check, limits_of
from pellucid.decoding.ledger import Hypothesis, SpecialIds
from pellucid.decoding.processors import INF
from pellucid.decoding.search import device_of, forced_at, forced_ids
from pellucid.decoding.single import Text
from pellucid.nn.cache import Decoder


@torch.inference_mode()
def contrastive(
    model: Decoder, request: Request, special_ids: SpecialIds, config: DecodingConfig
) -> list[Hypothesis]:
    """A text for each source, one source after another.

    Likeness is the greatest cosine to the state of any token read so far, the prompt's included.
    A token's score is (1 - contrast) times its probability, less contrast times its likeness.
    Source: Su et al. 2022, eq. 5. Raises: UsageError as `generate`.
    """
    assert config.method == "contrastive"
    check(model, request, config)
    return [
        _Search(model, request, special_ids, config, source).run()
        for source in range(len(request.sources))
    ]


class _Search:
    """The text of one source, and the states of all that was read for it."""

    def __init__(
        self,
        model: Decoder,
        request: Request,
        special_ids: SpecialIds,
        config: DecodingConfig,
        source: int,
    ) -> None:
        self.model, self.config, self.device = model, config, device_of(model)
        self.law = Law(Rules(config, special_ids, self.device), config)
        limits = limits_of(request, special_ids, config, [source])
        self.special_ids, self.most = special_ids, limits.max_lengths[0]
        self.text = Text(limits, special_ids, config)
        (self.forced,) = forced_ids(special_ids, limits)
        if request.continued:  # read here, not in `begun`, which keeps no states
            self.read = list(limits.beginnings[0])
            self.cache = model.prefill(None, None, 1)
        else:
            self.read = [special_ids.start]
            self.cache, _ = begun(model, request, special_ids, config, [source])

    def run(self) -> Hypothesis:
        """Token after token until the text has ended."""
        logits, new = self._step(self.read)  # (T, V), (T, D)
        logits = logits[-1:]  # (1, V)
        states = nn.functional.normalize(new, dim=-1)  # (T, D)
        k, contrast = min(self.config.candidates, logits.shape[1]), self.config.contrast
        self.cache.expand(k)
        while True:
            chances = self._chances(logits)
            probs, tokens = chances.probs[0].topk(k)  # (k,)
            logits, new = self._step(tokens)  # (k, V), (k, D)
            new = nn.functional.normalize(new, dim=-1)
            likeness = (new @ states.mT).amax(-1)  # (k,)
            scores = (1 - contrast) * probs - contrast * likeness  # (k,)
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
        token = forced_at(self.forced, self.special_ids, self.most, n)
        if token is not None:
            return certain(token, logits)
        return self.law(logits, lambda: np.array([[self.read]]), n)

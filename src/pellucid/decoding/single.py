"""One text as it grows, for the ways of generating that keep a single one open."""

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.choice import Chances
from pellucid.decoding.ledger import Hypothesis, Limits, SpecialIds, length_norm
from pellucid.errors import UsageError


class Text:
    """The text so far: ids begin with the one that was there before."""

    def __init__(self, limits: Limits, special_ids: SpecialIds, config: DecodingConfig) -> None:
        first = limits.beginnings[0][-1] if limits.beginnings else special_ids.start
        self.ids, self.log_probs = [first], list[float]()
        self.end, self.stopped = special_ids.end, limits.stopped
        self.room = limits.max_lengths[0]
        self.finished = False

    @property
    def ended(self) -> bool:
        return self.finished or not self.room

    def add(self, token: int, chances: Chances) -> None:
        """Go on with a token, unless the text has ended."""
        if self.ended:
            return
        if bool(chances.probs.isnan().any()):
            raise UsageError(
                "there is no possible text: every token is banned, or the model's logits are not"
                " numbers. Look at the banned tokens, then at the model's weights."
            )
        self.ids.append(token)
        self.log_probs.append(float(chances.log_probs[0, token]))
        self.room -= 1
        stopped = self.stopped is not None and self.stopped(self.ids[1:])
        self.finished = token == self.end or stopped

    def hypothesis(self, config: DecodingConfig) -> Hypothesis:
        """What was written."""
        ids = self.ids[1:-1] if self.ids[-1] == self.end else self.ids[1:]
        total = sum(self.log_probs)
        return Hypothesis(
            ids=tuple(ids),
            score=total / length_norm(len(self.log_probs), config),
            log_prob=total,
            token_log_probs=tuple(self.log_probs),
            finished=self.finished,
        )

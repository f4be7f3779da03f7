"""Extractive question answering: the first and the last token of an answer in its context."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, inf
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.config.tasks.question_answering import QuestionAnsweringConfig
from pellucid.data.batching import evaluation_batches
from pellucid.data.examples import Encoded, LeftOutRecord, ValidationData
from pellucid.data.records import Record
from pellucid.formats.bundle import Bundle
from pellucid.inference.answer import HEAD
from pellucid.inference.spans import score_spans
from pellucid.metrics.answers import AnswerScore, choose_scorer
from pellucid.metrics.details import Details, WrongExample, WrongExamples
from pellucid.metrics.intervals import ByExample, Metrics
from pellucid.nn.base import Model
from pellucid.nn.losses import cross_entropy
from pellucid.tasks.encoder import (
    build_encoder,
    build_encoder_bundle,
    check_encoder,
    get_family_head,
    max_row_tokens,
    max_text_tokens,
)
from pellucid.tasks.protocol import Task, TaskInputs, Term
from pellucid.tasks.question_windows import encode_questions
from pellucid.tasks.text_pairs import TextRows, compute_states, pad_text_rows
from pellucid.text.passages import WindowLimits, context_offset, strip_span

NAME = QuestionAnsweringConfig.name
NULL = 0
"""The token of "no answer in this window": the first one, [CLS] (Devlin et al. 2019)."""


class QuestionBatch(NamedTuple):
    """Padded windows: questions with parts of their contexts."""

    rows: TextRows
    targets: Tensor  # (B, 2), the first and the last token of the answer; NULL, NULL: none
    context: Tensor  # (B, 2), the first token of the context, and the number of its tokens

    def to(self, device: torch.device) -> "QuestionBatch":
        rest = (x.to(device, non_blocking=True) for x in (self.targets, self.context))
        return QuestionBatch(self.rows.to(device), *rest)


class BestSpan(NamedTuple):
    """The best span of the windows of a question, and the score of "no answer"."""

    score: float = -inf
    begin: int = 0
    end: int = 0
    null: float = inf
    total: float = 0.0
    """The log-sum-exp of the scores of all spans of the best one's window."""


class PredictedAnswer(NamedTuple):
    """A predicted answer, "" for none, with its probability among the spans of its window."""

    text: str
    probability: float


@dataclass(frozen=True)
class QuestionAnsweringTask(Task):
    """The task of one run."""

    inputs: TaskInputs

    def check(self) -> None:
        """See `Task.check`."""
        check_encoder(self.inputs, HEAD, ("pad",))
        max_text_tokens(self.inputs, pair=True)

    def encode(self, records: Iterable[Record]) -> Iterator[Encoded | LeftOutRecord]:
        """The windows of each question; see `encode_questions`."""
        yield from encode_questions(records, self.inputs.tokenizers.source, self._limits)

    def build(self, seed: int) -> nn.Module:
        """An encoder with a head that scores each token as start and end."""
        head = get_family_head(self.inputs.config.family, HEAD)
        return build_encoder(self.inputs, {HEAD: head}, seed)

    def collate(self, examples: Sequence[tuple[np.ndarray, ...]], seed: int) -> QuestionBatch:
        """Windows to a batch; nothing here is random."""
        template = self.inputs.tokenizers.source.template
        first = torch.tensor([context_offset(template, len(row[0])) for row in examples])
        targets = torch.from_numpy(np.stack([row[3] for row in examples])).long()  # (B, 2)
        return QuestionBatch(
            rows=pad_text_rows(examples, self.inputs),
            targets=torch.where(targets < 0, NULL, targets + first[:, None]),
            context=torch.stack([first, torch.tensor([len(row[1]) for row in examples])], 1),
        )

    def counts(self, batch: QuestionBatch) -> dict[str, int]:
        """Windows."""
        return {NAME: len(batch.rows.ids)}

    def tokens(self, batch: QuestionBatch) -> int:
        """Tokens of the windows, special ones included."""
        return batch.rows.count_tokens()

    def loss(self, module: nn.Module, batch: QuestionBatch) -> dict[str, Term]:
        """Mean of the negative log-likelihoods of start and end, each over all real tokens."""
        return {NAME: Term(_loss(_scores(module, batch), batch))}

    def validate(
        self, module: nn.Module, validation: ValidationData, device: torch.device
    ) -> dict[str, float]:
        """Loss per window, and exact match and F1 of the best answers.

        The scorer is that of the data: see `choose_scorer`.
        """
        total, predictions = 0.0, dict[str, BestSpan]()
        with torch.inference_mode():
            for indices in evaluation_batches(validation.examples.lengths):
                examples = [validation.examples[i] for i in indices]
                batch = self.collate(examples, 0).to(device)
                scores = _scores(module, batch)  # (B, T, 2)
                total += float(_loss(scores, batch))
                for i, (_, _, spans, _), each, context in zip(
                    indices, examples, scores.cpu(), batch.context.tolist(), strict=True
                ):
                    origin = validation.examples.origin(i)
                    before = predictions.get(origin, BestSpan())
                    predictions[origin] = self._predict(each, context, spans, before)
        loss = total / max(len(validation.examples), 1)
        return self._measure(loss, predictions, validation)

    def export(self, module: nn.Module) -> Mapping[str, Bundle]:
        """The one model of this task. It reads windows of the length of training."""
        assert isinstance(module, Model)
        bundle = build_encoder_bundle(module, self.inputs)
        return {"final": replace(bundle, longest_source=self._limits.window)}

    def _predict(
        self, scores: Tensor, context: Sequence[int], spans: np.ndarray, before: BestSpan
    ) -> BestSpan:
        """Return the better of a window's best span and that of the windows before it.

        scores: (T, 2). spans: the characters of the window's pieces, see `encode_questions`.
        """
        first, n_pieces = context
        null = min(before.null, float(scores[NULL].double().sum()))
        if not n_pieces:
            return before._replace(null=null)
        start, end = scores[first : first + n_pieces].T.double()
        longest = self._objective.answer_tokens
        flat = score_spans(start, end, longest).flatten()
        best, index = flat.max(0)
        if float(best) <= before.score:
            return before._replace(null=null)
        begin, n_more = divmod(int(index), longest)
        characters = spans.reshape(-1, 2)
        stop = characters[begin + n_more][1]
        total = float(flat.logsumexp(0))
        return BestSpan(float(best), int(characters[begin][0]), int(stop), null, total)

    def _measure(
        self, loss: float, predictions: Mapping[str, BestSpan], validation: ValidationData
    ) -> Metrics:
        """Return the metrics of the best spans of all questions, and their details."""
        records, language = validation.records, self.inputs.config.data.source_language
        contexts = (record.values[1] for record in records)
        score = choose_scorer(language, contexts, (record.values[2] for record in records))
        may_be_null = not all(record.values[2] for record in records)
        scores: list[AnswerScore] = []
        wrong: list[WrongExample] = []
        for record in records:
            origin = record.origin
            answer = self._answer(record.values[1], predictions[origin], may_be_null)
            references = [span.text for span in record.values[2]]
            scores.append(score(answer.text, references))
            if validation.list_wrong and not scores[-1].exact_match:
                gold = " | ".join(dict.fromkeys(references))
                numbers = (answer.probability, scores[-1].f1)
                wrong.append(WrongExample(origin, gold, answer.text, numbers))
        wrong.sort(key=lambda each: -each.numbers[0])
        rows = np.array(scores)  # (N, 2)
        listed = WrongExamples(("probability", "f1"), wrong) if validation.list_wrong else None
        by_example = ByExample(
            len(rows),
            lambda i: _means(rows[i]),
            lambda: [record.origin for record in records],
            shares=("exact_match",),
        )
        return Metrics({"loss": loss, **_means(rows)}, by_example, Details(wrong=listed))

    def _answer(self, context: str, best: BestSpan, may_be_null: bool) -> PredictedAnswer:
        total = np.logaddexp(best.total, best.null) if may_be_null else best.total
        if may_be_null and best.null - best.score > self._objective.null_threshold:
            return PredictedAnswer("", exp(best.null - total))
        text = context[slice(*strip_span(context, best.begin, best.end))]
        return PredictedAnswer(text, exp(best.score - total))

    @property
    def _limits(self) -> WindowLimits:
        window, objective = max_row_tokens(self.inputs.config), self._objective
        return WindowLimits(window, objective.stride, objective.question_tokens)

    @property
    def _objective(self) -> QuestionAnsweringConfig:
        objective = self.inputs.config.objective
        assert isinstance(objective, QuestionAnsweringConfig)
        return objective


def _means(scores: np.ndarray) -> dict[str, float]:
    """scores: (N, 2), exact match and F1 of each question."""
    exact_match, f1 = scores.mean(0)
    return {"exact_match": float(exact_match), "f1": float(f1)}


def _scores(module: nn.Module, batch: QuestionBatch) -> Tensor:
    """Logits of each token as the first and as the last of the answer, (B, T, 2)."""
    assert isinstance(module, Model)
    return module.heads[HEAD](compute_states(module, batch.rows))


def _loss(scores: Tensor, batch: QuestionBatch) -> Tensor:
    """The sum over windows."""
    if batch.rows.keep is not None:
        scores = scores.masked_fill(~batch.rows.keep[..., None], float("-inf"))
    rows = scores.transpose(1, 2).flatten(0, 1)  # (B * 2, T)
    return cross_entropy(rows, batch.targets.flatten()) / 2

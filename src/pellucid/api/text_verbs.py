"""The verbs that give labels, tags, answers, numbers, vectors, or words for gaps."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import inf
from typing import Any

from torch import Tensor

from pellucid.api.packed_model import PackedModel
from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.read import build
from pellucid.config.tasks.question_answering import ANSWER_TOKENS
from pellucid.inference.answer import Answer, answer
from pellucid.inference.classify import Classified, classify
from pellucid.inference.embed import embed
from pellucid.inference.fill import Filled, fill, filled_in
from pellucid.inference.similarity import similarity
from pellucid.inference.tag import Tagged, tag
from pellucid.inference.text_pairs import Texts
from pellucid.text.guard import check_many
from pellucid.text.words import split_words


class TextVerbs(PackedModel):
    """Methods of a loaded model."""

    def fill(self, texts: Sequence[str], top: int = 5) -> list[list[list[Filled]]]:
        """Return the `top` most probable tokens for each gap (mask token) of each text, best first.

        Raises: UsageError if the model fills no gaps, or a text has none.
        """
        check_many(texts, "fill")
        return fill(self._packed, texts, top)

    def filled_in(self, text: str, words: Sequence[Filled]) -> str:
        """Return the text with a word in place of each gap."""
        return filled_in(self.bundle, text, [word.token for word in words])

    def tag(self, sentences: Sequence[str | Sequence[str]]) -> list[Tagged]:
        """Return a tag for each word of each sentence, with its probability.

        A sentence is a list of words, or a string whose words are separated by spaces.
        Raises: UsageError if the model has no head for tags, or sentences is one string.
        """
        check_many(sentences, "tag")
        return tag(self._packed, [split_words(sentence) for sentence in sentences])

    def classify(
        self, texts: Sequence[Texts], *, on_cut: Callable[[int], None] | None = None
    ) -> list[Classified]:
        """Return the labels of each text, or pair of texts, with their probabilities.

        on_cut: called with the number of texts that are longer than the model reads, if any.
        Raises: UsageError if the model has no head that classifies, or texts is one string.
        """
        check_many(texts, "classify")
        return classify(self._packed, texts, on_cut)

    def similarity(
        self, pairs: Sequence[Sequence[str]], *, on_cut: Callable[[int], None] | None = None
    ) -> list[float]:
        """Return a number for each pair of texts: a regression head's score, or a cosine.

        on_cut: called with the number of pairs (or texts) that the model cuts, if any.
        Raises: UsageError if the model's head classifies texts, or pairs is no list of pairs.
        """
        check_many(pairs, "similarity")
        return similarity(self._packed, pairs, on_cut)

    def answer(
        self,
        questions: Sequence[tuple[str, str]],
        *,
        top: int = 1,
        answer_tokens: int = ANSWER_TOKENS,
        null_threshold: float = inf,
    ) -> list[list[Answer]]:
        """Return the `top` most probable answers to each question, best first.

        questions: pairs of a question and the context that has the answer. answer_tokens: maximum
        tokens of an answer. null_threshold: "no answer" precedes answers whose score it exceeds by
        more than this; inf: there is always an answer.
        Raises: UsageError if the model has no head that finds answers.
        """
        check_many(questions, "answer")
        return answer(self._packed, questions, top, answer_tokens, null_threshold)

    def embed(
        self,
        texts: Sequence[str],
        *,
        on_cut: Callable[[int], None] | None = None,
        **settings: Any,
    ) -> Tensor:
        """Return a vector for each text, (N, D) in float32 on the CPU.

        on_cut: called with the number of texts that are longer than the model reads, if any.
        settings: fields of `EmbeddingConfig`, e.g. pooling="first"; others are read from
        the model directory.
        Raises: ConfigError if a setting is impossible; UsageError if texts is one string.
        """
        check_many(texts, "embed")
        config = build(EmbeddingConfig, asdict(self.bundle.embedding) | settings, "embed")
        return embed(self._packed, texts, config, on_cut)

"""`/v1/classify`, `/v1/tag`, `/v1/answer`, `/v1/fill` and `/v1/similarity`."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from pellucid.config.tasks.question_answering import ANSWER_TOKENS
from pellucid.serve.bodies import Body, Texts, as_list, check_texts
from pellucid.serve.limits import Limits
from pellucid.serve.routing import ServedSite, make_router
from pellucid.text.words import split_words

router = make_router()
Pair = Annotated[list[str], Field(min_length=2, max_length=2)]
MAX_TOP = 100
MAX_ANSWER_TOKENS = 512


class ClassifyBody(Body):
    """Texts, or pairs of texts, to classify."""

    text: str | list[str | Pair]


class LabelProbability(BaseModel):
    """A label and its probability."""

    label: str
    probability: float


class Classification(BaseModel):
    """The labels of a text."""

    labels: list[str] = Field(description="One; of a multi-label model any number.")
    probability: float = Field(description="Of exactly these labels.")
    ranked: list[LabelProbability] = Field(description="All labels, most probable first.")


class Classifications(BaseModel):
    """The labels of each text."""

    model: str
    results: list[Classification]


@router.post("/v1/classify")
async def classify(body: ClassifyBody, site: ServedSite) -> Classifications:
    """Classify texts or pairs of texts."""
    items = as_list(body.text)
    texts = _check_items("text", items, site.limits)
    model = site.models.choose(body.model, "classify")
    await model.check_lengths(texts)
    results = await model.run("classify", items, {}, body.seconds(site.limits))
    return Classifications(
        model=model.name,
        results=[
            Classification(
                labels=list(each.labels),
                probability=each.probability,
                ranked=[LabelProbability(**label._asdict()) for label in each.ranked],
            )
            for each in results
        ],
    )


class TagBody(Body):
    """Sentences to tag: words separated by spaces, or lists of words."""

    text: str | list[str | list[str]]


class TaggedSentence(BaseModel):
    """A tag for each word."""

    words: list[str]
    tags: list[str]
    probabilities: list[float]


class TaggedSentences(BaseModel):
    """The tags of each sentence."""

    model: str
    results: list[TaggedSentence]


@router.post("/v1/tag")
async def tag(body: TagBody, site: ServedSite) -> TaggedSentences:
    """Tag the words of sentences."""
    items = as_list(body.text)
    _check_items("text", items, site.limits)
    model = site.models.choose(body.model, "tag")
    sentences = [list(split_words(each)) for each in items]
    results = await model.run("tag", sentences, {}, body.seconds(site.limits))
    return TaggedSentences(
        model=model.name,
        results=[
            TaggedSentence(words=words, tags=list(r.tags), probabilities=list(r.probabilities))
            for words, r in zip(sentences, results, strict=True)
        ],
    )


class Question(BaseModel):
    """A question and the text that has its answer."""

    question: str
    context: str


class AnswerBody(Body):
    """Questions about texts."""

    questions: list[Question]
    top: int = Field(1, ge=1, le=MAX_TOP, description="Answers per question.")
    answer_tokens: int = Field(ANSWER_TOKENS, ge=1, le=MAX_ANSWER_TOKENS)
    null_threshold: float | None = Field(
        None,
        description='"No answer" precedes answers whose score it exceeds by more than this; left '
        "out: there is always an answer.",
    )


class AnswerSpan(BaseModel):
    """A part of a context."""

    text: str
    probability: float
    start: int = Field(description="Its first character in the context.")
    end: int


class Answers(BaseModel):
    """The best answers to each question."""

    model: str
    answers: list[list[AnswerSpan]]


@router.post("/v1/answer")
async def answer(body: AnswerBody, site: ServedSite) -> Answers:
    """Find answers in texts."""
    pairs = [(each.question, each.context) for each in body.questions]
    _check_items("questions", pairs, site.limits)
    settings: dict[str, float] = {"top": body.top, "answer_tokens": body.answer_tokens}
    if body.null_threshold is not None:
        settings["null_threshold"] = body.null_threshold
    model = site.models.choose(body.model, "answer")
    results = await model.run("answer", pairs, settings, body.seconds(site.limits))
    answers = [[AnswerSpan(**each._asdict()) for each in ranked] for ranked in results]
    return Answers(model=model.name, answers=answers)


class FillBody(Body):
    """Texts with gaps, each the mask token of the model: `[MASK]` or `<mask>`."""

    text: Texts
    top: int = Field(5, ge=1, le=MAX_TOP, description="Words per gap.")


class Word(BaseModel):
    """A word for a gap; it begins with a space if it begins a word."""

    token: str
    probability: float


class FilledText(BaseModel):
    """A text without gaps, and the words for each gap."""

    text: str
    gaps: list[list[Word]]


class FilledTexts(BaseModel):
    """The texts without gaps."""

    model: str
    results: list[FilledText]


@router.post("/v1/fill")
async def fill(body: FillBody, site: ServedSite) -> FilledTexts:
    """Fill the gaps of texts."""
    texts = check_texts("text", as_list(body.text), site.limits)
    model = site.models.choose(body.model, "fill")
    await model.check_lengths(texts)
    results = await model.run("fill", texts, {"top": body.top}, body.seconds(site.limits))
    return FilledTexts(
        model=model.name,
        results=[
            FilledText(
                text=model.model.filled_in(text, [words[0] for words in gaps]),
                gaps=[[Word(**word._asdict()) for word in words] for words in gaps],
            )
            for text, gaps in zip(texts, results, strict=True)
        ],
    )


class SimilarityBody(Body):
    """Pairs of texts to compare."""

    pairs: list[Pair]


class Similarities(BaseModel):
    """A number per pair: the score of a model trained for it, or the cosine of two vectors."""

    model: str
    scores: list[float]


@router.post("/v1/similarity")
async def compare(body: SimilarityBody, site: ServedSite) -> Similarities:
    """Say how similar the two texts of each pair are."""
    texts = _check_items("pairs", body.pairs, site.limits)
    model = site.models.choose(body.model, "similarity")
    await model.check_lengths(texts)
    scores = await model.run("similarity", body.pairs, {}, body.seconds(site.limits))
    return Similarities(model=model.name, scores=scores)


def _check_items(name: str, items: Sequence[str | Sequence[str]], limits: Limits) -> list[str]:
    """Return all texts of texts or pairs. Raises: UsageError if there are too many or too long."""
    check_texts(name, ["" for _ in items], limits)
    joined = [item if isinstance(item, str) else " ".join(item) for item in items]
    return check_texts(name, joined, limits)

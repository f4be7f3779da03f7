"""`/v1/summarize`."""

from pydantic import BaseModel, Field

from pellucid.serve.bodies import SearchBody, Texts, as_list, check_texts, rank
from pellucid.serve.routing import ServedSite, make_router

router = make_router()


class SummarizeBody(SearchBody):
    """Texts to summarize."""

    text: Texts
    source_prefix: str | None = Field(
        None,
        description="Text before each text, such as T5's \"summarize: \"; the model's if left out.",
    )


class Summary(BaseModel):
    """A summary."""

    text: str
    score: float = Field(description="Length-normalised log-probability.")
    finished: bool = Field(description="False if it was cut at its maximum length.")
    tokens_cut: int = Field(description="Tokens of the text that the model could not read.")


class Summaries(BaseModel):
    """The summaries of each text, best first: `n_best`."""

    model: str
    summaries: list[list[Summary]]


@router.post("/v1/summarize")
async def summarize(body: SummarizeBody, site: ServedSite) -> Summaries:
    """Summarize texts."""
    texts = check_texts("text", as_list(body.text), site.limits)
    settings = body.search(site.limits)
    if body.source_prefix is not None:
        check_texts("source_prefix", [body.source_prefix], site.limits)
        settings["source_prefix"] = body.source_prefix
    model = site.models.choose(body.model, "summarize")
    await model.check_lengths(texts)
    results = await model.run("summarize", texts, settings, body.seconds(site.limits))
    return Summaries(
        model=model.name,
        summaries=[
            [
                Summary(
                    text=each.text,
                    score=each.score,
                    finished=each.finished,
                    tokens_cut=each.source_cut,
                )
                for each in rank(result)
            ]
            for result in results
        ],
    )

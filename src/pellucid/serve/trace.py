"""`/v1/trace`: every intermediate result of a text, as `pellucid trace --json` prints it."""

from typing import Any

from pydantic import BaseModel, Field

from pellucid.errors import UsageError
from pellucid.serve.bodies import Body
from pellucid.serve.limits import Limits
from pellucid.serve.routing import ServedSite, make_router

router = make_router()
MAX_TOP = 100


class TraceBody(Body):
    """A text to trace; two texts with a tab between them are a pair."""

    text: str
    target: str | None = Field(None, description="What the decoder writes; left out: its own.")
    to: str = ""
    source_language: str = ""
    max_new: int = Field(8, ge=0, description="Tokens with which a decoder continues the text.")
    head: str | None = None
    parts: list[str] = Field([], description="Parts of the trace; none means all.")
    layers: list[int] = Field([], description="Layers, from 0; none means all.")
    top: int = Field(10, ge=1, le=MAX_TOP, description="Tokens that are named at each position.")


class TraceResponse(BaseModel):
    """A trace."""

    model: str
    trace: dict[str, Any]


@router.post("/v1/trace")
async def trace(body: TraceBody, site: ServedSite) -> TraceResponse:
    """Return every intermediate result of a text."""
    check_traced(site.limits, text=body.text, target=body.target or "")
    if body.max_new > site.limits.traced_characters:
        raise UsageError(f"max_new={body.max_new} is above {site.limits.traced_characters}.")
    names = ("target", "to", "source_language", "max_new", "head", "parts", "layers", "top")
    settings = {name: getattr(body, name) for name in names}
    model = site.models.choose(body.model, "trace")
    (result,) = await model.run("trace", [body.text], settings, body.seconds(site.limits))
    return TraceResponse(model=model.name, trace=result)


def check_traced(limits: Limits, **texts: str) -> None:
    """Raises: UsageError if a text is too long for its inside to be shown."""
    for name, text in texts.items():
        if len(text) > limits.traced_characters:
            raise UsageError(
                f"{name} has {len(text):,} characters, more than {limits.traced_characters}, whose"
                " inside this server shows. Shorten it."
            )

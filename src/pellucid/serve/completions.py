"""`/v1/completions`, as OpenAI's."""

import secrets
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pellucid.config.decoding import METHOD_SETTINGS
from pellucid.errors import PellucidError, UsageError
from pellucid.inference.methods import StreamEnd
from pellucid.serve.bodies import SearchBody, as_list, check_strings, check_texts
from pellucid.serve.errors import dump_error, status_of
from pellucid.serve.job import Work
from pellucid.serve.limits import Limits
from pellucid.serve.routing import ServedSite, make_router
from pellucid.serve.served import ServedModel

router = make_router()
MAX_TOKENS = 16
"""The default of OpenAI."""
OF_SAMPLING = METHOD_SETTINGS["sample", "mbr"]
"""Settings that do not matter where the most probable token is taken."""


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool = False


class CompletionBody(SearchBody):
    """Prompts to continue. Without `method` and `beam`, texts are sampled as OpenAI's.

    A field that is null is left out.
    """

    prompt: str | list[str]
    max_tokens: int | None = Field(
        MAX_TOKENS, ge=1, description="Maximum number of tokens of a text."
    )
    n: int | None = Field(1, ge=1, description="Texts for each prompt.")
    temperature: float | None = Field(
        1.0, ge=0, description="0: the most probable token each time."
    )
    stop: str | list[str] | None = Field(None, description="Strings that end a text.")
    code: str = Field("", description="Control code before each prompt, of a model that has them.")
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(None, description="Ignored.")
    logprobs: None = Field(None, description="Not computed.")

    @property
    def n_texts(self) -> int:
        """The number of texts for each prompt."""
        return 1 if self.n is None else self.n

    def generation(self, limits: Limits) -> dict[str, Any]:
        """Return the keyword arguments of `generate`. Raises: UsageError."""
        chosen = self.search(limits)
        if self.n_best is not None or self.max_length is not None:
            raise UsageError("completions have n and max_tokens for n_best and max_length.")
        chosen.pop("stop", None)  # of a search it is another setting
        chosen |= {"max_length": self.max_tokens or MAX_TOKENS, "n_best": self.n_texts}
        chosen.setdefault("temperature", 1.0)
        if not {"method", "beam"} & chosen.keys():
            if chosen["temperature"]:
                chosen["method"] = "sample"
            else:
                chosen = {k: value for k, value in chosen.items() if k not in OF_SAMPLING}
                chosen |= {"method": "beam", "beam": 1, "groups": 1, "diversity": 0.0, "n_best": 1}
        if chosen.get("method") == "sample":
            chosen.setdefault("seed", secrets.randbelow(1 << 31))
        stop = as_list(self.stop or [])
        check_strings("stop", stop, limits)
        return chosen | {"stop_at": stop, "code": self.code}


class Usage(BaseModel):
    """Counts of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Choice(BaseModel):
    """A generated text."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    logprobs: None = None


class Completion(BaseModel):
    """Generated texts, `n` for each prompt in turn."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


@router.post(
    "/v1/completions",
    response_model=Completion,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Texts, or a stream."}},
)
async def complete(body: CompletionBody, site: ServedSite) -> Completion | Response:
    """Continue prompts."""
    prompts = check_texts("prompt", as_list(body.prompt), site.limits)
    settings = body.generation(site.limits)
    model = site.models.choose(body.model, "generate")
    await model.check_lengths(prompts)
    n_read = await model.count_tokens(prompts)
    seconds = body.seconds(site.limits)
    if body.stream:
        return await _stream(model, body, settings, (n_read, seconds))
    results = await model.run("generate", prompts, settings, seconds)
    texts = [text for each in results for text in _repeat(each, body.n_texts)]
    completion = _start(model)
    completion.choices = [
        Choice(index=i, text=text.text, finish_reason="stop" if text.finished else "length")
        for i, text in enumerate(texts)
    ]
    completion.usage = _count(n_read, sum(len(text.ids) for text in texts))
    return completion


def _repeat(result: Any, n: int) -> list[Any]:
    """Return n texts of a prompt, the last one repeatedly if there are fewer different ones.

    result: a text, or a list of texts.
    """
    texts = result if isinstance(result, list) else [result]
    return [texts[min(i, len(texts) - 1)] for i in range(n)]


async def _stream(
    model: ServedModel, body: CompletionBody, settings: dict[str, Any], counts: tuple[int, float]
) -> Response:
    """Return a stream of one text. Raises: errors before the first piece."""
    prompts = as_list(body.prompt)
    if body.n_texts > 1 or len(prompts) != 1:
        raise UsageError("a stream has one prompt and n=1. Send several requests.")
    n_read, seconds = counts
    model.check("generate", settings)
    work = Work("generate", prompts, settings, time.monotonic() + seconds)
    pieces = model.engine.stream(work)
    first = await anext(pieces)
    has_usage = body.stream_options is not None and body.stream_options.include_usage
    events = _events(first, pieces, _start(model), n_read if has_usage else None)
    return StreamingResponse(events, media_type="text/event-stream")


async def _events(
    first: str | StreamEnd,
    rest: AsyncIterator[str | StreamEnd],
    chunk: Completion,
    n_read: int | None,
) -> AsyncIterator[bytes]:
    """Yield the server-sent events of a text; an error after the first piece is an event too."""
    try:
        async for piece in _chain(first, rest):
            if isinstance(piece, StreamEnd):
                reason = "stop" if piece.finished else "length"
                chunk.choices = [Choice(index=0, text="", finish_reason=reason)]
                yield _event(chunk)
                if n_read is not None:
                    chunk.choices, chunk.usage = [], _count(n_read, piece.n_tokens)
                    yield _event(chunk)
            else:
                chunk.choices = [Choice(index=0, text=piece, finish_reason=None)]
                yield _event(chunk)
    except PellucidError as error:
        yield b"data: " + dump_error(str(error), status_of(error)) + b"\n\n"
    else:
        yield b"data: [DONE]\n\n"


async def _chain(
    first: str | StreamEnd, rest: AsyncIterator[str | StreamEnd]
) -> AsyncIterator[str | StreamEnd]:
    yield first
    async for piece in rest:
        yield piece


def _event(chunk: Completion) -> bytes:
    return f"data: {chunk.model_dump_json(exclude_unset=False)}\n\n".encode()


def _start(model: ServedModel) -> Completion:
    """Return a completion without texts."""
    created = int(time.time())
    return Completion(id=f"cmpl-{uuid.uuid4().hex}", created=created, model=model.name, choices=[])


def _count(n_read: int, n_written: int) -> Usage:
    total = n_read + n_written
    return Usage(prompt_tokens=n_read, completion_tokens=n_written, total_tokens=total)

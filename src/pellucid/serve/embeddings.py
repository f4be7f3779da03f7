"""`/v1/embeddings`, as OpenAI's."""

import base64
from typing import Literal

from pydantic import BaseModel, Field
from torch import Tensor

from pellucid.serve.bodies import Body, as_list, check_texts
from pellucid.serve.routing import ServedSite, make_router

router = make_router()


class EmbeddingBody(Body):
    """Texts to embed."""

    input: str | list[str]
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: the bytes of little-endian float32."
    )
    pooling: Literal["mean", "first", "max"] | None = Field(
        None, description="How states of tokens become one vector; the model's way if left out."
    )
    normalize: bool | None = Field(None, description="Divide each vector by its norm.")
    user: str | None = Field(None, description="Ignored.")


class Embedding(BaseModel):
    """The vector of a text."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Counts of tokens."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """One vector per text."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


@router.post("/v1/embeddings")
async def embed(body: EmbeddingBody, site: ServedSite) -> Embeddings:
    """Return the vectors of texts."""
    texts = check_texts("input", as_list(body.input), site.limits)
    model = site.models.choose(body.model, "embed")
    await model.check_lengths(texts)
    chosen = {"pooling": body.pooling, "normalize": body.normalize}
    settings = {name: value for name, value in chosen.items() if value is not None}
    vectors = await model.run("embed", texts, settings, body.seconds(site.limits))
    n_read = await model.count_tokens(texts)
    return Embeddings(
        data=[
            Embedding(index=i, embedding=_encode(vector, body.encoding_format))
            for i, vector in enumerate(vectors)
        ],
        model=model.name,
        usage=EmbeddingUsage(prompt_tokens=n_read, total_tokens=n_read),
    )


def _encode(vector: Tensor, encoding: str) -> list[float] | str:
    """vector: (D,)."""
    if encoding == "float":
        return vector.tolist()
    return base64.b64encode(vector.numpy().astype("<f4").tobytes()).decode()

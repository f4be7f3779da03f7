"""`/health`, `/ready` and `/v1/models`."""

from typing import Literal

from pydantic import BaseModel, Field

from pellucid.serve.routing import ServedSite, make_router
from pellucid.serve.served import ServedModel

router = make_router()


class Health(BaseModel):
    """The server runs."""

    status: Literal["ok"] = "ok"


class ListedModel(BaseModel):
    """A model of the server."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Unix time when it was loaded.")
    owned_by: str = "pellucid"
    task: str
    languages: list[str] = Field(description="Source and target language; empty if unknown.")
    verbs: list[str] = Field(description="What the model can do.")
    mask: str | None = Field(description="What marks a gap in a text, if the model fills gaps.")


class ModelList(BaseModel):
    """The models of the server."""

    object: Literal["list"] = "list"
    data: list[ListedModel]


@router.get("/health")
async def health() -> Health:
    """Say that the server runs."""
    return Health()


@router.get("/ready")
async def ready(site: ServedSite) -> Health:
    """Say that the server takes requests; status 429 or 503 if a queue is full, or it ends."""
    for model in site.models.by_name.values():
        model.engine.check_open()
    return Health()


@router.get("/v1/models")
async def list_models(site: ServedSite) -> ModelList:
    """List the models and what they can do."""
    return ModelList(data=[_describe(model) for model in site.models.by_name.values()])


@router.get("/v1/models/{name}")
async def show_model(name: str, site: ServedSite) -> ListedModel:
    """Describe a model."""
    return _describe(site.models.find(name))


def _describe(model: ServedModel) -> ListedModel:
    return ListedModel(
        id=model.name,
        created=model.created,
        task=model.model.task,
        languages=[each for each in model.model.bundle.languages if each],
        verbs=list(model.verbs),
        mask=model.model.tokenizer.source.tokens["mask"] if "fill" in model.verbs else None,
    )

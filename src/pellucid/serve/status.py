"""`/health`, `/ready` and `/v1/models`."""

from typing import Literal

from pydantic import BaseModel, Field

from pellucid.serve.routing import ServedSite, make_router

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


class ModelList(BaseModel):
    """The models of the server."""

    object: Literal["list"] = "list"
    data: list[ListedModel]


@router.get("/health")
async def health() -> Health:
    """Say that the server runs."""
    return Health()


@router.get("/v1/models")
async def list_models(site: ServedSite) -> ModelList:
    """List the models and what they can do."""
    return ModelList(
        data=[
            ListedModel(
                id=model.name,
                created=model.created,
                task=model.model.task,
                languages=[each for each in model.model.bundle.languages if each],
                verbs=list(model.verbs),
            )
            for model in site.models.by_name.values()
        ]
    )

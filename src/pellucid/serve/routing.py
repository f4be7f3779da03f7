"""What all routes share: strict JSON, the server's models, and the documented errors."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from pellucid.json_files import parse_json
from pellucid.serve.access import Access
from pellucid.serve.limits import Limits
from pellucid.serve.served import Models


@dataclass(frozen=True)
class Site:
    """What the routes of a server share."""

    models: Models
    limits: Limits
    access: Access


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str


class Error(BaseModel):
    """The response to a request that failed."""

    error: ErrorDetail


class FlatError(BaseModel):
    """The response to a request that failed, as LibreTranslate's."""

    error: str


REFUSALS = (400, 401, 403, 404, 408, 413, 415, 429, 503, 504)


class StrictRequest(Request):
    """A request whose JSON has no key twice, only finite numbers, and bounded depth."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            try:
                self._json = parse_json((await self.body()).decode())
            except ValueError as error:
                # FastAPI passes on no other error of a body.
                raise HTTPException(
                    400, f"the request is not JSON that can be read: {error}."
                ) from None
        return self._json


class StrictRoute(APIRoute):
    """A route that reads a `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly


def make_router(error: type[BaseModel] = Error) -> APIRouter:
    """Return a router whose routes read strict JSON and document their errors."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": error, "description": HTTPStatus(status).phrase} for status in REFUSALS
    }
    return APIRouter(route_class=StrictRoute, responses=responses)


async def _find_site(request: Request) -> Site:  # not in a thread, as FastAPI does without async
    return request.app.state.site


ServedSite = Annotated[Site, Depends(_find_site)]

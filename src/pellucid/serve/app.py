"""The application: all routes over some models, behind the guard."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pellucid import __version__
from pellucid.errors import PellucidError, UsageError
from pellucid.serve import status, translate
from pellucid.serve.access import Access
from pellucid.serve.errors import RequestError, error_response
from pellucid.serve.guard import FLAT_PATHS, Guard
from pellucid.serve.routing import Site

ROUTERS = (translate.router, status.router)


def make_app(site: Site, access: Access) -> Guard:
    """Return the application of a server."""
    app = FastAPI(title="pellucid", version=__version__, docs_url=None, redoc_url=None)
    app.state.site = site
    for router in ROUTERS:
        app.include_router(router)
    for kind in (PellucidError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _report)
    return Guard(app, access, site.limits, lambda scope, status, seconds: None)


async def _report(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        error = UsageError(_describe(error.errors()))
    elif isinstance(error, HTTPException):
        error = RequestError(HTTPStatus(error.status_code), error.detail)
    assert isinstance(error, PellucidError)
    return error_response(error, flat=request.url.path in FLAT_PATHS)


def _describe(errors: Sequence[Any]) -> str:
    """Return what is wrong with the first field that is wrong."""
    _, *path = errors[0]["loc"]
    name = ".".join(map(str, path[:1])) or "the request"
    if errors[0]["type"] == "extra_forbidden":
        return f"{name!r:.80} is not a field of this request. See /openapi.json for its fields."
    if errors[0]["type"] == "missing":
        return f"the request has no field {name!r:.80}, which it needs."
    reasons = [each["msg"] for each in errors if [*each["loc"]][1:2] == path[:1]]
    return f"{name}: {'; or: '.join(dict.fromkeys(reasons))}."

"""The application: all routes over some models, behind the request middleware."""

import logging
from http import HTTPStatus
from importlib import import_module

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pellucid import __version__
from pellucid.errors import PellucidError, UsageError
from pellucid.serve.errors import RequestError, describe_fields, error_response
from pellucid.serve.metrics import Metrics
from pellucid.serve.middleware import RequestMiddleware
from pellucid.serve.routing import Site

LOG = logging.getLogger("pellucid.serve")
ROUTED = (
    *("translate", "completions", "embeddings", "labels", "libretranslate", "summarize", "trace"),
    *("metrics", "pages", "status"),
)
"""Modules with routes, in the order in which a path is looked up."""


def make_app(site: Site) -> RequestMiddleware:
    """Return the application of a server."""
    app = FastAPI(title="pellucid", version=__version__, docs_url=None, redoc_url=None)
    app.state.site = site
    for name in ROUTED:
        app.include_router(import_module(f"pellucid.serve.{name}").router)
    schema = app.openapi()["paths"]
    app.state.metrics = Metrics(site.models, schema)
    for kind in (PellucidError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _report)
    app.add_exception_handler(Exception, _report_bug)
    for path in schema.values():
        for operation in path.values():
            operation["responses"].pop("422", None)  # FastAPI's own status of a wrong request
    observe, check_open = app.state.metrics.observe, site.models.check_open
    return RequestMiddleware(app, site.access, site.limits, observe, check_open)


async def _report(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        error = UsageError(describe_fields([{**e, "loc": e["loc"][1:]} for e in error.errors()]))
    elif isinstance(error, HTTPException):
        error = RequestError(HTTPStatus(error.status_code), error.detail, error.headers)
    assert isinstance(error, PellucidError)
    if error.__cause__ is not None:
        LOG.error("%s: %s", request.url.path, error, exc_info=error.__cause__)
    return error_response(error, request.url.path)


async def _report_bug(request: Request, error: Exception) -> Response:
    bug = RequestError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"internal error ({type(error).__name__}). This is a bug in pellucid.",
    )
    bug.__cause__ = error
    return await _report(request, bug)

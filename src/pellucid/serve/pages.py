"""The page at `/`, and the explorer of each model at `/explore/NAME/`."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from pellucid.errors import UsageError
from pellucid.explorer.live import describe_live
from pellucid.explorer.page import POLICY, policy, render_page
from pellucid.serve.job import Work
from pellucid.serve.limits import Limits
from pellucid.serve.routing import ServedSite, StrictRoute
from pellucid.serve.served import ServedModel
from pellucid.serve.trace import check_traced

PAGE = Path(__file__).with_name("page.html")
router = APIRouter(route_class=StrictRoute, include_in_schema=False)


@router.get("/")
async def show_page() -> HTMLResponse:
    """Return the page that tries the models."""
    return HTMLResponse(_read_page())


@router.get("/explore/{name}")
async def redirect(name: str, site: ServedSite) -> RedirectResponse:
    """Add the slash that the page's own addresses need."""
    return RedirectResponse(f"{site.models.find(name).name}/", HTTPStatus.TEMPORARY_REDIRECT)


@router.get("/explore/{name}/")
async def explore(name: str, site: ServedSite) -> HTMLResponse:
    """Return the explorer of a model."""
    return HTMLResponse(_render_explorer(site.models.find(name)))


@router.post("/explore/{name}/respond")
async def respond(name: str, request: Request, site: ServedSite) -> Response:
    """Answer the explorer's page; see `explorer.respond`."""
    model, record = site.models.find(name), await request.json()
    _check(record, site.limits)
    deadline = time.monotonic() + site.limits.timeout
    (reply,) = await model.engine.run(Work("explore", [record], {}, deadline))
    return Response(reply, media_type="application/json")


def _check(record: Any, limits: Limits) -> None:
    """Raises: UsageError if a request is about no text, or about a longer one than is traced."""
    text = record.get("text") if isinstance(record, Mapping) else None
    if not isinstance(text, Mapping):
        raise UsageError("the request has no text.")
    texts = {"text": text.get("text"), "target": text.get("target"), "other": record.get("other")}
    check_traced(limits, **{name: str(value or "") for name, value in texts.items()})
    search, most = record.get("search"), limits.traced_characters
    prefix = search.get("prefix") if isinstance(search, Mapping) else None
    if isinstance(prefix, Sequence) and len(prefix) > most:
        raise UsageError(f"prefix has {len(prefix):,} tokens, more than {most}. Shorten it.")
    max_new = text.get("max_new", 0)
    if not isinstance(max_new, int) or max_new > most:
        raise UsageError(f"max_new must be a number up to {most}.")


@cache
def _read_page() -> str:
    template = PAGE.read_text(encoding="utf-8")
    return template.replace(POLICY, policy(template, live=True), 1)


@cache
def _render_explorer(model: ServedModel) -> str:
    """Return the page of a model. Raises: ResourceError if the page is not built."""
    content: dict[str, Any] = describe_live(model.model.bundle, model.name)
    return render_page(content, live=True)

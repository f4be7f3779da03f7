"""Errors of a server, the status of each, and their JSON."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from pellucid.errors import (
    DataError,
    PellucidError,
    ResourceError,
    VerificationError,
    is_rust_panic,
)

FORM = "application/x-www-form-urlencoded"


class RequestError(PellucidError):
    """A request that is refused with a status of its own."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """headers: of the response, such as `Allow` of status 405."""
        super().__init__(message)
        self.status, self.headers = status, headers or {}


class OverloadedError(PellucidError):
    """The queue is full."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds, estimated from the queue and the recent rate."""


class DeadlineExceededError(PellucidError):
    """A request was not done in time."""


class ShuttingDownError(PellucidError):
    """The server ends and takes no more work."""


class ModelFailedError(PellucidError):
    """A model raised an unexpected error."""


STATUSES = {
    OverloadedError: HTTPStatus.TOO_MANY_REQUESTS,
    DeadlineExceededError: HTTPStatus.GATEWAY_TIMEOUT,
    ShuttingDownError: HTTPStatus.SERVICE_UNAVAILABLE,
    ModelFailedError: HTTPStatus.SERVICE_UNAVAILABLE,
    ResourceError: HTTPStatus.SERVICE_UNAVAILABLE,
    VerificationError: HTTPStatus.SERVICE_UNAVAILABLE,
    DataError: HTTPStatus.BAD_REQUEST,
}
"""Other errors that a user can fix are bad requests."""


def status_of(error: PellucidError) -> HTTPStatus:
    """Return the status that reports an error."""
    if isinstance(error, RequestError):
        return error.status
    known = (status for kind, status in STATUSES.items() if isinstance(error, kind))
    return next(known, HTTPStatus.BAD_REQUEST)


def has_flat_errors(path: str) -> bool:
    """Return whether errors are `{"error": "..."}`: for LibreTranslate and the explorer's page."""
    return path in ("/translate", "/languages") or path.startswith("/explore/")


def error_response(error: PellucidError, path: str) -> Response:
    """Return the response to a request that failed: `{"error": {"message": ...}}` as OpenAI's."""
    status = status_of(error)
    headers = dict(error.headers) if isinstance(error, RequestError) else {}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer, Basic realm="pellucid"'  # a browser asks for it
    content = dump_error(str(error), status, flat=has_flat_errors(path))
    return Response(content, status, headers, "application/json")


def dump_error(message: str, status: HTTPStatus, *, flat: bool = False) -> bytes:
    """Return an error as JSON of ASCII: a message may quote text that is no Unicode."""
    kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    code = status.name.lower()
    record: dict[str, Any] = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": message if flat else record}).encode()


@contextmanager
def convert_errors() -> Iterator[None]:
    """Raise ModelFailedError in place of unexpected errors of a model."""
    try:
        yield
    except PellucidError:
        raise
    except Exception as error:
        raise _failure(error) from error
    except BaseException as error:
        if not is_rust_panic(error):
            raise
        raise _failure(error) from error


def _failure(error: BaseException) -> ModelFailedError:
    return ModelFailedError(f"the model failed ({type(error).__name__}). Ask again.")


def describe_fields(errors: Sequence[Any]) -> str:
    """Return what is wrong with the first field that is wrong, of errors of pydantic."""
    path = errors[0]["loc"][:1]
    name = ".".join(map(str, path)) or "the request"
    if errors[0]["type"] == "extra_forbidden":
        return f"{name!r:.80} is not a field of this request. See /openapi.json for its fields."
    if errors[0]["type"] == "missing":
        return f"the request has no field {name!r:.80}, which it needs."
    reasons = [each["msg"] for each in errors if each["loc"][:1] == path]
    return f"{name}: {'; or: '.join(dict.fromkeys(reasons))}."

"""Who may ask: the names of the server, the origins of pages, and the API key."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from pellucid.errors import UsageError
from pellucid.explorer.server import names_with_port
from pellucid.serve.errors import RequestError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
OPEN_PATHS = ("/health", "/ready", "/languages", "/translate")
"""Paths that need no key. LibreTranslate's clients send it in the body, which is checked later."""


@dataclass(frozen=True)
class Access:
    """Rules about who may ask.

    A page of another site can make a browser send requests here. So a request must name this server
    in `Host` (a name that an attacker points to this machine is refused), and in `Origin` if it has
    one.
    """

    names: frozenset[str] | None
    """What `Host` may be; None: anything, which is safe only with a key."""
    key: str = ""
    """The API key; empty: none is needed."""

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Raises: RequestError, status 403 or 401, if the request is not allowed."""
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if self.names is not None and host not in self.names:
            raise RequestError(
                HTTPStatus.FORBIDDEN,
                f"Host {host!r:.80} is not a name of this server. Add it: --hosts NAME.",
            )
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            raise RequestError(HTTPStatus.FORBIDDEN, "a page of another site may not ask.")
        if path not in OPEN_PATHS:
            self.check_key(headers)

    def check_key(self, headers: Mapping[str, str], key: str = "") -> None:
        """Raises: RequestError, status 401, if neither the headers nor `key` is the API key."""
        if self.key and not (self._has_key(headers) or self._is_key(key)):
            raise RequestError(
                HTTPStatus.UNAUTHORIZED,
                "this server needs an API key. Send the header Authorization: Bearer KEY.",
            )

    def _has_key(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request has the key: as a bearer token, or as a browser's password."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_key(value.strip())
        if scheme.lower() == "basic":
            try:
                pair = base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, ValueError):
                return False
            return self._is_key(pair.partition(":")[2])
        return False

    def _is_key(self, value: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(value.encode(errors="replace"), self.key.encode())


def make_access(host: str, port: int, hosts: tuple[str, ...], key: str) -> Access:
    """Return the rules of a server that listens at an address.

    hosts: more names, such as that of a proxy before this server.
    Raises: UsageError if other machines could use it without a key, or no header can hold the key.
    """
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise UsageError("the API key must have ASCII characters, to be sent in a header.")
    is_local = host in ("127.0.0.1", "localhost", "::1")
    if not is_local and not key:
        raise UsageError(
            f"--host {host} lets other machines use this server, so it needs a key. Set the"
            " environment variable PELLUCID_API_KEY, or --api-key, or leave --host out."
        )
    if not is_local and not hosts:
        return Access(None, key)
    return Access(names_with_port(LOOPBACK, port) | {name.lower() for name in hosts}, key)

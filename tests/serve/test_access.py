"""E7: who may ask, and what is served. Authority: RFC 6454 (origins), RFC 7617, by hand."""

import base64
import http.client
import itertools
from http import HTTPStatus

import pytest

from explorer.foreign import FOREIGN
from pellucid.errors import UsageError
from pellucid.serve.access import make_access
from serve.conftest import run_server

KEY = "a-secret_key"


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/v1/models"), ("POST", "/x")])
def test_pages_of_other_sites_are_refused(server, headers, method, path):
    headers = {name: value.format(port=server.port) for name, value in headers.items()}
    response = server.client.request(method, path, headers=headers)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_pages_of_the_server_are_not_refused(server):
    for host in (f"{name}:{server.port}" for name in ("localhost", "127.0.0.1", "LocalHost")):
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert server.client.get("/health", headers=headers).status_code == 200


def test_a_key(loaded):
    with run_server({"gpt2": loaded["gpt2"]}, key=KEY) as server:
        bare = {"Authorization": ""}
        assert server.client.get("/v1/models").status_code == 200
        pair = base64.b64encode(f"me:{KEY}".encode()).decode()
        assert get(server, {"Authorization": f"Basic {pair}"}) == 200
        for wrong in (
            "",
            "Bearer",
            "Bearer x",
            f"Bearer {KEY}x",
            "Bearer \xe9",
            f"Basic {KEY}",
            "Basic eA==",
        ):
            assert get(server, {"Authorization": wrong}) == 401, wrong
        refused = server.client.get("/", headers=bare)
        assert "Basic" in refused.headers["WWW-Authenticate"]
        for path in ("/health", "/ready", "/languages"):
            assert server.client.get(path, headers=bare).status_code == 200
        body = {"q": "a", "source": "en", "target": "de"}
        for key, status in (("", 401), ("x", 401), (KEY, 400)):  # 400: no such languages
            response = server.client.post("/translate", json=body | {"api_key": key}, headers=bare)
            assert response.status_code == status


def get(server, headers):
    headers = {name: value.encode("latin-1") for name, value in headers.items()}
    return server.client.get("/v1/models", headers=headers).status_code


def test_names_of_a_proxy():
    access = make_access("127.0.0.1", 80, ("translate.example",), "")
    access.check("/", {"host": "translate.example", "origin": "https://translate.example"})
    access.check("/", {"host": "127.0.0.1"})
    with pytest.raises(UsageError, match="the API key"):
        make_access("127.0.0.1", 80, (), "ein Schlüssel")
    with pytest.raises(UsageError, match="needs a key"):
        make_access("192.168.1.2", 80, ("translate.example",), "")


def traversals():
    """At least 300 spellings of the path of a file."""
    dots = ("..", "%2e%2e", "%2E.", "..%00", "%252e%252e", "%c0%ae%c0%ae", "....", "..;", ".%2e")
    slashes = ("/", "%2f", "%5c", "\\", "//", "%252f")
    files = ("etc/passwd", "proc/self/environ", "page.html", "app.py")
    starts = ("/", "/explore/en-de/")
    for start, dot, slash, file in itertools.product(starts, dots, slashes, files):
        yield start + (dot + slash) * 6 + file


def test_no_file_is_served(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    wrong, paths = [], list(traversals())
    for path in paths:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read().decode()
        if response.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST) or "root:" in body:
            wrong.append((path, response.status, body[:100]))
    connection.close()
    assert not wrong
    assert len(paths) >= 300


def test_request_ids(server):
    wanted = server.client.get("/health", headers={"X-Request-ID": "my-request.1"})
    assert wanted.headers["x-request-id"] == "my-request.1"
    other = server.client.get("/health", headers={"X-Request-ID": "a\tb <script>"})
    assert other.headers["x-request-id"] != "a\tb <script>"
    assert len(other.headers["x-request-id"]) == 32
    refused = server.client.get("/no", headers={"X-Request-ID": "mine"})
    assert (refused.status_code, refused.headers["x-request-id"]) == (404, "mine")


def test_another_method_is_refused_with_those_that_are_allowed(server):  # RFC 9110, 15.5.6
    response = server.client.get("/translate")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")

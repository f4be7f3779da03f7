"""The live page's server.

Authority: HTTP by the standard library's client, and raw bytes on a socket. What must be refused:
RFC 6454 (origins), and requests whose `Host` is another name, as a rebound DNS name sends it.
"""

import http.client
import json
import socket
import threading
import time

import pytest

from cancellable import CancellableWork
from explorer.foreign import FOREIGN
from pellucid.errors import PellucidError, ResourceError, UsageError
from pellucid.explain.cancellation import check_cancelled
from pellucid.explorer import server as server_module
from pellucid.explorer.server import MAX_REQUEST, Site, open_server

JSON = {"Content-Type": "application/json"}
PAGE = "<!doctype html><p>花园</p>"


def answer(record):
    if record == "wrong":
        raise UsageError("the text is empty. Give a sentence.")
    if record == "nan":
        return {"logit": float("nan")}
    if record == "bug":
        raise PellucidError("internal error")
    return {"answer": record}


@pytest.fixture
def server():
    with open_server() as server:
        server.site = Site(PAGE, answer)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send(server, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    data = response.read().decode()
    connection.close()
    return response, data


def ask(server, record, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response, data = send(server, "POST", "/respond", json.dumps(record), JSON | names)
    return response.status, json.loads(data)


def test_the_page_and_a_reply(server):
    response, data = send(server, "GET", "/")
    assert (response.status, data) == (200, PAGE)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert ask(server, "花园") == (200, {"answer": "花园"})
    assert ask(server, 1, Origin=server.address.rstrip("/")) == (200, {"answer": 1})
    assert ask(server, 1, Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("headers", [*FOREIGN, {"Origin": "https://127.0.0.1:{port}"}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_sites_are_refused(server, headers, method):
    headers = {name: value.format(port=server.server_port) for name, value in headers.items()}
    path = "/" if method == "GET" else "/respond"
    response, data = send(server, method, path, "1", JSON | headers)
    assert response.status == 403
    assert PAGE not in data


@pytest.mark.parametrize("path", ["/x", "/etc/passwd", "/../pyproject.toml", "/respond/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_there_are_no_files(server, path, method):
    response, data = send(server, method, path, "1", JSON)
    assert response.status == 404
    assert json.loads(data)["error"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("{", {}, 400),
        ("[" * 100_000, {}, 400),
        ("1" * 5000, {}, 400),  # a number that Python refuses to read
        ("1", {"Content-Type": "text/plain"}, 415),  # which a form of another site could send
        ("1", {"Content-Length": "x"}, 411),
        ("1", {"Content-Length": "-1"}, 411),
        ("1", {"Content-Length": str(MAX_REQUEST + 1)}, 413),
    ],
)
def test_bad_requests(server, body, headers, status):
    response, data = send(server, "POST", "/respond", body, JSON | headers)
    assert response.status == status
    assert json.loads(data)["error"]


def test_errors_reach_the_page(server):
    assert ask(server, "wrong") == (400, {"error": "the text is empty. Give a sentence."})
    assert ask(server, "bug") == (500, {"error": "internal error"})
    status, reply = ask(server, "nan")
    assert status == 400
    assert "not a number (NaN)" in reply["error"]


def test_one_request_at_a_time(server):
    running, most, lock = 0, 0, threading.Lock()

    def slow(record):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return {}

    server.site = Site(PAGE, slow)
    threads = [threading.Thread(target=ask, args=(server, n)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_work_ends_when_its_page_is_closed(server):
    work = CancellableWork()

    def respond(record):
        if record == "short":
            check_cancelled()
        else:
            work.run()
        return {}

    server.site = Site(PAGE, respond)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("POST", "/respond", '"long"', JSON)
    assert work.begun.wait(10)
    assert not work.cancelled.wait(0.2)
    connection.close()
    assert ask(server, "short") == (200, {})  # it waited until the other was cancelled
    assert work.cancelled.is_set()


def test_a_silent_client_blocks_nobody(server, monkeypatch):
    monkeypatch.setattr(server_module.Handler, "timeout", 0.2)
    with socket.create_connection(("127.0.0.1", server.server_port)) as silent:
        silent.sendall(b"POST /respond HTTP/1.1\r\n")
        assert ask(server, 1) == (200, {"answer": 1})
        silent.settimeout(5)
        assert silent.recv(1000) == b""  # closed


def test_a_port_in_use(server):
    with pytest.raises(ResourceError, match=r"in use.*--port"):
        open_server(server.server_port)


def test_the_default_port_gives_way(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(server_module, "DEFAULT_PORT", other.getsockname()[1])
        with open_server() as server:
            assert server.server_port != other.getsockname()[1]

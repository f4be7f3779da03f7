"""E2: hostile requests. Authority: the limits, and HTTP, by hand."""

import asyncio
import json
import socket
import threading
import time
from contextlib import closing, suppress
from http.client import HTTPConnection

import httpx
import pytest
import uvicorn

from pellucid.errors import ConfigError, UsageError
from pellucid.serve.access import Access
from pellucid.serve.errors import OverloadedError
from pellucid.serve.limits import Limits
from pellucid.serve.middleware import RequestMiddleware
from pellucid.serve.protocol import make_protocol
from pellucid.serve.run import bind
from pellucid.serve.served import Models, ServedModel
from serve.conftest import run_server

JSON = {"Content-Type": "application/json"}
NUMBERS = ("0", "-1", "2147483648", "9223372036854775808", "1e308", "1e999", "NaN", "-Infinity")
NUMBERS += ('"5"', "true", "[]", "{}", "1" * 5000, "0.5")
FINE = {("temperature", "0"), ("temperature", "0.5"), ("top_k", "0"), ("seed", "0")}
FINE |= {("timeout", value) for value in ("0.5", "1e308", "2147483648", "9223372036854775808")}
FINE |= {("top_k", "2147483648"), ("seed", "2147483648"), ("top_p", "0.5")}


def test_numbers(server):
    """A value is refused with a reason, or one of the few that have a meaning."""
    wrong, slowest = [], 0.0
    for name in ("n", "beam", "max_tokens", "temperature", "timeout", "top_k", "top_p", "seed"):
        for value in NUMBERS:
            rest = {"model": "gpt2", "prompt": "a", "max_tokens": 2}
            rest.pop(name, None)
            body = json.dumps(rest)[:-1] + f', "{name}": {value}}}'
            response = server.client.post("/v1/completions", content=body, headers=JSON)
            slowest = max(slowest, response.elapsed.total_seconds())
            good = (200,) if (name, value) in FINE else (400,)
            if response.status_code not in good or (good == (400,) and not reason(response)):
                wrong.append((name, value[:20], response.status_code, response.text[:200]))
    assert not wrong
    assert slowest < 2  # usually 5 ms; the machine may be busy


def test_checked_settings(loaded):
    """Settings are checked each time."""
    model = ServedModel(loaded["en-de"], "en-de", Limits(beams=5, tokens=600))
    for _ in range(2):
        model.check("translate", {"beam": 4, "max_length": 600})
        for settings in ({"beam": 6}, {"beam": True}, {"max_length": 4, "min_length": 4}):
            with pytest.raises((UsageError, ConfigError)):
                model.check("translate", settings)
    with pytest.raises(UsageError, match="limit"):
        model.check("translate", {"max_length": 601})


def reason(response):
    return response.json()["error"]["message"]


def endless():
    for _ in range(1600):
        yield b" " * (1 << 16)  # 100 MB


def tiny():
    body = json.dumps({"model": "en-de", "text": "A cat."}).encode()
    for start in range(0, len(body), 6):
        yield body[start : start + 6]


BODIES = {
    "deep": (b"[" * 1_000_000, {}, 400, "nests deeper"),
    "deep and closed": (b"[" * 400 + b"]" * 400, {}, 400, "nests deeper"),
    "100 MB": (endless, {}, 413, "more than 1,048,576 bytes"),
    "6-byte chunks": (tiny, {}, 200, None),
    "gzip": (b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415, "compressed"),
    "no JSON": (b"{", {}, 400, "the request is not JSON"),
    "nothing": (b"", {}, 400, "the request"),
    "no UTF-8": (b'{"text": "\xff"}', {}, 400, "the request is not JSON"),
    "a key twice": (b'{"text": "a", "text": "b"}', {}, 400, "occurs twice"),
    "half a pair": (b'{"model": "en-de", "text": "\\ud800"}', {}, 400, "ud800 is a lone surrogate"),
    "not an object": (b"3", {}, 400, "the request: "),
    "a form": (b"text=a", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "Send app"),
    "no type": (b"{}", {"Content-Type": ""}, 415, "content type"),
    "text/plain": (b"{}", {"Content-Type": "text/plain"}, 415, "content type"),
    "strings": (
        json.dumps({"model": "en-de", "text": "a", "banned": ["b"] * 100_000}).encode(),
        {},
        400,
        "banned has 100,000 strings",
    ),
    "texts": (json.dumps({"text": ["a"] * 200_000}).encode(), {}, 400, "text has 200,000 texts"),
    "one long text": (json.dumps({"text": "a" * 900_000}).encode(), {}, 400, "900,000 characters"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(server, name):
    body, headers, status, message = BODIES[name]
    content = body() if callable(body) else body
    response = server.client.post("/v1/translate", content=content, headers=JSON | headers)
    assert response.status_code == status, response.text
    assert message is None or message in reason(response)
    assert server.client.get("/health").elapsed.total_seconds() < 1


def raw(server, request, seconds=20):
    """The response to bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts).decode()


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        ("Content-Length: 99999999999\r\n", (413,)),
        ("Content-Length: -1\r\n", (400,)),
        ("Content-Length: 1e9\r\n", (400,)),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", (400,)),
        ("Transfer-Encoding: gzip\r\n", (400, 501)),
        ("X: " + "a" * 100_000 + "\r\n", (400, 431)),
        ("X-Request-ID: " + "a" * 500 + "\r\nContent-Length: 1048577\r\n", (413,)),
    ],
)
def test_heads(server, headers, statuses):
    head = f"POST /v1/translate HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n"
    request = head + "Content-Type: application/json\r\n" + headers + "\r\n"
    response = raw(server, request.encode())
    assert int(response.split()[1]) in statuses
    assert "a" * 400 not in response


def test_slow_clients_are_cut_off(loaded):
    """Slowloris in the head, in the body, a silent client, and one that reads nothing."""
    with run_server({"gpt2": loaded["gpt2"]}, Limits(patience=0.4)) as server:
        host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
        head = b"POST /v1/completions HTTP/1.1\r\n" + host
        body = head + b"Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
        begin = time.monotonic()
        for request, answer in ((b"", ""), (head, ""), (body, "408")):
            assert raw(server, request)[9:12] == answer
            assert server.client.get("/health").status_code == 200
        assert time.monotonic() - begin < 15
        with socket.create_connection(("127.0.0.1", server.port)) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            request = b"GET /openapi.json HTTP/1.1\r\n" + host + b"\r\n"
            with pytest.raises(OSError):
                send_and_read_nothing(lazy, request)


def send_and_read_nothing(connection, request):
    for _ in range(100):
        connection.sendall(request * 20)
        time.sleep(0.1)


def test_an_internal_error_is_an_answer_and_is_counted(loaded, monkeypatch):
    def fail(models, name, verb):
        raise ZeroDivisionError

    monkeypatch.setattr(Models, "choose", fail)
    with run_server({"classifier": loaded["classifier"]}) as server:
        message = server.refusal("/v1/classify", 500, text="good")
        assert message == "internal error (ZeroDivisionError). This is a bug in pellucid."
        counted, end = [], time.monotonic() + 10
        while not counted and time.monotonic() < end:  # it is counted after it is sent
            metrics = server.client.get("/metrics").text
            counted = [line for line in metrics.split("\n") if 'status="500"' in line]
        assert counted
        assert all("/v1/classify" in line for line in counted)
        assert 'status="499"' not in metrics


def test_clients_that_read_are_not_cut_off():
    """One that asks again just before its time for the first response is over, and reads slowly."""
    patience, size = 1.0, 32 << 20  # more than the system buffers

    async def app(scope, receive, send):
        body = b"x" * (size if scope["path"] == "/large" else 2)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    http = make_protocol(patience, 5)
    server = uvicorn.Server(uvicorn.Config(app, http=http, log_config=None, lifespan="off"))
    with bind("127.0.0.1", 0) as bound:
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        with closing(HTTPConnection(*bound.getsockname(), timeout=20)) as client:
            client.request("GET", "/")
            assert client.getresponse().read() == b"xx"
            time.sleep(patience - 0.3)
            client.request("GET", "/large")
            response, n = client.getresponse(), 0
            while part := response.read(size // 6):
                n += len(part)
                time.sleep(0.4 * patience)
        assert n == size
        server.should_exit = True
        thread.join(20)


def test_too_many_connections_are_closed(loaded):
    with run_server({"gpt2": loaded["gpt2"]}, Limits(connections=5)) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        time.sleep(0.2)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False)
        for connection in idle:
            connection.close()
        time.sleep(0.2)
        assert server.client.get("/health").status_code == 200


def test_settings_of_the_model_are_limited_too(loaded):
    assert loaded["en-de"].decoding().beam > 2
    with run_server({"en-de": loaded["en-de"]}, Limits(beams=2)) as server:
        assert "--beams" in server.refusal("/v1/translate", 400, text="A cat.")
        body = {"q": "A cat.", "source": "en", "target": "de"}
        assert server.post("/translate", **body).status_code == 400
        assert server.ask("/v1/translate", text="A cat.", beam=2)["translations"]


def test_an_endless_head(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(ConnectionError):  # closed while more is sent
            for _ in range(2000):
                connection.sendall(b"X: " + b"a" * 1000 + b"\r\n")
        with suppress(ConnectionError):
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400")


def test_a_full_server_reads_no_request():
    """Authority: the ASGI messages."""
    sent = []

    def refuse():
        raise OverloadedError("full", retry_after=3.0)

    async def unexpected(*_):
        pytest.fail("the request was read")

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/translate", "headers": []}
    observed = []
    middleware = RequestMiddleware(
        unexpected, Access(None), Limits(), lambda *each: observed.append(each), refuse
    )
    asyncio.run(middleware(scope, unexpected, send))
    assert (sent[0]["status"], observed[0][1]) == (429, 429)
    assert (b"retry-after", b"3") in sent[0]["headers"]
    scope["method"], read = "GET", []
    middleware.app = lambda *_: asyncio.sleep(0, read.append("the page"))
    asyncio.run(middleware(scope, lambda: asyncio.sleep(60), send))
    assert read == ["the page"]

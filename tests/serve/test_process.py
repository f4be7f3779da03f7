"""`pellucid serve` as a process. Authority: the operating system's exit codes, and HTTP."""

import asyncio
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from pellucid.cli.main import main
from pellucid.serve.run import bind

SERVE = [sys.executable, "-m", "pellucid", "serve"]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_serves_until_a_signal(number, code):
    with subprocess.Popen([*SERVE, "mine=en-de", "--port", "0"], **PIPES) as process:
        address = process.stdout.readline().strip()
        body = {"text": "The dog sleeps."}
        response = httpx.post(f"{address}v1/translate", json=body, timeout=60, trust_env=False)
        assert response.json()["translations"][0]["text"] == "Der Hund schläft."
        assert response.json()["model"] == "mine"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "", "Serving mine. Ctrl-C ends.\n")


def test_responses_are_sent_at_once():  # authority: the option of a connection's socket
    async def main() -> int:
        option = asyncio.get_running_loop().create_future()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sock = writer.get_extra_info("socket")
            option.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with bind("127.0.0.1", 0) as bound:
            async with await asyncio.start_server(accept, sock=bound):
                _, writer = await asyncio.open_connection(*bound.getsockname())
                writer.close()
                return await option

    assert asyncio.run(main())


@pytest.fixture
def fails(capsys, monkeypatch):
    """Run `serve`, which must fail before it serves. Return its exit code and one-line message."""
    monkeypatch.setenv("PELLUCID_API_KEY", "")

    def run(*args: str) -> tuple[int, str]:
        code = main(["serve", *args])
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return code, err

    return run


def test_a_port_in_use_is_one_line(fails):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, message = fails("en-de", "--port", port)
    assert code == 5
    assert f"127.0.0.1:{port} is in use" in message


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["en-fr"], 3, "there is no model at 'en-fr'"),
        (["en-de", "--host", "0.0.0.0"], 2, "PELLUCID_API_KEY"),
        (["a/en-de", "b/en-de"], 2, "two models have the name 'en-de'"),
        (["a b=en-de"], 2, "'a b' cannot be the name of a model"),
        (["..=en-de"], 2, "'..' cannot be the name"),
    ],
)
def test_what_cannot_be_served_is_one_line(fails, args, code, words):
    found, message = fails(*args, "--port", "0")
    assert found == code
    assert words in message


def test_a_missing_package_is_one_line(fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, message = fails("en-de")
    assert code == 2
    assert "pip install 'pellucid[serve]'" in message

"""`pellucid serve` as a process. Authority: the operating system's exit codes, and HTTP."""

import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

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


def fails(*args, **env):
    env = {**os.environ, **env}
    return subprocess.run([*SERVE, *args], capture_output=True, text=True, timeout=60, env=env)


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = fails("en-de", "--port", port)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (5, "", 1)
    assert f"127.0.0.1:{port} is in use" in done.stderr


def test_an_unknown_model_is_one_line():
    done = fails("en-fr", "--port", "0")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "there is no model at 'en-fr'" in done.stderr


def test_other_machines_need_a_key():
    done = fails("en-de", "--port", "0", "--host", "0.0.0.0", PELLUCID_API_KEY="")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "PELLUCID_API_KEY" in done.stderr


def test_a_missing_package_is_one_line(tmp_path):
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from pellucid.cli.main import main; sys.exit(main(['serve', 'en-de']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "pip install 'pellucid[serve]'" in done.stderr


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["a/en-de", "b/en-de"], "two models have the name 'en-de'"),
        (["a b=en-de"], "'a b' cannot be the name of a model"),
        (["..=en-de"], "'..' cannot be the name"),
    ],
)
def test_names(models, words):
    done = fails(*models, "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr

"""`pellucid explore` as a process. Authority: the operating system's exit codes, and HTTP."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from explain.zoo import HMM
from pellucid.cli.explore import Options, run
from pellucid.errors import UsageError
from pellucid.explorer.page import TEMPLATE

EXPLORE = [sys.executable, "-m", "pellucid", "explore", "zh-en"]


@pytest.fixture(autouse=True)
def built():
    if not TEMPLATE.is_file():
        pytest.skip("the explorer's page is not built: make venv")


def test_the_live_page_until_ctrl_c():
    command = [*EXPLORE, "--text", "猫追狗。", "--device", "cpu"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, encoding="utf-8", **pipes) as process:
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=60) as response:
            page = response.read().decode()
        assert "猫追狗。" in page
        assert "connect-src 'self'" in page
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "Open this address in a browser. Ctrl-C ends.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_while_something_is_computed(number):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*EXPLORE, "--device", "cpu"], text=True, **pipes) as process:
        address = process.stdout.readline().strip()
        body = json.dumps({"ask": "effects", "text": {"text": "猫追狗。" * 30}}).encode()
        client = http.client.HTTPConnection(address.split("/")[2], timeout=60)
        client.request("POST", "/respond", body)
        time.sleep(1)  # it takes some seconds
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, "")
    assert err == "Open this address in a browser. Ctrl-C ends.\n"


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        command = [*EXPLORE, "--port", str(other.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.count("\n") == 1
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"html": "x.html"}, "there is no text"),
        ({"html": "x.html", "text": "a", "port": 8000}, "Leave one out"),
        ({"no_ablation": True}, "--no-ablation is for --html"),
        ({"port": 70000}, "1 to 65535"),
        ({"port": -1}, "1 to 65535"),
    ],
)
def test_options_that_contradict_each_other(settings, message):
    with pytest.raises(UsageError, match=message):
        run(Options(model="zh-en", **settings))


@pytest.mark.parametrize("text", ["", "The old dog"])
def test_a_model_without_layers(tmp_path, text):
    """A live page would have nothing to answer, so none is served."""
    with pytest.raises(UsageError, match=r"\(hmm\).*tables of probabilities.*tag"):
        run(Options(model=str(HMM(tmp_path).directory), text=text))

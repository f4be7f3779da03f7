"""Names of the hub.  Authority: huggingface_hub itself, against a server on this machine.

The server answers as the hub's documented API does; the real hub is never reached by a test.
"""

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
import transformers

import pellucid
from parity.peer import IDS, KEEP, assert_close, randomize
from pellucid.cli.main import main
from pellucid.errors import DataError, ResourceError, UsageError, VerificationError
from pellucid.formats.hub import cache_directory, fetch
from pellucid.manifest import verify

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG: dict[str, Any] = {"vocab_size": 50, "n_positions": 20, "n_embd": 8, "n_layer": 2}
CONFIG |= {"n_head": 2, "bos_token_id": 3, "eos_token_id": 2, "pad_token_id": 1}


class Hub:
    """One repository, owner/tiny: its files, their metadata, and the requests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.lies: dict[str, bytes] = {}
        """Files whose bytes differ from their metadata."""
        self.sha = COMMIT
        self.before: Callable[[], object] = lambda: None
        """What happens before a file is sent."""

    def info(self) -> dict[str, Any]:
        return {
            "_id": "1",
            "id": "owner/tiny",
            "sha": self.sha,
            "private": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [self.sibling(name, data) for name, data in self.files.items()],
        }

    def sibling(self, name: str, data: bytes) -> dict[str, Any]:
        blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
        expected = {"rfilename": name, "size": len(data), "blobId": blob}
        if name.endswith((".safetensors", ".bin")):
            sha = hashlib.sha256(data).hexdigest()
            expected["lfs"] = {"sha256": sha, "size": len(data), "pointerSize": 130}
        return expected


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            parts = path.strip("/").split("/")
            if parts[:4] == ["api", "models", "owner", "tiny"]:
                self.answer(json.dumps(hub.info()).encode(), "application/json")
            elif parts[:4] == ["owner", "tiny", "resolve", COMMIT]:
                name = "/".join(parts[4:])
                hub.asked.append(name)
                if self.command == "GET":
                    hub.before()
                self.answer(hub.lies.get(name, hub.files[name]), "application/octet-stream")
            else:
                self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

        def answer(self, data: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler


@pytest.fixture(scope="module")
def reference() -> Any:
    return randomize(transformers.GPT2LMHeadModel(transformers.GPT2Config(**CONFIG)))


@pytest.fixture
def hub(reference, tmp_path, monkeypatch) -> Iterator[Hub]:
    reference.save_pretrained(tmp_path / "made")
    actual = Hub()
    for path in (tmp_path / "made").iterdir():
        actual.files[path.name] = path.read_bytes()
    actual.files |= {"pytorch_model.bin": b"a pickle", "modeling_evil.py": b"import os"}
    actual.files |= {"README.md": b"a card", "onnx/model.onnx": b"no", "tf_model.h5": b"no"}
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(actual))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield actual
    server.shutdown()
    server.server_close()


@torch.no_grad()
def test_a_name_opens_as_its_directory_would(hub, reference, tmp_path):
    model = pellucid.load("hf://owner/tiny", device="cpu")
    assert_close(
        model.logits(IDS, KEEP)[KEEP], reference(IDS, attention_mask=KEEP.long()).logits[KEEP]
    )
    assert sorted(set(hub.asked)) == sorted(
        ["README.md", "config.json", "generation_config.json", "model.safetensors"]
    )
    place = fetch("hf://owner/tiny@main")
    assert verify(place)["facts"]["from"] == f"hf://owner/tiny@{COMMIT}"
    assert {path.name for path in place.parent.iterdir()} == {COMMIT}, "scratch was left"
    hub.asked.clear()
    assert main(["import", f"hf://owner/tiny@{COMMIT}", str(tmp_path / "kept")]) == 0
    assert not hub.asked, "a commit that is here was fetched again"
    verify(tmp_path / "kept")


def test_a_commit_that_is_here_needs_no_network(hub, monkeypatch):
    place = fetch("hf://owner/tiny")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert fetch(f"hf://owner/tiny@{COMMIT}") == place
    with pytest.raises(UsageError, match=r"pip install 'pellucid\[hub\]'"):
        fetch("hf://owner/tiny")


def test_two_at_once_get_one_directory(hub):
    both = threading.Barrier(2)
    hub.before = lambda: both.wait(20)  # so neither is done before the other has begun
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(fetch, ["hf://owner/tiny"] * 2)
    assert one == other
    verify(one)
    assert {path.name for path in one.parent.iterdir()} == {COMMIT}


def test_what_a_killed_fetch_left_is_swept(hub):
    home = cache_directory() / "owner--tiny"
    code = (
        "import os, signal, huggingface_hub as h, huggingface_hub.constants;"
        "from pellucid.formats.hub import fetch;"
        f"h.constants.ENDPOINT = {huggingface_hub.constants.ENDPOINT!r};"
        f"h.constants.HUGGINGFACE_CO_URL_TEMPLATE = "
        f"{huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE!r};"
        "h.HfApi.hf_hub_download = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL);"
        "fetch('hf://owner/tiny')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=100)
    assert done.returncode == -9, done.stderr.decode()
    assert len(list(home.iterdir())) == 1, "nothing was left, so nothing is shown"
    fetch("hf://owner/tiny")
    assert [path.name for path in home.iterdir()] == [COMMIT]


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_full_disk_is_called_that(when, hub, monkeypatch):
    def fill(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if when == "before":
        monkeypatch.setattr("pellucid.files.shutil.disk_usage", lambda _: SimpleNamespace(free=99))
    else:
        monkeypatch.setattr(huggingface_hub.HfApi, "hf_hub_download", fill)
    with pytest.raises(ResourceError, match="No space left on device"):
        fetch("hf://owner/tiny")
    assert not hub.asked


@pytest.mark.parametrize("sha", ["../../outside", "main", COMMIT[:-1], None])
def test_what_is_no_commit_becomes_no_path(sha, hub, tmp_path):
    hub.sha = sha
    with pytest.raises(DataError, match="the hub names no commit"):
        fetch("hf://owner/tiny")
    assert not hub.asked
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "README.md"])
@pytest.mark.parametrize("how", ["other bytes", "cut"])
def test_bytes_that_differ_from_the_hubs_checksum(name, how, hub, tmp_path):
    data = hub.files[name]
    hub.lies[name] = data[:-1] + bytes([data[-1] ^ 1]) if how == "other bytes" else data[:-1]
    with pytest.raises(VerificationError, match=f"{name} has .* bytes"):
        fetch("hf://owner/tiny")
    assert not (tmp_path / "cache" / "hub" / "owner--tiny" / COMMIT).exists()


def test_a_pickle_alone_is_not_fetched(hub):
    del hub.files["model.safetensors"]
    with pytest.raises(DataError, match="a pickle, which is never fetched"):
        fetch("hf://owner/tiny")
    assert not hub.asked


def test_what_is_not_there(hub, capsys):
    assert main(["info", "hf://owner/other"]) == 3
    message = capsys.readouterr().err
    assert "hf://owner/other cannot be fetched" in message
    assert message.count("\n") <= 5


NAMES = ["hf://", "hf://gpt2", "hf://a/b/c", "hf://../b", "hf://a/../b", "hf://a/b@", "hf://a/b c"]


@pytest.mark.parametrize("name", NAMES)
def test_malformed_names(name):
    with pytest.raises(UsageError, match="is not a hub name"):
        pellucid.load(name)


def test_no_network_is_one_clear_error(network_attempts, monkeypatch, tmp_path):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://192.0.2.1:9")
    with pytest.raises(DataError, match=r"cannot be fetched .* Check the name and the network"):
        fetch("hf://owner/tiny")
    (tmp_path / "hub" / "owner--tiny" / COMMIT).mkdir(parents=True)
    with pytest.raises(DataError, match=f" Downloaded before: hf://owner/tiny@{COMMIT}"):
        fetch("hf://owner/tiny@main")
    network_attempts.write_text("")  # the attempts were asked for, and refused


def test_a_path_never_asks_the_hub(reference, tmp_path, monkeypatch):
    """The guard around every test sees any attempt; here even the library is out of reach."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    reference.save_pretrained(tmp_path / "owner" / "tiny")
    monkeypatch.chdir(tmp_path)
    assert pellucid.load("owner/tiny", device="cpu").bundle.family == "gpt2"
    with pytest.raises(DataError, match="there is no model at"):
        pellucid.load("owner/other")


def test_a_checksum_may_be_required(reference, tmp_path, capsys):
    reference.save_pretrained(tmp_path / "bare")
    with pytest.raises(VerificationError, match=r"no manifest\.json"):
        pellucid.load(tmp_path / "bare", require_checksum=True)
    for command in (["info"], ["import"], ["export"]):
        out = [] if command == ["info"] else [str(tmp_path / "out")]
        asked = [*command, str(tmp_path / "bare"), *out, "--require-checksum"]
        assert main(asked) == 6
        assert "nor PELLUCID_REQUIRE_CHECKSUM=1" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "bare"), str(tmp_path / "kept")]) == 0
    assert main(["info", str(tmp_path / "kept"), "--require-checksum"]) == 0
    pellucid.load(tmp_path / "kept", require_checksum=True)
    damaged = Path(shutil.copytree(tmp_path / "kept", tmp_path / "damaged"))
    data = bytearray((damaged / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (damaged / "model.safetensors").write_bytes(data)
    assert main(["import", str(damaged), str(tmp_path / "again")]) == 6

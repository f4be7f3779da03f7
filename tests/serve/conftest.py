"""A server with shipped translators and tiny models of other kinds, in a thread of this process."""

import threading
import time
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi", reason="the server needs pellucid[serve]")

from cli.writers import (  # noqa: E402
    write_answerer,
    write_bert,
    write_classifier,
    write_gpt2,
    write_tagger,
)
from pellucid import load  # noqa: E402
from pellucid.api import Loaded  # noqa: E402
from pellucid.serve.access import make_access  # noqa: E402
from pellucid.serve.app import make_app  # noqa: E402
from pellucid.serve.limits import Limits  # noqa: E402
from pellucid.serve.routing import Site  # noqa: E402
from pellucid.serve.run import bind, make_server  # noqa: E402
from pellucid.serve.served import Models, ServedModel  # noqa: E402

WRITERS = {
    "gpt2": write_gpt2,
    "bert": write_bert,
    "tagger": write_tagger,
    "classifier": write_classifier,
    "answerer": write_answerer,
}


class Running(NamedTuple):
    """A server, and a client of it."""

    client: Any  # httpx.Client
    models: dict[str, ServedModel]
    port: int

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json=body)

    def ask(self, path: str, **body: Any) -> Any:
        """The JSON of a response that must be good."""
        response = self.post(path, **body)
        assert response.status_code == 200, response.text
        return response.json()

    def refusal(self, path: str, status: int, **body: Any) -> str:
        """The message of a response that must have this status."""
        response = self.post(path, **body)
        assert response.status_code == status, response.text
        return response.json()["error"]["message"]


@pytest.fixture(scope="session")
def loaded(tmp_path_factory) -> dict[str, Loaded]:
    folder = tmp_path_factory.mktemp("served")
    models = {name: load(name, device="cpu") for name in ("en-de", "zh-en")}
    for name, write in WRITERS.items():
        models[name] = load(write(folder / name, seed=0), device="cpu")
    return models


@contextmanager
def run_server(loaded: dict[str, Loaded], limits: Limits | None = None, key: str = ""):
    """Yield a server of models on a free port."""
    limits = limits or Limits()
    with bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        models = Models({name: ServedModel(m, name, limits) for name, m in loaded.items()})
        access = make_access("127.0.0.1", port, (), key)
        server = make_server(make_app(Site(models, limits, access)), models)
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        base = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False) as c:
                yield Running(c, dict(models.by_name), port)
        finally:
            server.should_exit = True
            thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def server(loaded):
    with run_server(loaded) as running:
        yield running

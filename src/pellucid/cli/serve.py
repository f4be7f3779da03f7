"""`pellucid serve`: models behind HTTP."""

import gc
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pellucid.cli.models import load_model
from pellucid.cli.parse import config_flags, positional
from pellucid.cli.workers import check_workers
from pellucid.errors import ResourceError, UsageError
from pellucid.serve.limits import Limits

if TYPE_CHECKING:
    from pellucid.serve.served import Models

KEY = "PELLUCID_API_KEY"
CHOSEN_HERE = -1


@dataclass(frozen=True)
class Options:
    """Serve models over HTTP until SIGTERM or Ctrl-C.

    pellucid serve en-de zh-en runs/mine
    pellucid serve small=runs/a/final large=runs/b/final --port 9000
    """

    models: tuple[str, ...] = positional()
    """Directories, finished runs, or names of models that come with pellucid. A model's name is
    the last part of its path; NAME=PATH chooses another."""
    host: str = "127.0.0.1"
    """Address to listen at. Any but this machine's own needs an API key."""
    port: int = 7865
    """Port to listen at."""
    api_key: str = ""
    """Key that requests must have: `Authorization: Bearer KEY`. Other users of this machine see
    arguments, so the environment variable PELLUCID_API_KEY is safer."""
    hosts: tuple[str, ...] = ()
    """More names of this server, as requests have them in `Host`: those of a proxy before it."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Compute dtype. int8 is CPU-only."""
    compile: bool = False
    """Compile a decoding step of each model that generates texts; a minute each, once. Single
    requests are then answered faster."""
    workers: int = -1
    """Processes that generate texts, for each model that can, each on one thread; one per core is
    fastest. CPU only. 0: the server's own process does, on one thread. -1: 1 on a CPU under Linux,
    0 elsewhere."""
    limits: dict[str, Any] = config_flags(Limits)


def run(options: Options) -> int:
    """Serve until a signal."""
    _check_installed()
    from pellucid.config.read import build
    from pellucid.serve.access import make_access
    from pellucid.serve.app import make_app
    from pellucid.serve.routing import Site
    from pellucid.serve.run import bind, make_server
    from pellucid.serve.served import name_models

    if not 0 <= options.port < 1 << 16:
        raise UsageError(f"--port {options.port}: ports are 1 to 65535, or 0 for a free one.")
    n_workers = count_workers(options)
    limits = build(Limits, options.limits, "serve")
    paths = name_models(options.models)
    key = options.api_key or os.environ.get(KEY, "")
    make_access(options.host, options.port, options.hosts, key)
    # Bound first: an address in use is an error before the models are loaded.
    with bind(options.host, options.port) as bound:
        port = bound.getsockname()[1]
        access = make_access(options.host, port, options.hosts, key)
        models = _load_models(options, paths, limits, n_workers)
        print(f"http://{_in_address(options.host)}:{port}/", flush=True)
        print(f"Serving {', '.join(paths)}. Ctrl-C ends.", file=sys.stderr)
        server = make_server(make_app(Site(models, limits, access)), models)
        # A full collection looks through all modules and models, which stops every request for a
        # fifth of a second or more. They live as long as the server, so none need look again.
        gc.collect()
        gc.freeze()
        server.run(sockets=[bound])
    if server.broken and not server.should_exit:  # a signal to all processes ends them too
        raise ResourceError(
            f"a worker process of {', '.join(server.broken)} died: it was killed, most likely"
            " because memory ran out. Use fewer --workers or a smaller --cache-bytes."
        )
    if server.is_interrupted:
        raise KeyboardInterrupt
    return 0


def count_workers(options: Options) -> int:
    """Return the number of processes for each model. Raises: UsageError as `check_workers`."""
    if options.workers != CHOSEN_HERE:
        check_workers(options.workers, options.device)
        return options.workers
    from pellucid.nn.device import choose_device

    on_cpu = choose_device(options.device).type == "cpu"
    return 1 if on_cpu and sys.platform == "linux" else 0


def _load_models(
    options: Options, paths: Mapping[str, str], limits: Limits, n_workers: int
) -> "Models":
    """Return the models, after all that must be set before processes are forked."""
    from pellucid.allocator import limit_compiled_operators, prepare_for_serving
    from pellucid.inference.methods import can_generate
    from pellucid.serve.run import SWITCH_SECONDS
    from pellucid.serve.served import Models, ServedModel

    limit_compiled_operators()
    device = "cpu" if n_workers else options.device  # a GPU cannot be forked
    loaded = {name: load_model(path, device, options.dtype) for name, path in paths.items()}
    for model in loaded.values():
        if options.compile and can_generate(model.bundle):
            model.compile()
    prepare_for_serving()
    sys.setswitchinterval(SWITCH_SECONDS)
    return Models(
        {name: ServedModel(model, name, limits, n_workers) for name, model in loaded.items()}
    )


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_installed() -> None:
    """Raises: UsageError if a package of the extra is missing."""
    from importlib.util import find_spec

    packages = ("fastapi", "uvicorn", "httptools", "prometheus_client")
    missing = [name for name in packages if not find_spec(name)]
    if missing:
        raise UsageError(
            f"serving needs {', '.join(missing)}. Install it: pip install 'pellucid[serve]'."
        )

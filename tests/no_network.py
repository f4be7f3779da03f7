"""Refuses every way out of this machine, in a test process and in the processes it starts."""

import os
import socket
import sys
import threading
import traceback
from ipaddress import ip_address
from pathlib import Path

LOG = "PELLUCID_TEST_NETWORK_LOG"
WATCHED = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")


def install() -> None:
    """From here on, an attempt is written to the file that LOG names, and fails.

    An audit hook sees calls from C too, and cannot be taken off again.
    """
    sys.addaudithook(_watch)


def _watch(event: str, args: tuple) -> None:
    if event not in WATCHED:
        return
    host = args[0] if event.startswith("socket.get") else args[-1]
    if isinstance(host, tuple):
        host = host[0]
    elif event in ("socket.connect", "socket.sendto"):
        return  # an address without a host is a path: AF_UNIX
    if not _is_here(host):
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as log:
            frames = traceback.extract_stack()[:-1]
            calls = " > ".join(f"{each.filename}:{each.lineno}" for each in frames[-12:])
            log.write(f"{event} {host} in {threading.current_thread().name}: {calls}\n")
        raise OSError(f"the tests use no network, but something asked for {host!r}")


def _is_here(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not host or host in ("localhost", "0.0.0.0", "::", socket.gethostname()):
        return True
    try:
        return ip_address(str(host)).is_loopback
    except ValueError:
        return False

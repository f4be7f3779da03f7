"""F4: nothing in the whole test run reaches for the network. Here: that the guard itself works.

The guard stands around every test (conftest.py), so a run that passes made no attempt.
"""

import socket
import subprocess
import sys

import pytest

OUTSIDE = "192.0.2.1"  # an address for documentation, RFC 5737: it belongs to nobody


def reach_out(how):
    if how == "connect":
        with socket.socket() as s:
            s.settimeout(0.2)
            s.connect((OUTSIDE, 80))
    elif how == "send":
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.sendto(b"x", (OUTSIDE, 53))
    else:
        socket.getaddrinfo("pellucid.example", 80)


@pytest.mark.parametrize("how", ["connect", "send", "look up"])
def test_the_guard_refuses_and_counts(network_attempts, how):  # authority: the guard's own claim
    with pytest.raises(OSError, match="the tests use no network"):
        reach_out(how)
    assert network_attempts.read_text().count("\n") == 1
    network_attempts.write_text("")


def test_the_guard_stands_in_child_processes(network_attempts):  # authority: as above
    code = f"import socket; socket.create_connection(('{OUTSIDE}', 80), 0.2)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 1
    assert "the tests use no network" in child.stderr
    assert OUTSIDE in network_attempts.read_text()
    network_attempts.write_text("")


def test_this_machine_may_talk_to_itself(tmp_path):  # authority: servers and gloo are tested here
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), 1).close()
        socket.create_connection(("localhost", server.getsockname()[1]), 1).close()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))

"""Every module imports where Windows lacks what Linux has.

Authority: Python's documentation of what each platform provides; a child process takes it away.
This does not show that the commands work on Windows.
"""

import subprocess
import sys

from architecture import walk

WITHOUT = """
import ctypes, importlib, os, signal, sys, time

# What the package depends on is imported before: its own checks ask for the platform.
import filelock, numpy, pydantic, rich, safetensors, sacrebleu, tokenizers, torch, yaml
import torch.distributed, torch.utils.data

for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty"):
    sys.modules[name] = None  # an import of it raises ImportError
for name in ("SIGHUP", "SIGUSR1", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGALRM", "pthread_sigmask"):
    delattr(signal, name)
for name in (
    *("fork", "register_at_fork", "geteuid", "getuid", "uname", "O_NONBLOCK", "pread", "pwrite"),
    *("sysconf", "sched_getaffinity", "statvfs", "killpg", "getpgid", "chown", "WNOHANG"),
):
    delattr(os, name)
del time.tzset
ctypes.CDLL = None
"""


def test_every_module_imports_without_linux():
    code = WITHOUT + f"for name in {sorted(walk.modules())}:\n"
    code += "    importlib.import_module(f'pellucid.{name}'.rstrip('.'))\n"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr[-1500:]

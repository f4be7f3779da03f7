"""Python runs this at the start of every process that the tests start: see conftest.py."""

import os
import sys
from pathlib import Path

if "PELLUCID_TEST_NETWORK_LOG" in os.environ:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import no_network

    no_network.install()
    sys.path.pop(0)

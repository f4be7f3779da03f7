import importlib
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def load(monkeypatch):
    """Return a function that imports a recipe as `python recipes/NAME.py` would."""
    monkeypatch.syspath_prepend(str(RECIPES))
    yield importlib.import_module
    for path in RECIPES.glob("*.py"):
        sys.modules.pop(path.stem, None)

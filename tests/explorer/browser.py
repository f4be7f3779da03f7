"""Chromium for the tests of the page; skips where it is absent."""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

AXE = Path(__file__).resolve().parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def open_browser():
    """Yield a browser of playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="tests in a browser need the Python package playwright"
    )
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("tests in a browser need chromium (Debian: apt install chromium)")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


def serious_violations(page):
    """Return what axe, which the page must have loaded, finds that is serious or critical."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"][:300])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def difference(page):
    """Return the largest difference that the page prints of what it computed again."""
    text = page.locator(".check").first.inner_text()
    mantissa, exponent = re.search(r"difference is ([\d.]+)(?: × 10(\S+))?\.$", text).groups()
    power = (exponent or "").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    return float(mantissa) * 10.0 ** int(power or 0)

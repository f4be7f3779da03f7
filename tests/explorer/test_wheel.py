"""The wheel, installed where nothing else of pellucid is, writes a page that works.

Authority: Chromium, for what is shown and requested. Needs the packages that npm has stored, which
`make page` does; nothing is downloaded.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_NETWORK = str(ROOT / "tests" / "children")
BUILT = shutil.ignore_patterns("static", "node_modules", "dist", "__pycache__")
TEXT = "The cat sleeps."


def run(folder, *command, **environment):
    """Return what a command prints that is started in a folder, with no program on the PATH but sh.

    The checkout is not on Python's path either.
    """
    programs = folder / "programs"
    if not programs.exists():
        programs.mkdir()
        (programs / "sh").symlink_to("/bin/sh")  # npm starts it
    environment = {"PATH": str(programs), "PYTHONPATH": NO_NETWORK, **environment}
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | environment,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A virtual environment with the wheel and, from the tests' one, what pellucid needs."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    for name in ("src", "ui"):
        shutil.copytree(ROOT / name, sources / name, ignore=BUILT)
    for name in (".gitignore", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    build = ("-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    run(sources, sys.executable, *build, npm_config_offline="true")
    shutil.rmtree(sources)
    (wheel,) = folder.glob("*.whl")
    run(folder, sys.executable, "-m", "venv", "--without-pip", "venv")
    pip = ("-m", "pip", "--python", folder / "venv" / "bin" / "python", "install", "-qq")
    run(folder, sys.executable, *pip, "--no-index", "--no-deps", wheel)
    (packages,) = (folder / "venv" / "lib").glob("*/site-packages")
    # Python reads no .pth file of a folder that is added this way, so not that of the checkout.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_the_page_of_an_installed_wheel(browser, installed):
    scripts = installed / "venv" / "bin"
    where = "import pellucid.explorer.page as page; print(page.__file__, page.TEMPLATE)"
    for path in run(installed, scripts / "python", "-c", where).split():
        assert Path(path).is_relative_to(installed / "venv")
    explore = ("explore", "en-de", "--text", TEXT, "--html", "out.html")
    assert run(installed, scripts / "pellucid", *explore) == "out.html\n"
    file = installed / "out.html"
    page = browser.new_page(locale="en-US")
    seen = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(f"{file.as_uri()}#stop=tokens")
    page.wait_for_selector("h1")
    assert TEXT in page.inner_text("body")
    links = page.locator("nav.path a")
    for i in range(links.count()):
        links.nth(i).click()
    assert links.count() > 15
    assert seen == [file.as_uri()]  # the page itself, and nothing else
    page.close()

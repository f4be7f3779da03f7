"""Pictures of the explorer's page, for the documentation.

usage: python ui/screenshots.py [FOLDER]

Needs the built page, Chromium and the development packages. The default folder is docs/images.
"""

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from pellucid.cli.main import main as pellucid

WIDTH, HEIGHT = 1280, 800
ANIMAL = "The animal didn't cross the street because it was too tired."
GARDEN = "我喜欢这个美丽花园"


class Picture(NamedTuple):
    """A stop of the page of a model; `stop` may go on with other parts of the address."""

    name: str
    model: str
    text: str
    stop: str
    language: str = "en-US"
    theme: str = "light"


PICTURES = (
    Picture("explorer", "en-de", ANIMAL, "map"),
    Picture("explorer-cross-attention", "en-de", ANIMAL, "alignment"),
    Picture("explorer-search", "en-de", ANIMAL, "search", theme="dark"),
    Picture("explorer-off", "en-de", ANIMAL, "off&attention=decoder.layers.0.attention&head=2"),
    Picture("explorer-zh", "zh-en", GARDEN, "map", "zh-CN"),
    Picture("explorer-zh-softmax", "zh-en", GARDEN, "softmax", "zh-CN"),
)


def main(folder: Path) -> None:
    """Write a page for each model and text, and a picture for each stop of `PICTURES`."""
    chromium = shutil.which("chromium") or sys.exit(
        "Install chromium (Debian: apt install chromium)."
    )
    with tempfile.TemporaryDirectory() as pages, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in PICTURES:
            page = Path(pages) / f"{picture.model}.html"
            if not page.exists():
                command = ["explore", picture.model, "--text", picture.text, "--html", str(page)]
                if code := pellucid(command):
                    sys.exit(code)
            path = folder / f"{picture.name}.webp"
            take(browser, page, picture, path)
            print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
        browser.close()


def take(browser: Browser, page: Path, picture: Picture, path: Path) -> None:
    """Store what a stop of a page looks like."""
    context = browser.new_context(
        locale=picture.language,
        color_scheme=picture.theme,  # pyright: ignore[reportArgumentType]
        reduced_motion="reduce",
        viewport={"width": WIDTH, "height": HEIGHT},
        device_scale_factor=1.5,
    )
    view = context.new_page()
    view.goto(f"{page.as_uri()}#stop={picture.stop}")
    view.wait_for_selector("h1")
    view.wait_for_timeout(500)
    Image.open(BytesIO(view.screenshot())).save(path, quality=85, method=6)
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))

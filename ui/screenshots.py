"""Pictures of the explorer's page, for the documentation.

usage: python ui/screenshots.py [FOLDER]

Writes whole pages, and the figure of each stop of the tour (docs/tour.md) in both languages. Needs
the built page, Chromium and the development packages. The default folder is docs/images.
"""

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from pellucid.cli.main import main as pellucid

WIDTH, HEIGHT = 1280, 800
FIGURE = 720
"""Height of a figure of the tour; the rest is cut off."""
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
    is_figure: bool = False
    """Whether only the figure is shown, without the path and the reading."""


PICTURES = (
    Picture("explorer", "en-de", ANIMAL, "map"),
    Picture("explorer-cross-attention", "en-de", ANIMAL, "alignment"),
    Picture("explorer-search", "en-de", ANIMAL, "search", theme="dark"),
    Picture("explorer-off", "en-de", ANIMAL, "off&attention=decoder.layers.0.attention&head=2"),
    Picture("explorer-zh", "zh-en", GARDEN, "map", "zh-CN"),
    Picture("explorer-zh-softmax", "zh-en", GARDEN, "softmax", "zh-CN"),
)
TOUR = (
    *("map", "tokens", "vectors", "order", "projections", "scores", "scale", "softmax", "values"),
    *("heads", "sublayer", "feed_forward", "masks", "alignment", "next", "words", "search", "lens"),
    *("stream", "attribution", "off"),
)
LANGUAGES = {"en": "en-US", "zh": "zh-CN"}


BOX = """() => {
    const main = document.querySelector("main").getBoundingClientRect();
    const end = (element) => element.getBoundingClientRect().bottom;
    const ends = [...document.querySelectorAll("main *")].map(end);
    return [main.x, main.y, main.width, Math.max(...ends) + 16];
}"""


def main(folder: Path) -> None:
    """Write a page for each model and text, and its pictures."""
    chromium = shutil.which("chromium") or sys.exit(
        "Install chromium (Debian: apt install chromium)."
    )
    with tempfile.TemporaryDirectory() as pages, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in (*PICTURES, *list_tour()):
            page = Path(pages) / f"{picture.model}.html"
            if not page.exists():
                command = ["explore", picture.model, "--text", picture.text, "--html", str(page)]
                if code := pellucid(command):
                    sys.exit(code)
            path = folder / f"{picture.name}.webp"
            path.parent.mkdir(parents=True, exist_ok=True)
            take(browser, page, picture, path)
            print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
        browser.close()


def list_tour() -> list[Picture]:
    """Return the pictures of the tour."""
    return [
        Picture(f"tour/{folder}/{stop}", "en-de", ANIMAL, stop, language, is_figure=True)
        for folder, language in LANGUAGES.items()
        for stop in TOUR
    ]


def take(browser: Browser, page: Path, picture: Picture, path: Path) -> None:
    """Store what a stop of a page looks like, or its figure alone."""
    context = browser.new_context(
        locale=picture.language,
        color_scheme=picture.theme,  # pyright: ignore[reportArgumentType]
        reduced_motion="reduce",
        viewport={"width": WIDTH, "height": HEIGHT},
        device_scale_factor=1.0 if picture.is_figure else 1.5,
    )
    view = context.new_page()
    view.goto(f"{page.as_uri()}#stop={picture.stop}")
    view.wait_for_selector("h1")
    view.wait_for_timeout(500)
    if picture.is_figure:
        if picture.stop == "lens":  # wider than the figure; the end of the text is described
            view.evaluate("document.querySelectorAll('main *').forEach((e) => e.scrollLeft = 1e5)")
        image = Image.open(BytesIO(view.screenshot(clip=find_figure(view), full_page=True)))
        image.save(path, quality=70, method=6)
    else:
        Image.open(BytesIO(view.screenshot())).save(path, quality=85, method=6)
    context.close()


def find_figure(view: Page) -> FloatRect:
    """Return where the figure of a stop is, without the empty space below it."""
    x, y, width, end = view.evaluate(BOX)
    return {"x": x, "y": y, "width": width, "height": min(FIGURE, end - y)}


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))

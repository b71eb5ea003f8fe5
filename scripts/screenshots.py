"""Make the pictures of pages in docs/ anew, with Chromium.

The run is that of ``make train``; the comparison is made by::

    cnncli train --seeds 3
    cnncli train --seeds 3 --set name=adam --set training.optimizer=Adam
    cnncli compare runs/*-seeds --html runs/comparison.html
"""

from __future__ import annotations

import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.sync_api import ViewportSize, sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {
    "report": Path("runs/fashion-mnist/report.html"),
    "comparison": Path("runs/comparison.html"),
}
SIZE: ViewportSize = {"width": 1280, "height": 1180}
SCHEMES: dict[Literal["light", "dark"], str] = {"light": "", "dark": "-dark"}


def main() -> None:
    """Open each page in light and in dark, and keep what is seen first."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("install Chromium first, such as Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        for (name, page), (scheme, suffix) in product(PAGES.items(), SCHEMES.items()):
            tab = browser.new_page(viewport=SIZE, color_scheme=scheme)
            tab.goto(page.absolute().as_uri())
            tab.screenshot(path=DOCS / f"{name}{suffix}.png")


if __name__ == "__main__":
    main()

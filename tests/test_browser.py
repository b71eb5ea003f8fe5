"""Pages in a real browser: nothing is asked for, and everybody can use them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from cnncli.cli import cli
from tests.comparisons import make_run, share

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

pytestmark = pytest.mark.slow

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 900}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "these tests need Chromium, such as Debian's package chromium"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-background-networking"],
        )


@pytest.fixture(scope="module")
def place(finished: Path) -> str:
    """Where the report of the tiny run is."""
    return (finished / "report.html").as_uri()


@pytest.fixture(scope="module", params=["report", "comparison"])
def any_place(
    request: pytest.FixtureRequest, place: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Where some page is."""
    if request.param == "report":
        return place
    folder = tmp_path_factory.mktemp("compared")
    runs = [
        make_run(folder / f"run {n}", share(60 + 5 * n), seed=n % 3, epochs=2 + n // 3)
        for n in range(9)
    ]
    page = folder / "page.html"
    command = ["compare", *map(str, runs), "--html", str(page)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    return page.as_uri()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a browser that runs no scripts, as those of careful people do."""
    context = browser.new_context(viewport=DESK, java_script_enabled=False)
    yield context
    context.close()


def opened(context: BrowserContext, place: str) -> Page:
    page = context.new_page()
    page.goto(place)
    return page


def background(page: Page, what: str) -> tuple[int, ...]:
    """Return the red, green and blue of what lies behind an element."""
    colour = page.locator(what).first.evaluate(
        "each => getComputedStyle(each).backgroundColor"
    )
    return tuple(map(int, re.findall(r"\d+", colour)[:3]))


def test_says_nothing_to_the_console_and_asks_nobody(
    browser: Browser, any_place: str
) -> None:
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(any_place, wait_until="networkidle")
    page.locator("a[href^='#']").last.press("Enter")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [any_place]
    page.close()


def test_every_image_is_drawn(browser: Browser, place: str) -> None:
    page = browser.new_page()
    page.goto(place)
    widths = page.evaluate("[...document.images].map(each => each.naturalWidth)")
    assert len(widths) > 200
    assert min(widths) > 0
    page.close()


def test_a_cell_opens_the_images_behind_it(
    context: BrowserContext, place: str, finished: Path
) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    names = [each["name"] for each in metrics["classes"]]
    with (finished / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    page = opened(context, place)
    visible = page.locator(".cell:visible")
    worst = metrics["confusions"][0]
    said = f"{worst['true']} taken for {worst['predicted']}: {worst['images']:,} images"
    assert visible.count() == 1
    assert visible.locator("h3").inner_text().startswith(said)
    for confusion in metrics["confusions"][1:4]:
        true, predicted = names.index(confusion["true"]), confusion["predicted"]
        cell = f"cell-{true}-{names.index(predicted)}"
        page.locator(f".matrix a[href='#{cell}']").click()
        assert visible.count() == 1
        assert visible.get_attribute("id") == cell
        expected = {
            f"image {int(row['index']):,}"
            for row in rows
            if (row["true"], row["predicted"]) == (confusion["true"], predicted)
        }
        shown = visible.locator("small").all_inner_texts()
        assert len(shown) == min(24, len(expected))
        assert set(shown) <= expected
        assert visible.locator("img").first.is_visible()


def test_a_cell_opens_with_the_keyboard(context: BrowserContext, place: str) -> None:
    page = opened(context, place)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.locator(".matrix a").nth(1).focus()
    says = page.locator(":focus").get_attribute("aria-label")
    page.keyboard.press("Enter")
    assert page.locator(".cell:visible h3").inner_text() == says


def test_follows_the_system_into_the_dark(browser: Browser, any_place: str) -> None:
    shades = {}
    for scheme in SCHEMES:
        page = browser.new_page(color_scheme=scheme)
        page.goto(any_place)
        shades[scheme] = sum(background(page, "body"))
        page.close()
    assert shades["light"] == 3 * 255
    assert shades["dark"] < 100


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_everybody_can_use_it(
    browser: Browser, any_place: str, scheme: Scheme, size: ViewportSize
) -> None:
    """Contrast, names, order of headings and the rest of what axe-core looks for."""
    page = browser.new_page(color_scheme=scheme, viewport=size)
    page.goto(any_place)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.close()


def test_is_as_wide_as_a_phone(browser: Browser, any_place: str) -> None:
    context = browser.new_context(viewport=PHONE)
    page = opened(context, any_place)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    context.close()


def test_prints_on_white_paper(browser: Browser, any_place: str) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(any_place)
    page.emulate_media(media="print")
    assert background(page, "body") == (255, 255, 255)
    assert page.locator("nav:visible").count() == 0
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    assert 1 <= pages <= 12
    page.close()

"""The page of ``cnncli compare --html``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.comparisons import make_run, share
from tests.pages import Page, check_alone

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_says_what_the_terminal_says(tmp_path: Path, cli: Cli) -> None:
    for seed in (1, 2):
        make_run(tmp_path / f"a{seed}", share(60 + seed), seed=seed)
        make_run(tmp_path / f"b{seed}", share(80 + seed), seed=seed, epochs=3)
    result = cli("compare", "a1", "a2", "b1", "b2", "--html", "page.html")
    text = Path("page.html").read_text()
    check_alone(text)
    page = Page(text)
    *tables, verdict, best = result.stdout.strip().split("\n\n")
    for sentence in (verdict, best):
        flat = sentence.replace("\n", " ")
        assert f"{flat[0].upper()}{flat[1:]}." in page.text
    cells = {cell for table in tables for cell in re.split(r"\s{2,}|\n", table)}
    missing = {cell for cell in cells if cell.lower() not in page.text.lower()}
    assert missing == set()
    assert result.stderr == "written: page.html\n"
    assert len(page.attributes("path")) == 2 * 4 + 4


def test_one_seed_each_gives_the_next_command(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a", share(60))
    make_run(tmp_path / "b", share(80), epochs=3)
    (tmp_path / "a/history.csv").unlink()
    (tmp_path / "b/history.csv").unlink()
    cli("compare", "a", "b", "--html", "page.html")
    page = Page(Path("page.html").read_text())
    assert (
        "To know more: cnncli train a/config.yaml --seeds 5 --out a-seeds" in page.text
    )
    assert "Validation, epoch by epoch" not in page.text


def test_names_are_text_and_nothing_else(tmp_path: Path, cli: Cli) -> None:
    names = ["<img src=x onerror=alert(1)>", "\x1b[31m<title>\u202e&amp;"]
    for number, name in enumerate(names):
        make_run(tmp_path / name, share(60 + number), epochs=2 + number)
    cli("compare", *names, "--html", "page.html")
    text = Path("page.html").read_text()
    check_alone(text)
    page = Page(text)
    assert names[0] in page.text
    assert r"\x1b[31m<title>\u202e&amp;" in page.text
    assert page.attributes("img") == []
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


def test_nothing_is_replaced_unasked(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a", share(60))
    make_run(tmp_path / "b", share(80), epochs=3)
    Path("page.html").write_text("mine")
    arguments = ("compare", "a", "b", "--html", "page.html")
    assert cli(*arguments, exit_code=5).stderr == (
        "error: page.html: there is already a file with other content; choose another "
        "place, or replace it with --overwrite\n"
    )
    cli(*arguments, "--overwrite")
    assert Path("page.html").read_text().startswith("<!DOCTYPE html>")

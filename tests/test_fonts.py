"""Names in pictures: drawn by an installed font, or told apart where none has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager

from cnncli.plots import fonts
from cnncli.plots.confusion_matrix import plot_confusion_matrix
from cnncli.plots.fonts import class_labels, drawable, find_fonts, font_warning
from tests.builders import dataset

if TYPE_CHECKING:
    from tests.conftest import Cli

COLOURS = ("लाल", "हरा", "red")
WARNING = (
    "no installed font has र (U+0930), ल (U+0932), ह (U+0939), ा (U+093E); pictures "
    "show numbers or escapes in place of names with them; install a font that has "
    "them, such as one of the Noto fonts"
)
CONFIG = """\
data:
  source: {idx: {path: data, classes: [लाल, हरा, red]}}
  split: {train: 20, validation: 10}
model: {layers: [Flatten, Dense: {units: 3, activation: softmax}]}
training: {epochs: 1, threads: 2}
"""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Have these fonts installed and no others."""
    paths: list[str] = []
    known = list(font_manager.fontManager.ttflist)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    fonts._find_fonts.cache_clear()
    yield paths
    fonts._find_fonts.cache_clear()
    font_manager.fontManager.ttflist[:] = known


def font(path: Path, characters: str, *, width: int = 500) -> str:
    """Write a font that has a box for each of some characters; return its path."""
    pen = TTGlyphPen(None)
    if width:
        pen.moveTo((0, 0))
        for corner in ((0, 700), (width, 700), (width, 0)):
            pen.lineTo(corner)
        pen.closePath()
    box = pen.glyph()
    names = [".notdef", *(f"u{ord(char):04x}" for char in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, characters), names[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(names, box))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def test_installed_fonts_are_used(installed: list[str], tmp_path: Path) -> None:
    """They are found where Matplotlib's list is older than the fonts."""
    installed += [
        font(tmp_path / "A.ttf", "ab"),
        font(tmp_path / "B.ttf", "लाहर"),
        font(tmp_path / "C.ttf", "लाहर猫"),
        font(tmp_path / "D.ttf", "猫"),
    ]
    names = [*COLOURS, "猫"]
    assert find_fonts(names) == (("DejaVu Sans", "B", "C"), frozenset())
    assert font_warning(names) is None
    assert class_labels(names) == names
    assert plot_confusion_matrix(np.eye(4, dtype=int), names).startswith(b"\x89PNG")


def test_fonts_that_can_t_be_used(installed: list[str], tmp_path: Path) -> None:
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    installed += [
        font(tmp_path / "colours alone.ttf", "लहार", width=0),
        str(tmp_path / "damaged.ttf"),
        str(tmp_path / "gone.ttf"),
    ]
    assert find_fonts(COLOURS) == (("DejaVu Sans",), frozenset("लाहर"))


def test_noto_goes_before_others(installed: list[str], tmp_path: Path) -> None:
    names = ["Bad", "NotoSansX-Bold", "NotoSansX-Regular"]
    installed += [font(tmp_path / f"{name}.ttf", "लहार") for name in names]
    assert find_fonts(COLOURS).families == ("DejaVu Sans", "NotoSansX-Regular")


def test_names_without_a_font_are_numbers() -> None:
    assert class_labels(COLOURS) == ["class 0", "class 1", "red"]
    assert font_warning(COLOURS) == WARNING
    assert drawable("लाल\n.png") == r"\u0932\u093e\u0932\n.png"


def test_many_characters_without_a_font_are_counted() -> None:
    warning = font_warning(["अआइईउऊए", "cat"])
    assert warning is not None
    assert ", ई (U+0908), उ (U+0909) and 2 more; pictures show " in warning


def test_a_letter_that_only_the_bold_font_lacks_is_missing() -> None:
    """Bold is what titles and the largest class are written in."""
    letter = "\N{MATHEMATICAL SANS-SERIF CAPITAL A}"
    assert find_fonts([letter]).missing == {letter}


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (
            [f"a name that differs at its very end {n}" for n in (1, 2)],
            ["a name that dif…ry end 1", "a name that dif…ry end 2"],
        ),
        (
            [f"{n} name that differs at its beginning" for n in (1, 2)],
            ["1 name that dif…eginning", "2 name that dif…eginning"],
        ),
        (
            [f"a name that differs {n} in the middle" for n in (1, 2)],
            ["0: a name that…e middle", "1: a name that…e middle"],
        ),
        (["a\x1b", r"a\x1b"], [r"0: a\x1b", r"1: a\x1b"]),
    ],
    ids=["short", "end", "beginning", "middle", "escapes"],
)
def test_long_names_can_be_told_apart(names: list[str], labels: list[str]) -> None:
    assert class_labels(names) == labels


@given(st.sets(st.text("ab é1", min_size=20, max_size=60), min_size=2))
def test_labels_are_short_and_differ(names: set[str]) -> None:
    labels = class_labels([*names])
    assert max(map(len, labels)) <= 24
    assert len(set(labels)) == len(names)


def test_a_run_warns_once_of_missing_characters(cli: Cli) -> None:
    Path("colours.yaml").write_text(CONFIG)
    dataset("data")
    result = cli("train", "colours.yaml", "-q")
    assert result.stderr == f"warning: {WARNING}\n"
    assert "\nwarnings    1, see above\n" in result.stdout
    evaluated = cli("evaluate", "runs/colours")
    assert evaluated.stderr == f"warning: {WARNING}\n"
    drawn = cli("feature-maps", "runs/colours", "-o", "maps.png")
    assert drawn.stderr == f"warning: {WARNING}\nwritten: maps.png\n"

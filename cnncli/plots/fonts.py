"""Fonts: which are needed to draw a text, what none has, and what then stands instead.

DejaVu Sans comes with Matplotlib, so that a picture looks the same everywhere. What it
lacks is taken from installed fonts.
"""

from __future__ import annotations

import functools
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties, fontManager

from cnncli.errors import printable
from cnncli.plots.palette import labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.ft2font import FT2Font

_BASE = "DejaVu Sans"
_WEIGHTS = ("normal", "bold")
"""The weights that pictures are written in."""
_NAMED = 5


class Fonts(NamedTuple):
    """What there is to draw a text with.

    Attributes:
        families: The font families to try in turn.
        missing: The characters that none of them has, nor any other installed font.
    """

    families: tuple[str, ...]
    missing: frozenset[str]


def find_fonts(texts: Iterable[str]) -> Fonts:
    """Find the fonts to draw texts with, control characters being escaped."""
    return _find_fonts(frozenset(printable("".join(texts))))


def class_labels(class_names: Sequence[str], limit: int = 24) -> list[str]:
    """Return the names of classes fit for a picture, each unlike the others.

    A name that no font can draw becomes the class's number, as in "class 3".

    Args:
        class_names: The classes; any text.
        limit: Most characters of each, at least 12.
    """
    missing = find_fonts(class_names).missing
    names = [
        name if missing.isdisjoint(name) else f"class {number}"
        for number, name in enumerate(class_names)
    ]
    return labels(names, limit)


def drawable(text: str) -> str:
    r"""Return text with an escape such as ``\u0932`` for what no font has."""
    missing = find_fonts([text]).missing
    return "".join(
        char.encode("unicode_escape").decode("ascii") if char in missing else char
        for char in printable(text)
    )


def font_warning(texts: Iterable[str]) -> str | None:
    """Return what to warn of if no font has some characters of the texts in a picture.

    Args:
        texts: Names of classes, and whatever else the user has named.
    """
    missing = sorted(find_fonts(texts).missing)
    if not missing:
        return None
    named = ", ".join(f"{char} (U+{ord(char):04X})" for char in missing[:_NAMED])
    rest = len(missing) - _NAMED
    return (
        f"no installed font has {named}{f' and {rest} more' if rest > 0 else ''}; "
        "pictures show numbers or escapes in place of names with them; install a font "
        "that has them, such as one of the Noto fonts"
    )


@contextmanager
def quiet_fonts() -> Iterator[None]:
    """Keep Matplotlib from saying that a font lacks a weight and another is taken."""

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    logger = logging.getLogger("matplotlib.font_manager")
    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)


@functools.cache
@quiet_fonts()
def _find_fonts(characters: frozenset[str]) -> Fonts:
    families: tuple[str, ...] = (_BASE,)
    missing = _missing(characters, families)
    if not missing:
        return Fonts(families, missing)
    for path in _installed():
        family = _family_with(path, missing)
        rest = _missing(missing, (*families, family)) if family else missing
        if family and len(rest) < len(missing):
            families, missing = (*families, family), rest
        if not missing:
            break
    return Fonts(families, missing)


def _missing(characters: frozenset[str], families: Sequence[str]) -> frozenset[str]:
    """Return the characters that the families lack in one of the weights."""
    rows = [[_face(family, weight) for family in families] for weight in _WEIGHTS]
    return frozenset(
        char
        for char in characters
        if not all(any(face.get_char_index(ord(char)) for face in row) for row in rows)
    )


def _face(family: str, weight: str) -> FT2Font:
    # The user's own settings would decide what is not given.
    properties = FontProperties(
        family=[family], style="normal", weight=weight, stretch="normal"
    )
    return font_manager.get_font(font_manager.findfont(properties))


def _installed() -> list[str]:
    """Return the paths of the fonts to try, the likeliest to suit first.

    Matplotlib's own list may be older than a font.
    """

    def order(path: str) -> tuple[bool, bool, str]:
        name = Path(path).name
        return (not name.startswith("NotoSans"), "Regular" not in name, path)

    return sorted(font_manager.findSystemFonts(), key=order)


def _family_with(path: str, characters: frozenset[str]) -> str | None:
    """Return a file's font family, known to Matplotlib, if it draws a character."""
    try:
        font = font_manager.get_font(path)
        # In a font of colours alone, glyphs have no width.
        if not any(
            font.get_char_index(ord(char)) and font.load_char(ord(char)).width
            for char in characters
        ):
            return None
        if font.family_name not in fontManager.get_font_names():
            fontManager.addfont(path)
    except (NotImplementedError, OSError, RuntimeError):
        return None  # damaged, gone, or made of pixels
    return font.family_name

"""The colours of all pictures, and how text is fitted into them.

Colours are those of Okabe and Ito, which people with colour vision deficiencies can
tell apart (https://jfly.uni-koeln.de/color/). No picture relies on colour alone: the
line style, the position or a text says the same, so that grey print loses nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from cnncli.errors import printable

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
INK = "#1A1A1A"
MUTED = "#595959"
GREY = "#A6A6A6"
RULE = "#D9D9D9"
PAPER = "#FFFFFF"


def label(text: str, limit: int = 24) -> str:
    """Return a name fit for a picture: on one line, without control characters.

    Args:
        text: The name, as the user wrote it.
        limit: Most characters to return, at least 2; a longer name gets an ellipsis
            in the second half, since names often differ at their ends.
    """
    text = printable(text)
    if len(text) <= limit:
        return text
    end = limit // 3
    return f"{text[: limit - 1 - end].rstrip()}…{text[len(text) - end :].lstrip()}"


def labels(names: Sequence[str], limit: int = 24) -> list[str]:
    """Return names fit for a picture, each unlike the others.

    If any two would be the same when shortened, all begin with their numbers, as in
    "3: name".

    Args:
        names: As the user wrote them, no two the same.
        limit: Most characters of each, at least 12.
    """
    shown = [label(name, limit) for name in names]
    if len(set(shown)) == len(shown):
        return shown
    return [label(f"{number}: {name}", limit) for number, name in enumerate(names)]


def wrapped(text: str, columns: int) -> list[str]:
    """Return a text as lines of at most ``columns`` characters, all about as long."""
    candidates = [
        textwrap.wrap(printable(text), limit, break_on_hyphens=False)
        for limit in range(columns // 2 + 1, columns + 1)
    ]
    return min(candidates, key=len)

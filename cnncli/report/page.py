"""HTML pages from templates: whatever stands in them is text, never markup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from cnncli import __version__
from cnncli.system.files import NotRegularError, open_regular

# Control characters, halves of characters, and those that turn the direction of text.
_UNSAFE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)

_GENERATOR = '<meta name="generator" content="cnncli '
_HEAD = 1000


def render(template: str, view: Mapping[str, object]) -> str:
    """Return a page: one file, without scripts, that asks for nothing else.

    Args:
        template: Its name among the templates.
        view: What it shows, by the names that the template has for it.
    """
    return (
        _environment()
        .get_template(template)
        .render(view, generator=Markup(_GENERATOR), version=__version__)
    )


def may_replace(path: Path) -> bool:
    """Return whether a file is a page of this program's, which is made anew at will."""
    try:
        with open_regular(path) as file:
            return _GENERATOR.encode() in file.read(_HEAD)
    except (OSError, NotRegularError):
        return False


@cache
def _environment() -> jinja2.Environment:
    """Return what knows the templates."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cnncli.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"apart": apart, "grouped": grouped, "percent": percent}
    return environment


def _finalized(value: Any) -> Any:
    r"""Return a value as it is to be written: an ESC byte becomes ``\x1b``."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSAFE.sub(_escaped, value)
    return value


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def apart(text: str) -> Markup:
    """Return a name as one that has no say in the direction of what is around it."""
    return Markup("<bdi>{}</bdi>").format(_finalized(text))


def percent(share: float) -> str:
    """Return a share as "86.2 %", in one piece."""
    return f"{100 * share:.1f}\xa0%"


def grouped(count: int) -> str:
    """Return a count as "10,000"."""
    return f"{count:,}"

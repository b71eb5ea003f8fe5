"""HTML pages from templates: whatever stands in them is text, never markup."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from cnncli import __version__
from cnncli.errors import printable


def render(template: str, view: Mapping[str, object]) -> str:
    """Return a page: one file, without scripts, that asks for nothing else.

    Args:
        template: Its name among the templates.
        view: What it shows, by the names that the template has for it.
    """
    return _environment().get_template(template).render(view, version=__version__)


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
    environment.filters |= {"percent": percent, "grouped": grouped}
    return environment


def _finalized(value: Any) -> Any:
    r"""Return a value as it is to be written: an ESC byte becomes ``\x1b``."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def percent(share: float) -> str:
    """Return a share as "86.2 %"."""
    return f"{100 * share:.1f} %"


def grouped(count: int) -> str:
    """Return a count as "10,000"."""
    return f"{count:,}"

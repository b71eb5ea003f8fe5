"""What ``compare`` prints: tables, verdicts, and what to type next."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from cnncli.comparison.tables import Table, tables
from cnncli.errors import printable
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from cnncli.comparison.compare import Comparison

_WIDTH = 88


def format_comparison(found: Comparison) -> str:
    """Return a comparison as text; it ends with the verdicts, and what to type next."""
    parts = [*map(_format, tables(found)), *map(_wrapped, found.verdicts)]
    text = "\n\n".join(parts)
    command = found.next_command
    return f"{text}:\n  {printable(command)}" if command else text


def _format(table: Table) -> str:
    numbers = range(table.numbers, len(table.head))
    return "\n".join([*table.says, aligned([table.head, *table.rows], numbers)])


def _wrapped(text: str) -> str:
    """Return a sentence as lines that part no number from its percent sign."""
    whole = printable(text).replace(" %", "\xa0%")
    lines = textwrap.fill(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\xa0", " ")

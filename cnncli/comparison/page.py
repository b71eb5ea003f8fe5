"""The page of a comparison: verdicts, curves over each other, tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnncli.comparison.curves import curves_of
from cnncli.comparison.tables import CONFIGS_DIFFER, tables
from cnncli.plots.curves import VALIDATION
from cnncli.plots.palette import labels
from cnncli.report.charts import Chart, line_chart
from cnncli.report.page import render

if TYPE_CHECKING:
    from cnncli.comparison.compare import Comparison
    from cnncli.plots.curves import Curve


def comparison_page(found: Comparison) -> str:
    """Return a comparison as a page: one file, without scripts.

    Args:
        found: The comparison.
    """
    curves, every = curves_of(found), tables(found)
    view: dict[str, object] = {
        "title": f"{len(found.runs):,} runs compared",
        "comparison": found,
        "first_tables": [each for each in every if each.name == CONFIGS_DIFFER],
        "tables": [each for each in every if each.name != CONFIGS_DIFFER],
        "charts": _charts(curves),
        "drawn": len(curves),
    }
    return render("comparison.html.jinja", view)


def _charts(curves: Sequence[Curve]) -> list[Chart]:
    """Return accuracy and loss, as far as they were measured."""
    names = labels([curve.name for curve in curves], 40)
    charts = []
    for column, measure in VALIDATION.items():
        lines = {
            name: ([row["epoch"] for row in rows], [row[column] for row in rows])
            for name, curve in zip(names, curves, strict=True)
            if (rows := [row for row in curve.history if column in row])
        }
        styles = {name: curve.style for name, curve in zip(names, curves, strict=True)}
        if chart := line_chart(measure, lines, styles=styles):
            charts.append(chart)
    return charts

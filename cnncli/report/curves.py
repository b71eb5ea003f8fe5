"""The curves of a run: loss and accuracy by epoch, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from cnncli.plots.history import history_finding
from cnncli.report.charts import Chart, line_chart

_DRAWN = ("loss", "accuracy")
_MOST_ROWS = 500


@dataclass(frozen=True)
class Curves:
    """How training went.

    Attributes:
        finding: In a sentence.
        charts: Loss and accuracy, as far as they were measured.
        columns: The columns of the table.
        rows: Its rows, of an epoch each, as text.
        left_out: How many more epochs there are.
    """

    finding: str
    charts: tuple[Chart, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


def draw_curves(
    history: Sequence[Mapping[str, float]], kept_epoch: int | None
) -> Curves | None:
    """Return the curves of a run; None if there are no losses.

    Args:
        history: One row an epoch, as in history.csv; there may be none.
        kept_epoch: The epoch whose weights the model has, if there is a model.
    """
    if not history or "loss" not in history[0]:
        return None
    frame = pd.DataFrame(history)
    finding = history_finding(frame)
    charts = [line_chart(name, _curves(frame, name), kept_epoch) for name in _DRAWN]
    columns = tuple(map(str, frame.columns))
    rows = tuple(
        tuple(_number(column, row[column]) for column in columns)
        for row in history[:_MOST_ROWS]
    )
    return Curves(
        f"{finding[0].upper()}{finding[1:]}",
        tuple(chart for chart in charts if chart),
        columns,
        rows,
        max(0, len(history) - _MOST_ROWS),
    )


def _curves(
    frame: pd.DataFrame, name: str
) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Return the lines of a measure, those that there are."""
    named = {"training": name, "validation": f"val_{name}"}
    return {
        key: (frame["epoch"].tolist(), frame[column].tolist())
        for key, column in named.items()
        if column in frame
    }


def _number(column: str, value: float) -> str:
    if column == "epoch":
        return str(int(value))
    return f"{value:g}" if column == "learning_rate" else f"{value:.4f}"

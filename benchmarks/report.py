"""The results, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, format_number
from benchmarks.targets import TRAINING

if TYPE_CHECKING:
    from benchmarks.targets import Target

SCHEMA = "cnncli.bench/1"
_BARS = {
    "cnncli": "cnncli",
    "PyTorch": "PyTorch, eager",
    "script": "the course text's script",
}
_LONGEST_BAR = 40


def to_json(
    machine: Mapping[str, str], targets: Sequence[Target], figures: Iterable[Figure]
) -> dict[str, Any]:
    """Return everything that was measured, every round of it."""
    return {
        "schema": SCHEMA,
        "machine": dict(machine),
        "targets": [
            {
                "what": target.what,
                "ours": target.ours,
                "theirs": target.theirs,
                "value": target.value,
                "unit": target.unit,
                "at_least" if target.at_least else "at_most": target.limit,
                "met": target.met,
            }
            for target in targets
        ],
        "figures": [
            {
                "name": figure.name,
                "unit": figure.unit.name,
                "contestants": {
                    name: _statistics(figure, name) for name in figure.costs
                },
            }
            for figure in figures
        ],
    }


def to_markdown(
    machine: Mapping[str, str], targets: Sequence[Target], figures: Iterable[Figure]
) -> str:
    """Return the targets, the figures with a chart of training speed, the machine."""
    parts = [
        _table(
            ("target", "cnncli", "compared with", "measured", "wanted", "met"),
            [_target_cells(target) for target in targets],
        )
    ]
    for figure in figures:
        base = next(iter(figure.costs))
        heads = ("best", "10th percentile", "median", "ratio of best", "paired ratio")
        rows = [_figure_cells(figure, name, base) for name in figure.costs]
        title = f"{figure.name} (rounds: {len(figure.costs[base])})"
        if figure.name == TRAINING:
            parts.append(speed_chart(figure))
        parts.append(_table((title, *heads), rows))
    parts.append(", ".join(f"{key} {value}" for key, value in machine.items()))
    return "\n\n".join(parts) + "\n"


def speed_chart(figure: Figure) -> str:
    """Return a block of text with a bar for each contestant's best training speed.

    Args:
        figure: Seconds an image; who isn't in it has no bar.
    """
    best = {
        label: 1 / figure.minimum(name)
        for name, label in _BARS.items()
        if name in figure.costs
    }
    longest, width = max(best.values()), max(map(len, best))
    bars = [
        f"{label:<{width}}  {'█' * round(_LONGEST_BAR * speed / longest)} "
        f"{format_number(speed)}"
        for label, speed in best.items()
    ]
    return "\n".join(["```", "images trained a second", "", *bars, "```"])


def _statistics(figure: Figure, name: str) -> dict[str, Any]:
    base = next(iter(figure.costs))
    return {
        "minimum": figure.minimum(name),
        "tenth_percentile": figure.tenth_percentile(name),
        "median": figure.median(name),
        "ratio": figure.ratio(name, base),
        "paired_ratio": figure.paired_ratio(name, base),
        "rounds": figure.costs[name],
    }


def _target_cells(target: Target) -> tuple[str, ...]:
    return (
        target.what,
        target.ours,
        target.theirs,
        f"{target.value:.2f} {target.unit}",
        f"at {'least' if target.at_least else 'most'} {format_number(target.limit)}",
        "yes" if target.met else "no",
    )


def _figure_cells(figure: Figure, name: str, base: str) -> tuple[str, ...]:
    show = figure.unit.show
    return (
        name,
        show(figure.minimum(name)),
        show(figure.tenth_percentile(name)),
        show(figure.median(name)),
        f"{figure.ratio(name, base):.2f} x",
        f"{figure.paired_ratio(name, base):.2f} x",
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table, aligned for people who read its source."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines
    )

"""The tables of a comparison, for a terminal and for a page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.comparison.paired import exact_p, mid_p
from cnncli.comparison.verdicts import interval_text, p_text
from cnncli.config import in_flow_style
from cnncli.errors import printable
from cnncli.plots.palette import label, labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cnncli.comparison.compare import Comparison
    from cnncli.comparison.differences import Difference

_LONGEST_NAME = 40
_LONGEST_VALUE = 20
_MOST_COLUMNS = 6
_NONE = "-"

CONFIGS_DIFFER = "what differs"
"""The table that says what the configs' letters stand for."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: What it shows, in a few words.
        head: Names of the columns.
        rows: Cells as text.
        numbers: The first column that holds numbers; those after it do as well.
        says: Lines that stand above it.
    """

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int
    says: Sequence[str] = ()


def tables(found: Comparison) -> list[Table]:
    """Return the tables of a comparison."""
    return list(_tables(found))


def _tables(found: Comparison) -> Iterator[Table]:
    names = [run.name for run in found.runs]
    shown = dict(zip(names, labels(names, _LONGEST_NAME), strict=True))
    yield _run_table(found, shown)
    if any(group.has_spread for group in found.groups):
        yield _config_table(found)
    if found.config_differences:
        known = {group.label: group.label for group in found.groups if group.settings}
        yield _differences(
            CONFIGS_DIFFER, "config key", found.config_differences, known
        )
    if found.other_differences:
        noted = {run.name: shown[run.name] for run in found.runs if run.manifest}
        yield _differences(
            "what else differs", "also different", found.other_differences, noted
        )
    if len(found.config_pairs) > 1:
        yield _config_pair_table(found)
    yield _pair_table(found, shown)


def _run_table(found: Comparison, shown: dict[str, str]) -> Table:
    """Return a line for each run; columns of which nothing is known are left out."""
    head = (
        *("config", "run", "seed", "accuracy", "95 % interval", "loss", "epochs"),
        *("kept", "seconds", "parameters", "model bytes"),
    )
    rows = [
        (
            found.labels[run["name"]],
            shown[run["name"]],
            _or_none(run["seed"], "d"),
            f"{run['accuracy']:.4f}",
            interval_text(run["accuracy_interval"]),
            _or_none(run["loss"], ".4f"),
            _or_none(run["epochs"], ",d"),
            _or_none(run["kept_epoch"], ","),
            _or_none(run["seconds"], ",.1f"),
            _or_none(run["parameters"], ","),
            _or_none(run["model_bytes"], ","),
        )
        for run in (run.to_dict() for run in found.runs)
    ]
    columns = zip(head, *rows, strict=True)
    kept = [column for column in columns if set(column[1:]) != {_NONE}]
    shown_head, *shown_rows = zip(*kept, strict=True)
    return Table("the runs", shown_head, shown_rows, 2)


def _config_table(found: Comparison) -> Table:
    """Return a line for each config."""
    head = (
        *("config", "seeds", "mean accuracy", "standard deviation"),
        *("95 % interval of the mean", "95 % interval of another seed"),
    )
    rows = [
        (
            group.label,
            f"{len(group.seeds):,}",
            f"{group.mean:.4f}",
            _or_none(group.deviation, ".4f"),
            interval_text(group.interval) if group.interval else _NONE,
            interval_text(group.next_interval) if group.next_interval else _NONE,
        )
        for group in found.groups
    ]
    return Table("the configs over their seeds", head, rows, 1)


def _config_pair_table(found: Comparison) -> Table:
    """Return a line for each pair of configs, below one that says what is tested."""
    head = (
        *("first config", "second config", "difference", "95 % interval"),
        *("p", "adjusted"),
    )
    rows = [
        (
            pair.first.label,
            pair.second.label,
            f"{pair.welch.difference:z.4f}",
            interval_text(pair.welch.interval),
            p_text(pair.welch.p),
            p_text(pair.adjusted_p),
        )
        for pair in found.shown_config_pairs
    ]
    says = [
        f"Welch's test of means over seeds, on the same {found.images}",
        *_left_out("config", found.config_pairs, rows),
    ]
    return Table("pairs of configs", head, rows, 2, says)


def _differences(
    name: str, heading: str, differences: Sequence[Difference], names: dict[str, str]
) -> Table:
    """Return a line for each key; for each name, if these don't fit side by side."""
    rows = [
        (
            printable(difference.key),
            *(
                _value(difference.values[name]) if name in difference.values else _NONE
                for name in names
            ),
        )
        for difference in differences
    ]
    table = [(heading, *names.values()), *rows]
    if len(names) > _MOST_COLUMNS:
        table = list(zip(*table, strict=True))
    return Table(name, table[0], table[1:], len(table[0]))


def _pair_table(found: Comparison, shown: dict[str, str]) -> Table:
    """Return a line for each pair, below one that says what is counted."""
    are_several = len(found.pairs) > 1
    head = (
        *("first run", "second run", "both", "first", "second", "neither"),
        *("difference", "95 % interval", "exact p", "mid-p"),
        *(("adjusted",) if are_several else ()),
    )
    rows = [
        (
            shown[pair.first.name],
            shown[pair.second.name],
            *(f"{number:,}" for number in pair.counts),
            f"{pair.counts.difference:z.4f}",
            interval_text(pair.interval),
            p_text(exact_p(pair.counts)),
            p_text(mid_p(pair.counts)),
            *((p_text(pair.adjusted_p),) if are_several else ()),
        )
        for pair in found.shown_pairs
    ]
    says = [
        f"McNemar's test on the same {found.images}: how many both get right, only the "
        "first, only the second, neither",
        *_left_out("run", found.pairs, rows),
    ]
    return Table("pairs of runs", head, rows, 2, says)


def _left_out(what: str, pairs: Sequence[Any], shown: Sequence[Any]) -> Iterator[str]:
    if more := len(pairs) - len(shown):
        yield (
            f"pairs with the {what} that is right most often; --json has {more:,} more"
        )


def _value(value: Any) -> str:
    """Return a value on one line, as in a config."""
    value = list(value) if isinstance(value, tuple) else value
    text = value if isinstance(value, str) else in_flow_style(value)
    return label(text, _LONGEST_VALUE)


def _or_none(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)

"""What ``data`` prints: a data set in numbers, and what is suspicious about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from cnncli.data.checks import CHECKS, MEANINGS
from cnncli.errors import printable
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from collections import Counter

    from cnncli.data.checks import Check
    from cnncli.data.survey import Survey

_WIDTH = 80
_LISTED = 10
_IN_A_LINE = 3
_NAMED = 4


def format_survey(survey: Survey) -> str:
    """Return a survey as text; its last line counts checks and warnings."""
    parts = [_overview(survey), _class_table(survey)]
    parts += ["\n".join(_finding(survey, check)) for check in CHECKS]
    found = [
        f"{check} {survey.count(check):,}" for check in CHECKS if survey.count(check)
    ]
    counted = f"{len(found)} warning{'s' * (len(found) != 1)}"
    last = f"{len(CHECKS)} checks, {counted if found else 'nothing found'}"
    return "\n\n".join(
        [
            *parts[:2],
            "\n".join(parts[2:]),
            f"{last}{': ' * bool(found)}{', '.join(found)}",
        ]
    )


def _overview(survey: Survey) -> str:
    data, channels = survey.data, survey.channels
    lowest, highest = min(c.lowest for c in channels), max(c.highest for c in channels)
    rows = [
        ("data", printable(str(data.place))),
        ("images", " x ".join(map(str, data.image_shape))),
        ("values", f"{lowest} to {highest}"),
        ("mean", ", ".join(f"{c.mean:.4f}" for c in channels)),
        ("deviation", ", ".join(f"{c.deviation:.4f}" for c in channels)),
    ]
    if survey.headers:
        changes = [f"{name} {n:,}" for name, n in survey.headers.changes.items()]
        rows += [
            ("formats", _counts(survey.headers.formats)),
            ("colours", _counts(survey.headers.modes)),
            ("sizes", _counts(survey.headers.sizes)),
            ("changes", ", ".join(changes) or "none"),
        ]
    rows += [("note", printable(note)) for note in data.notes]
    return "\n".join(
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent=f"{name:11}",
            subsequent_indent=" " * 11,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, text in rows
    )


def _counts(counts: Counter[str]) -> str:
    shown = [f"{name} ({count:,})" for name, count in counts.most_common(_NAMED)]
    rest = len(counts) - _NAMED
    return ", ".join([*shown, *([f"{rest:,} more"] if rest > 0 else [])])


def _class_table(survey: Survey) -> str:
    from cnncli.plots.palette import label

    counts = survey.class_counts
    rows = [("class", *counts)]
    rows += [
        (label(name, 36), *(f"{numbers[n]:,}" for numbers in counts.values()))
        for n, name in enumerate(survey.data.class_names)
    ]
    rows.append(("total", *(f"{sum(numbers):,}" for numbers in counts.values())))
    return aligned(rows, right=range(1, len(counts) + 1))


def _finding(survey: Survey, check: Check) -> Iterator[str]:
    """Return what a check has found, with the first of it."""
    count = survey.count(check)
    yield f"{MEANINGS[check]}: {_how_many(survey, check) if count else 'none'}"
    yield from (f"  {line}" for line in islice(_lines(survey, check), _LISTED))
    if (rest := count - _LISTED) > 0 and check != "imbalance":
        yield f"  and {rest:,} more, listed by --json"


def _how_many(survey: Survey, check: Check) -> str:
    count = f"{survey.count(check):,}"
    match check:
        case "leak":
            seen = [
                f"{images:,} {unseen} image{'s' * (images != 1)} also in {other}"
                for unseen, other, images in survey.seen
            ]
            return f"{count}; {', '.join(seen)}"
        case "near":
            return f"{count}, {survey.num_across:,} of them across splits"
        case "imbalance":
            names, counts = survey.data.class_names, survey.class_counts["train"]
            most, fewest = (
                f"{counts[n]:,} of {printable(names[n])}"
                for n in reversed(survey.extremes)
            )
            return f"{most}, {fewest}"
    return count


def _lines(survey: Survey, check: Check) -> Iterator[str]:
    groups = {
        "conflict": survey.conflicts,
        "leak": survey.leaks,
        "duplicates": survey.copies,
    }
    for group in groups.get(check, ()):
        yield _images(survey, group.tolist())
    for number in survey.constant if check == "constant" else ():
        yield _images(survey, [number])
    for pair in survey.near if check == "near" else ():
        images = _images(survey, [pair.first, pair.second])
        yield f"{images}  {pair.correlation:.4f}, {pair.change}"
    for part, name in survey.missing if check == "missing-class" else ():
        yield f"{part}: {printable(name)}"


def _images(survey: Survey, numbers: Sequence[int]) -> str:
    """Return which images these are, by name or by split and index."""
    shown = []
    for number in numbers[:_IN_A_LINE]:
        image = survey.describe(number)
        place = f"{image['split']} {image['name'] or image['index']}"
        shown.append(printable(f"{place} ({image['class']})"))
    rest = len(numbers) - _IN_A_LINE
    return "  ".join([*shown, *([f"and {rest:,} more"] if rest > 0 else [])])

"""Labels as files have them, numbers or text, and the classes that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from cnncli.config.problems import quoted, suggestion
from cnncli.config.schema import Idx
from cnncli.config.validation import validate
from cnncli.data.streams import read_all
from cnncli.errors import DataError

Label = int | str

USUAL_NAMES = ("label", "labels", "class", "target", "y")
"""What columns of labels are called, in lower case."""

_MOST = 256
_LISTED = 10
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_FLOAT = re.compile(r"[+-]?\d{1,18}\.\d*([eE][+-]?\d\d)?", re.ASCII)


@dataclass(frozen=True)
class Labels:
    """The labels of a pool.

    Attributes:
        place: Where they stand, for messages.
        values: (n,) one for each image; all are numbers, or all are text.
    """

    place: str
    values: Sequence[Label]


@dataclass(frozen=True)
class Classes:
    """The classes that labels stand for.

    Attributes:
        names: The name of each class.
        numbers: For each of some pools its images' class numbers, a byte each.
        note: How labels became classes, if nobody has said it.
    """

    names: tuple[str, ...]
    numbers: tuple[bytes, ...]
    note: str | None


def classes_of(pools: Sequence[Labels], given: tuple[str, ...] | None) -> Classes:
    """Find out what labels mean.

    Numbers are positions in the names that are given, unless all of these are numbers
    themselves; text is one of these names. Where no names are given, the different
    labels of the first pool are the classes, sorted. Text that is a number everywhere
    is taken for one.

    Args:
        pools: The labels of each pool, those of the training images first.
        given: The name of each class, if they are known.

    Raises:
        DataError: A label stands for no class, or these can't be classes.
    """
    if not given or not _are_among(pools, given):
        pools = _unified(pools)
    names, note = (given, None) if given else _found(pools[0])
    numbers = read_all(*(partial(_numbers, pool, names) for pool in pools))
    return Classes(names, tuple(numbers), note)


def check_range(place: object, labels: Sequence[int], num_classes: int) -> None:
    """Refuse numbers that are no positions in a list of classes.

    Args:
        place: Where they stand, for messages.
        labels: (n,) numbers.
        num_classes: How many classes there are.

    Raises:
        DataError: A number is below 0, or too large.
    """
    expected = f"expected labels from 0 to {num_classes - 1} for {num_classes} classes"
    if min(labels) == 1 and max(labels) == num_classes:
        raise DataError(
            f"{place}: {expected}; found 1 to {num_classes} and none that is 0, as in "
            "EMNIST Letters: name one class more, before the others, that has no images"
        )
    for row, label in enumerate(labels):
        if not 0 <= label < num_classes:
            raise DataError(
                f"{place}: {expected}; found {label} in row {row:,}, counted from 0"
            )


def check_names(place: object, names: tuple[str, ...]) -> None:
    """Refuse names that classes can't have.

    Args:
        place: Where they stand, for messages.
        names: The name of each class.

    Raises:
        DataError: They are too few or too many, not unlike, or no text.
    """
    value = {"type": Idx.tag(), "path": ".", "classes": names}
    _, problems = validate(Idx, value)
    if problems:
        raise DataError(f"{place}: the names of classes {problems[0].message}")


def _are_among(pools: Sequence[Labels], names: tuple[str, ...]) -> bool:
    return all({*pool.values} <= {*names} for pool in pools)


def _unified(pools: Sequence[Labels]) -> list[Labels]:
    """Return labels that are numbers everywhere as numbers, and else all as text."""
    distinct = {label for pool in pools for label in pool.values}
    numbers = {label: _as_number(label) for label in distinct}
    if None not in numbers.values():
        return [
            Labels(pool.place, [numbers[label] or 0 for label in pool.values])
            for pool in pools
        ]
    return [Labels(pool.place, list(map(str, pool.values))) for pool in pools]


def _as_number(label: Label) -> int | None:
    """Return a label as a whole number, if it is one, such as "7" or "7.0"."""
    if isinstance(label, int) or _WHOLE.fullmatch(label):
        return int(label)
    number = float(label) if _FLOAT.fullmatch(label) else 0.5
    return int(number) if number.is_integer() else None


def _found(labels: Labels) -> tuple[tuple[str, ...], str]:
    """Return the names that labels themselves are, and what to say of it.

    Raises:
        DataError: They can't be classes.
    """
    place, distinct = labels.place, set(labels.values)
    first = min(distinct)
    if isinstance(first, int) and first < 0:
        raise DataError(
            f"{place}: {first} is among the labels, as where there are none"
        )
    names = tuple(map(str, sorted(distinct)))
    if len(names) < 2:
        raise DataError(
            f"{place}: all labels are {first!r}, so there is nothing to tell apart"
        )
    if len(names) > _MOST:
        raise DataError(
            f"{place}: {len(names):,} different labels, {_listed(names[:3])}, ...; at "
            f"most {_MOST} classes can be told apart; are these the labels?"
        )
    check_names(place, names)
    way = "number" if isinstance(first, int) else "name"
    more = f", ... ({len(names)})" if len(names) > _LISTED else ""
    return names, (
        f"{place}: the classes are the different labels, sorted by {way}: "
        f"{', '.join(names[:_LISTED])}{more}"
    )


def _numbers(labels: Labels, names: tuple[str, ...]) -> bytes:
    """Return a class number for each label.

    Raises:
        DataError: A label is none of the classes.
    """
    values = labels.values
    positions: dict[Label, int]
    if isinstance(values[0], int) and not _are_numbers(names):
        check_range(labels.place, values, len(names))  # type: ignore[arg-type]
        return bytes(values)  # type: ignore[arg-type]
    positions = {name: position for position, name in enumerate(names)}
    for row, label in enumerate(values):
        if str(label) not in positions:
            raise DataError(
                f"{labels.place}: {quoted(str(label))} in row {row:,}, counted from "
                f"0, is none of the classes {_listed(names)}"
                f"{suggestion(str(label), names)}"
            )
    return bytes(positions[str(label)] for label in values)


def _are_numbers(names: Iterable[str]) -> bool:
    return all(name.isdecimal() and str(int(name)) == name for name in names)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(quoted, names[:_LISTED]))
    return f"{shown}, ..." if len(names) > _LISTED else shown

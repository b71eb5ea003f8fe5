"""What a sweep varies, as it is typed, and what is drawn of it."""

from __future__ import annotations

import math
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.config import in_flow_style
from cnncli.config.spelling import short_names, spelled, spelled_settings
from cnncli.errors import ConfigError
from cnncli.studies.axes import Grid, Range, parse_axes
from cnncli.studies.search import (
    corners,
    count_settings,
    every_setting,
    new_settings,
    random_settings,
)

GRID = "expected key.path=value,value, such as training.batch_size=32,64"
RANGE = "expected key.path=LOW..HIGH, two numbers, such as training.batch_size=16..256"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1,2", (1, 2)),
        (" a.b = 1e-3 , 3e-3", (0.001, 0.003)),
        ("a.b=[3, 3],[5, 5]", ((3, 3), (5, 5))),
        ("a.b=Adam,{SGD: {momentum: 0.9, nesterov: true}}", None),
        ("a.b='x,y',z", ("x,y", "z")),
        ("a.b=null,true,1,1.0,'1'", (None, True, 1, 1.0, "1")),
        ("a.b=5", (5,)),
        ("a.b=x=1,y", ("x=1", "y")),
    ],
)
def test_values_are_yaml(text: str, values: tuple[Any, ...] | None) -> None:
    expected = values or ("Adam", {"SGD": {"momentum": 0.9, "nesterov": True}})
    (axis,) = parse_axes([text], [])
    assert axis == Grid("a.b", expected)


@given(
    st.lists(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(10**18), 10**18)
            | st.floats(allow_nan=False)
            # What YAML itself can't spell is no text in a config either.
            | st.text(st.characters(codec="ascii", exclude_categories=["C"])),
            lambda inner: st.lists(inner, max_size=3).map(tuple),
            max_leaves=4,
        ),
        min_size=1,
        max_size=5,
        unique_by=in_flow_style,
    )
)
def test_values_that_are_written_out_are_read_back(values: list[Any]) -> None:
    text = in_flow_style(values).removeprefix("[").removesuffix("]")
    (axis,) = parse_axes([f"key={text}"], [])
    assert [*map(in_flow_style, axis.ends)] == [*map(in_flow_style, values)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1..10", Range("a", 1, 10)),
        ("a=1e-4..1e-2", Range("a", 1e-4, 1e-2)),
        ("a = -1 .. 0.5", Range("a", -1, 0.5)),
        ("a=1...5", None),
        ("a=0.1..0.5", Range("a", 0.1, 0.5)),
    ],
)
def test_ranges(text: str, expected: Range | None) -> None:
    if expected is None:
        with pytest.raises(ConfigError, match="must be greater"):
            parse_axes([], [text])
    else:
        assert parse_axes([], [text]) == (expected,)


@pytest.mark.parametrize(
    ("low", "high", "is_log"),
    [(1, 9, False), (1, 10, True), (-1, 100, False), (0, 1, False), (1e-4, 1e-2, True)],
)
def test_ranges_of_a_factor_of_ten_are_logarithmic(
    low: float, high: float, is_log: bool
) -> None:
    assert Range("a", low, high).is_log is is_log


@pytest.mark.parametrize(
    ("grids", "ranges", "problems"),
    [
        (["a"], [], [f"--grid a: {GRID}"]),
        (["=1,2"], [], [f"--grid =1,2: {GRID}"]),
        (["a b=1"], [], [f"--grid a b=1: {GRID}"]),
        (["a="], [], [f"--grid a=: {GRID}"]),
        (["a=1,1.0,1"], [], ["--grid a=1,1.0,1: 1 is given more than once"]),
        (["a=1e-3,0.001"], [], ["--grid a=1e-3,0.001: 0.001 is given more than once"]),
        (["a=[1"], [], ["--grid a=[1: this bracket isn't closed, or lacks a ','"]),
        (["a=1]"], [], None),
        ([], ["a=1"], [f"--range a=1: {RANGE}"]),
        ([], ["a=1..x"], [f"--range a=1..x: {RANGE}"]),
        ([], ["a=1..2..3"], [f"--range a=1..2..3: {RANGE}"]),
        ([], ["a=true..3"], [f"--range a=true..3: {RANGE}"]),
        ([], ["a=1...inf"], [f"--range a=1...inf: {RANGE}"]),
        ([], ["a=2..2"], ["--range a=2..2: the second number must be greater"]),
        (
            ["a=1,2", "b", "a=3"],
            ["c=1..0", "a=1..2"],
            [
                f"--grid b: {GRID}",
                "--range c=1..0: the second number must be greater",
                "--grid a: is given more than once",
                "--range a: is given more than once",
            ],
        ),
    ],
)
def test_what_is_wrong_is_said_of_all(
    grids: list[str], ranges: list[str], problems: list[str] | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_axes(grids, ranges)
    if problems is not None:
        assert list(caught.value.problems) == problems


def test_every_setting_in_order() -> None:
    axes = (Grid("a", (1, 2)), Grid("b", ("x", "y", "z")))
    settings = every_setting(axes)
    assert settings[:4] == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 1, "b": "z"},
        {"a": 2, "b": "x"},
    ]
    assert len(settings) == count_settings(axes) == 6


def test_far_too_many_settings() -> None:
    axes = [Grid(key, tuple(range(40))) for key in "abc"]
    with pytest.raises(ConfigError) as caught:
        every_setting(axes)
    assert str(caught.value) == (
        "--grid: 64,000 combinations, of which at most 1,000 are trained; draw some of "
        "them with --random N"
    )


axes_drawn = st.one_of(
    st.integers(1, 6).map(lambda count: Grid("a", tuple(range(count)))),
    st.tuples(st.integers(-5, 5), st.integers(1, 5000)).map(
        lambda ends: Range("a", ends[0], ends[0] + ends[1])
    ),
    st.tuples(st.floats(1e-6, 1e3), st.floats(0.001, 1e5)).map(
        lambda ends: Range("a", ends[0], ends[0] + ends[1])
    ),
)


@given(axes_drawn, st.integers(0, 99))
def test_what_is_drawn_lies_within(axis: Grid | Range, seed: int) -> None:
    source = Random(seed)
    for _ in range(20):
        value = axis.draw(source)
        if isinstance(axis, Grid):
            assert value in axis.values
        else:
            assert axis.low <= value <= axis.high
            assert isinstance(value, int) or not axis.is_whole


def test_every_whole_number_of_a_range_is_drawn() -> None:
    for axis in (Range("a", 1, 12), Range("a", -2, 3)):
        drawn = {axis.draw(source) for source in [Random(1)] for _ in range(2000)}
        assert drawn == set(range(int(axis.low), int(axis.high) + 1))


def test_each_decade_of_a_logarithmic_range_is_drawn_as_often() -> None:
    axis, source = Range("a", 1e-4, 1e-1), Random(2)
    drawn = [math.log10(axis.draw(source)) for _ in range(3000)]
    for decade in (-4, -3, -2):
        assert sum(decade <= x < decade + 1 for x in drawn) == pytest.approx(
            1000, abs=100
        )


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 99))
def test_all_that_there_are_can_be_drawn(sizes: list[int], seed: int) -> None:
    axes = [Grid(f"k{n}", tuple(range(size))) for n, size in enumerate(sizes)]
    total = math.prod(sizes)
    drawn = random_settings(axes, total, seed)
    texts = {in_flow_style(settings) for settings in drawn}
    assert texts == {in_flow_style(settings) for settings in every_setting(axes)}
    assert (
        random_settings(axes, max(1, total // 2), seed) == drawn[: max(1, total // 2)]
    )
    with pytest.raises(ConfigError) as caught:
        random_settings(axes, total + 1, seed)
    assert str(caught.value) == (
        f"--random {total + 1}: only {total} different combinations were found; ask "
        "for fewer"
    )


def test_what_is_known_is_not_drawn_anew() -> None:
    axes = [Grid("a", (1, 2, 3))]
    drawn = list(new_settings(axes, Random(0), [{"a": 2}]))
    assert sorted(settings["a"] for settings in drawn) == [1, 3]
    assert list(islice(new_settings([Range("a", 0.5, 1)], Random(0), []), 3))


def test_corners_are_values_and_ends() -> None:
    axes: tuple[Grid | Range, ...] = (Grid("a", (1, 2)), Range("b", 0.5, 8))
    assert list(corners(axes)) == [
        {"a": 1, "b": 0.5},
        {"a": 1, "b": 8},
        {"a": 2, "b": 0.5},
        {"a": 2, "b": 8},
    ]
    assert count_settings(axes) == math.inf


def test_keys_are_as_short_as_tells_them_apart() -> None:
    keys = [
        "training.batch_size",
        "model.layers.0.Conv2D.filters",
        "model.layers.1.Conv2D.filters",
        "seed",
        "training.seed",
    ]
    assert list(short_names(keys).values()) == [
        "batch_size",
        "0.Conv2D.filters",
        "1.Conv2D.filters",
        "seed",
        "training.seed",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (1e-5, "1e-05"),
        (True, "true"),
        (None, "null"),
        ("Adam", "Adam"),
        ("1", "'1'"),
        ((3, 3), "[3, 3]"),
        ({"SGD": {"momentum": 0.9}}, "{SGD: {momentum: 0.9}}"),
        ("x" * 80, "x" * 57 + "..."),
    ],
)
def test_values_are_spelled_as_they_would_be_typed(value: Any, text: str) -> None:
    assert spelled(value) == text
    assert spelled_settings({"a.b": value}, {"a.b": "b"}) == f"b={text}"

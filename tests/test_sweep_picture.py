"""The picture of a sweep."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from PIL import Image

from cnncli.plots import style, sweep
from cnncli.plots.sweep import plot_sweep, sweep_finding

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

RATE, SIZE = "training.optimizer.Adam.learning_rate", "training.batch_size"
FOUR: list[Any] = [
    ({RATE: 0.001, SIZE: 16}, 0.81),
    ({RATE: 0.01, SIZE: 64}, 0.87),
    ({RATE: 1.0, SIZE: 16}, None),
    ({RATE: 0.1, SIZE: 32}, 0.6),
]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures that become PNG files in a test."""
    saved: list[Figure] = []

    def save(figure: Figure) -> bytes:
        saved.append(figure)
        return style.png_bytes(figure)

    monkeypatch.setattr(sweep, "png_bytes", save)
    return saved


def ticks(axes: Axes, which: str) -> list[str]:
    """Return the texts along an axis that can be seen."""
    axis = getattr(axes, f"{which}axis")
    low, high = axis.get_view_interval()
    return [
        tick.label1.get_text()
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_text()
    ]


def drawn(line: Line2D) -> list[tuple[float, float]]:
    """Return the points of a line."""
    columns = (line.get_xdata(), line.get_ydata())
    across, up = (np.asarray(column, float).tolist() for column in columns)
    return list(zip(across, up, strict=True))


def test_the_title_is_the_finding(figures: list[Figure]) -> None:
    png = plot_sweep([RATE, SIZE], FOUR, 1, "val_accuracy")
    assert Image.open(io.BytesIO(png)).format == "PNG"
    title = figures[0].texts[0].get_text().replace("\n", " ")
    assert title == sweep_finding([RATE, SIZE], FOUR, 1, "val_accuracy")
    assert title == (
        "validation accuracy 0.870, the highest of 4 runs (1 failed), with "
        "learning_rate 0.01, batch_size 64"
    )


def test_many_keys_are_not_all_in_the_title() -> None:
    runs: list[Any] = [(dict.fromkeys("abcdef", 3), 0.25)]
    assert sweep_finding("abcdef", runs, 0, "val_loss") == (
        "validation loss 0.250, the lowest of 1 run, with a 3, b 3, c 3, d 3, ..."
    )


def test_each_key_has_a_panel(figures: list[Figure]) -> None:
    plot_sweep([RATE, SIZE], FOUR, 1, "val_accuracy")
    rate, size = figures[0].axes
    assert [axes.get_title(loc="left") for axes in (rate, size)] == [
        "learning_rate",
        "batch_size",
    ]
    assert rate.get_ylabel() == "validation accuracy"
    assert (rate.get_xscale(), size.get_xscale()) == ("log", "linear")
    assert ticks(rate, "x") == ["0.001", "0.01", "0.1", "1"]
    assert ticks(size, "x") == ["16", "32", "64"]
    assert ticks(rate, "y")[-1] == "failed"
    points, crosses, ring = rate.lines
    assert drawn(points) == [(0.001, 0.81), (0.01, 0.87), (0.1, 0.6)]
    ((at, height),) = drawn(crosses)
    assert at == 1.0
    assert height < 0.6
    assert drawn(ring) == [(0.01, 0.87)]


def test_values_that_are_no_numbers_have_places_and_names(
    figures: list[Figure],
) -> None:
    kinds = ["relu", {"CosineDecay": {"alpha": 0.1}}, None, (3, 3), "relu"]
    runs: list[Any] = [({"a.b": kind}, 0.1 * n) for n, kind in enumerate(kinds)]
    plot_sweep(["a.b"], runs, 4, "val_accuracy")
    (axes,) = figures[0].axes
    assert ticks(axes, "x") == ["relu", "{CosineDeca…0.1}}", "null", "[3, 3]"]
    assert [at for at, _ in drawn(axes.lines[0])] == [0, 1, 2, 3, 0]
    assert "failed" not in ticks(axes, "y")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(1, 9), "linear"),
        ([1e-4, 2e-4, 3e-3, 4e-3, 5e-2, 6e-2, 0.5], "log"),
        ([4, 8, 12, 20, 28, 40, 64], "log"),
        ([-1, 0, 1], "linear"),
        ([0, 1000], "linear"),
    ],
)
def test_numbers_are_spelled_plainly(
    values: list[float], expected: str, figures: list[Figure]
) -> None:
    runs: list[Any] = [({"a": value}, 0.5) for value in values]
    plot_sweep(["a"], runs, 0, "val_loss")
    (axes,) = figures[0].axes
    assert axes.get_xscale() == expected
    texts = ticks(axes, "x")
    assert 2 <= len(texts) <= 8
    assert all(float(text) is not None for text in texts)


plain = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(1e-9, 1e9) | st.text()
)


@settings(max_examples=12)
@pytest.mark.slow
@given(
    st.integers(1, 8).flatmap(
        lambda keys: st.lists(
            st.tuples(
                st.tuples(*[plain] * keys),
                st.none() | st.floats(0, 1) | st.floats(1, 1e30),
            ),
            min_size=1,
            max_size=6,
        )
    )
)
def test_anything_can_be_drawn(
    runs: list[tuple[tuple[Any, ...], float | None]],
) -> None:
    keys = [f"$k_{number}$" for number in range(len(runs[0][0]))]
    first = [(runs[0][0], 0.5), *runs[1:]]
    named: list[Any] = [
        (dict(zip(keys, values, strict=True)), figure) for values, figure in first
    ]
    png = plot_sweep(keys, named, 0, "val_accuracy")
    with Image.open(io.BytesIO(png)) as image:
        assert image.convert("L").getextrema() != (255, 255)


def test_no_text_is_cut_off(figures: list[Figure]) -> None:
    runs: list[Any] = [
        ({f"k{n}": name for n in range(7)}, 0.1)
        for name in ("a" * 60, "b" * 60, "c" * 60)
    ]
    plot_sweep([f"k{n}" for n in range(7)], runs, 0, "val_accuracy")
    (figure,) = figures
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1
            assert box.x1 <= figure.bbox.width + 1
            assert box.y0 >= -1
            assert box.y1 <= figure.bbox.height + 1

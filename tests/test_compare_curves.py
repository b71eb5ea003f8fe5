"""The picture of ``cnncli compare``: curves of runs over each other."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Annotation, Text

from cnncli.plots import curves as module
from cnncli.plots.curves import MOST_CURVES, Curve, curves_finding, plot_curves
from tests.comparisons import history, make_run, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from tests.conftest import Cli

NAN = float("nan")


def curve(
    name: str, accuracies: list[float], style: int = 0, **columns: list[float]
) -> Curve:
    """Return a run with a validation accuracy, and perhaps more, an epoch each."""
    columns = {"val_accuracy": accuracies, **columns}
    rows = [
        {"epoch": epoch, **dict(zip(columns, values, strict=True))}
        for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1)
    ]
    return Curve(name, style, rows)


def points(line: Line2D) -> Any:
    """Return epoch and value of each point of a line."""
    return np.asarray(line.get_xydata()).tolist()


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect what is drawn, instead of writing it."""
    drawn: list[Figure] = []

    def save(figure: Figure, picture_format: str) -> bytes:
        figure.draw_without_rendering()
        drawn.append(figure)
        return picture_format.encode()

    monkeypatch.setattr(module, "picture_bytes", save)
    return drawn


def test_every_run_has_a_line_and_its_name_at_the_end(figures: list[Figure]) -> None:
    both = [
        curve("first", [0.5, 0.75], val_loss=[0.75, 0.5]),
        curve("second", [0.5, 0.625, 0.5], style=1, val_loss=[1, 0.5, NAN]),
    ]
    assert plot_curves(both, picture_format="svg") == b"svg"
    (figure,) = figures
    assert (
        figure.get_suptitle() == "highest validation accuracy: 0.750, first at epoch 2"
    )
    accuracy, loss = figure.axes
    assert accuracy.get_title("left") == "validation accuracy"
    assert loss.get_title("left") == "validation loss"
    assert [points(line) for line in accuracy.lines] == [
        [[1, 0.5], [2, 0.75]],
        [[1, 0.5], [2, 0.625], [3, 0.5]],
    ]
    assert [points(line) for line in loss.lines] == [
        [[1, 0.75], [2, 0.5]],
        [[1, 1], [2, 0.5]],
    ]
    names = [text.get_text() for text in accuracy.findobj(Annotation)]
    assert names == ["second 0.500", "first 0.750"]
    first, second = accuracy.lines
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()


def test_the_epoch_whose_weights_are_kept_has_a_ring(figures: list[Figure]) -> None:
    kept = curve("kept", [0.5, 0.75, 0.625])._replace(kept_epoch=2)
    plot_curves([kept, curve("unknown", [0.5, 0.5], style=1)])
    (axes,) = figures[0].axes
    assert axes.get_xlabel() == "epoch, a ring where weights are kept"
    (ring,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert points(ring) == [[2, 0.75]]


def test_names_never_overlap(figures: list[Figure]) -> None:
    plot_curves([curve(f"run {n}", [0.5, 0.9], style=n) for n in range(MOST_CURVES)])
    (axes,) = figures[0].axes
    boxes = sorted(
        Text.get_window_extent(text).intervaly.tolist()  # without its pointer
        for text in axes.findobj(Annotation)
    )
    assert len(boxes) == MOST_CURVES
    assert all(below[1] <= above[0] + 1 for below, above in itertools.pairwise(boxes))


def test_no_two_styles_are_the_same() -> None:
    assert len({str(module._style(n)) for n in range(MOST_CURVES)}) == MOST_CURVES
    assert module._style(MOST_CURVES) == module._style(0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=MOST_CURVES).map(sorted))
def test_places_are_moved_apart_and_no_further(places: list[float]) -> None:
    moved = module._apart(places)
    gaps = np.diff(moved)
    assert (gaps >= module._LINE_OF_TEXT - 1e-9).all()
    assert moved[0] >= -1e-9
    assert moved[-1] <= 1 + 1e-9
    if (np.diff(places) >= module._LINE_OF_TEXT).all():
        assert moved == pytest.approx(places)


@pytest.mark.parametrize(
    ("curves", "finding"),
    [
        (
            [curve("a", [0.5, 0.7]), curve("b", [0.6, 0.8, 0.7])],
            "highest validation accuracy: 0.800, b at epoch 2",
        ),
        (
            [Curve("a", 0, [{"epoch": 1, "val_loss": 0.5}]), Curve("b", 1, [])],
            "lowest validation loss: 0.500, a at epoch 1",
        ),
        ([curve("a", [NAN])], "no run has a finite validation accuracy"),
        ([curve("a", [NAN, 0.5])], "highest validation accuracy: 0.500, a at epoch 2"),
    ],
)
def test_the_title_is_the_finding(
    curves: list[Curve], finding: str, figures: list[Figure]
) -> None:
    assert curves_finding(curves) == finding
    plot_curves(curves)
    assert figures[0].get_suptitle().replace("\n", " ") == finding


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_picture_is_the_same_every_time(
    suffix: str, tmp_path: Path, cli: Cli
) -> None:
    make_run(tmp_path / "a", share(80))
    make_run(tmp_path / "b $x^2$ 猫", share(81), epochs=3)
    runs, file = ("a", "b $x^2$ 猫"), f"both.{suffix}"
    result = cli("compare", *runs, "-o", file)
    assert result.stderr.endswith(f"written: {file}\n")
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    content = Path(file).read_bytes()
    assert content.startswith(starts[suffix])
    cli("compare", *runs, "--out", file)
    assert Path(file).read_bytes() == content


def test_files_are_not_overwritten_unasked(tmp_path: Path, cli: Cli) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, share(80))
    Path("both.png").write_text("mine")
    result = cli("compare", "a", "b", "-o", "both.png", exit_code=5)
    assert "b and a get the same images right: " in result.stdout
    assert result.stderr.endswith(
        "error: both.png: there is already a file with other content; choose another "
        "place, or replace it with --overwrite\n"
    )
    assert Path("both.png").read_text() == "mine"
    cli("compare", "a", "b", "-o", "both.png", "--overwrite")
    assert Path("both.png").read_bytes().startswith(b"\x89PNG")


def test_of_many_runs_as_many_of_each_config_are_drawn(
    tmp_path: Path, figures: list[Figure], cli: Cli
) -> None:
    names = [f"run-{n}" for n in range(10)]
    for n, name in enumerate(names):
        make_run(tmp_path / name, share(50 + n), seed=n % 2 + 1, epochs=n // 2 + 1)
    (tmp_path / "run-9" / "history.csv").write_text("epoch,loss\n1,0.5\n")
    result = cli("compare", *names, "-o", "some.svg")
    assert result.stderr == (
        "note: some.svg: 8 of the 10 runs are drawn, of those with validation the "
        "first of each config, 8 at most\n"
        "written: some.svg\n"
    )
    drawn = figures[0].axes[0]
    names = sorted(text.get_text() for text in drawn.findobj(Annotation))
    assert names == [f"run-{n} 0.750" for n in (0, 1, 2, 3, 4, 5, 6, 8)]
    # Runs of a config look the same: 0 and 1, 2 and 3, 4 and 5, then 6, then 8.
    lines = [line for line in drawn.lines if line.get_marker() != "o"]
    assert len(lines) == 8
    assert len({line.get_color() for line in lines}) == 4
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 5


def test_nothing_to_draw(tmp_path: Path, cli: Cli) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, share(80))
        (tmp_path / name / "history.csv").write_text("epoch,loss\n1,0.5\n")
    result = cli("compare", "a", "b", "-o", "both.png", exit_code=3)
    assert result.stderr.endswith(
        "error: --out: there is nothing to draw: no run has a history.csv with "
        "val_accuracy or val_loss\n"
    )
    assert not Path("both.png").exists()


def test_a_history_of_one_epoch() -> None:
    assert history([0.5]).splitlines()[1:] == ["1,0.5,0.5"]
    assert plot_curves([curve("a", [0.5])]).startswith(b"\x89PNG")

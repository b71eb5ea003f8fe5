"""Pictures and animations of ``convolve``: what they say, and that all of it fits."""

from __future__ import annotations

import io
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from cnncli.commands.answers import LayerAnswer
from cnncli.explain.by_hand import ByHand
from cnncli.lesson.arithmetic import cross_correlate
from cnncli.plots import animation, convolution, style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tests.conftest import Cli


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures of a test."""
    drawn: list[Figure] = []

    def save(figure: Figure, picture_format: str, dpi: int = style.DPI) -> bytes:
        drawn.append(figure)
        return style.picture_bytes(figure, picture_format, dpi)

    for module in (convolution, animation):
        monkeypatch.setattr(module, "picture_bytes", save)
    return drawn


def title(figure: Figure) -> str:
    """Return a figure's title on one line."""
    return " ".join(figure.get_suptitle().split())


def headings(figure: Figure) -> list[str]:
    """Return what stands above the matrices."""
    return [axes.get_title("left") for axes in figure.axes]


def notes(figure: Figure) -> list[str]:
    """Return what stands below the matrices."""
    return [axes.get_xlabel() for axes in figure.axes]


def colours(axes: Axes) -> tuple[str, float, float]:
    """Return the palette of a matrix, and the ends of its scale."""
    (image,) = axes.images
    return (image.get_cmap().name, *image.get_clim())


def slide(image: np.ndarray, kernel: list[list[int]]) -> animation.Slide:
    """Return a kernel's way over an image."""
    sums = cross_correlate(image, kernel)
    weights = np.array(kernel, float)
    return animation.Slide("image", image, "kernel", weights, sums, 0.0, 1)


def test_a_bias_and_a_turned_kernel_are_said(cli: Cli, figures: list[Figure]) -> None:
    cli("convolve", "--flip", "--bias", "3", "-o", "a.png", "--animate", "a.gif")
    picture, *film = figures
    assert title(picture) == ("Convolution, 2x2 kernel, stride 1, padding 0, bias 3")
    assert headings(picture) == ["image", "kernel, turned round", "result"]
    assert [title(frame) for frame in film] == [f"Window {n} of 4" for n in range(1, 5)]
    assert [headings(frame)[-1] for frame in film] == [
        "sum 2.5 + bias 3 = 5.5",
        "sum 0 + bias 3 = 3",
        "sum 0 + bias 3 = 3",
        "sum -3.5 + bias 3 = -0.5",
    ]
    assert headings(film[0])[:3] == ["image", "kernel, turned round", "window x kernel"]
    products = [text.get_text() for text in film[0].axes[2].texts]
    assert products == ["-1", "-0.5", "0", "4"]


def test_without_a_bias_it_is_not_spoken_of(cli: Cli, figures: list[Figure]) -> None:
    cli("convolve", "--bias", "-0.0", "-o", "a.png", "--animate", "a.gif")
    assert title(figures[0]) == "Cross-correlation, 2x2 kernel, stride 1, padding 0"
    assert headings(figures[0]) == ["image", "kernel", "result"]
    assert [headings(frame)[-1] for frame in figures[1:]] == [
        "sum -2", "sum 2", "sum 5", "sum 3"
    ]  # fmt: skip


def test_the_zeros_around_an_image_are_said(cli: Cli, figures: list[Figure]) -> None:
    cli("convolve", "--padding", "1", "--stride", "2", "--animate", "a.gif")
    assert headings(figures[0])[0] == "image, padding 1"
    assert notes(figures[0])[0] == "5 x 5"


def test_a_sum_that_is_but_rounding_is_zero(cli: Cli, figures: list[Figure]) -> None:
    small = ("--image", "0.1,0.2,-0.3", "--kernel", "1,1,1")
    cli("convolve", *small, "--animate", "a.gif")
    assert headings(figures[0])[-1] == "sum 0"


@pytest.mark.parametrize("sign", [1, -1])
def test_colours_mean_the_same_in_every_frame(sign: int) -> None:
    """What goes in is grey, all else from blue over white to red; zero is white."""
    way = slide(sign * np.array([[0.0, 0, 1], [0, 0, 2], [0, 4, 3]]), [[1, 2]])
    scales = {tuple(panel.scale for panel in way.panels(n)) for n in range(6)}
    assert scales == {
        (
            (0, 4, True) if sign > 0 else (-4, 0, True),
            (-2, 2, False),
            (-8, 8, False),
            (-10, 10, False),
        )
    }


def test_a_picture_has_the_colours_of_its_film(cli: Cli, figures: list[Figure]) -> None:
    cli("convolve", "--pool", "max:2", "-o", "a.png", "--animate", "a.gif")
    picture, frame, *_ = figures
    still, moving = ([*map(colours, figure.axes)] for figure in (picture, frame))
    assert [still[0], still[1], still[2]] == [moving[0], moving[1], moving[3]]
    assert [still[0], still[3]] == [("gray", -1, 6), ("RdBu_r", -5, 5)]


@pytest.mark.parametrize(
    ("image", "kernel", "below_image", "below_map"),
    [
        (
            np.arange(64.0).reshape(8, 8),
            [[-1]],
            "8 x 8, 0 (black) to 63 (white)",
            "8 x 8, -63 (blue) to 0 (white)",
        ),
        (
            np.arange(64.0).reshape(8, 8) - 0.5,
            [[1]],
            "8 x 8, -0.5 (black) to 62.5 (white)",
            "8 x 8, -0.5 (blue) to 62.5 (red)",
        ),
        (
            np.arange(64.0).reshape(8, 8) + 0.5,
            [[1]],
            "8 x 8, 0.5 to 63.5 (white)",
            "8 x 8, 0.5 (red) to 63.5 (red)",
        ),
        (np.full((8, 8), 7.0), [[1, -1]], "8 x 8, all 7 (white)",
         "8 x 7, all 0 (white)"),
        (np.zeros((1, 8)), [[1]], "1 x 8, all 0 (black)", "1 x 8, all 0 (white)"),
    ],
)  # fmt: skip
def test_colours_are_named(
    image: Any, kernel: Any, below_image: str, below_map: str
) -> None:
    first, _, _, last = slide(image, kernel).panels(0)
    assert (first.note, last.note) == (below_image, below_map)


@pytest.mark.slow
def test_a_film_says_how_many_windows_it_leaves_out(
    figures: list[Figure], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    way = slide(rng.normal(size=(4, 5)), [[1, 2]])
    asked: list[list[int]] = []

    def shown(windows: Sequence[int]) -> AbstractContextManager[Sequence[int]]:
        asked.append([*windows])
        return nullcontext(windows)

    monkeypatch.setattr(animation, "_MOST_FRAMES", 4)
    whole = animation.animate_convolution(way, shown)
    assert asked == [[0, 5, 10, 15]]
    assert [title(figure) for figure in figures] == [
        f"Window {window + 1} of 16, one in 5 is shown" for window in asked[0]
    ]
    # Where that is too large, there are half as many, which is said.
    monkeypatch.setattr(animation, "_MOST_BYTES", len(whole) - 1)
    small = animation.animate_convolution(way, shown)
    assert asked[1:] == [[0, 5, 10, 15], [0, 10, 15]]
    assert title(figures[-1]) == "Window 16 of 16, one in 10 is shown"
    with Image.open(io.BytesIO(small)) as film:
        assert getattr(film, "n_frames", 0) == 3
    # Two windows are always shown.
    monkeypatch.setattr(animation, "_MOST_BYTES", 0)
    animation.animate_convolution(way, shown)
    assert asked[-1] == [0, 15]


def test_a_flat_image_is_wide_enough_to_be_seen(
    cli: Cli, figures: list[Figure]
) -> None:
    flat = ",".join(map(str, range(300)))
    for text in (flat, flat.replace(",", ";")):
        kernel = "1,-1" if text == flat else "1;-1"
        cli("convolve", "--image", text, "--kernel", kernel, "--stride", "150",
            "-o", "a.png", "--animate", "a.gif", "--overwrite")  # fmt: skip
    for figure in figures:
        for axes in figure.axes:
            extent = axes.get_window_extent()
            assert min(extent.width, extent.height) >= 0.3 * figure.dpi


@pytest.mark.parametrize(
    "options",
    [
        ["--pool", "max:2"],
        ["--flip", "--bias", "-0.123456"],
        ["--image", ";".join(map(str, range(300))), "--kernel", "1", "--stride", "150"],
        ["--image", "-12345.678,23456.789,3;1,1,1", "--kernel", "1.234567",
         "--bias", "-98765.4321"],
        ["--random", "9", "--kernel-size", "7", "--pool", "average:3"],
        ["--random", "9", "--kernel", "1e-9", "--layers", "0,1,2,0,0,0"],
    ],
)  # fmt: skip
def test_nothing_touches_an_edge_or_its_neighbour(
    cli: Cli, figures: list[Figure], options: list[str]
) -> None:
    film = [] if "--layers" in options else ["--animate", "a.gif"]
    cli("convolve", *options, "-o", "a.png", *film)
    for figure in figures[:3]:
        right = figure.bbox.width - 0.15 * figure.dpi
        ends = [text.get_window_extent().x1 for text in figure.findobj(Text)]
        assert max(ends) <= right
        for before, after in zip(figure.axes, figure.axes[1:], strict=False):
            beginning = after.get_window_extent().x0 - 0.1 * figure.dpi
            for text in (before.title, before.xaxis.label, *before.findobj(Text)):
                assert text.get_window_extent().x1 <= beginning


def by_hand(channels: int) -> ByHand:
    """Return a map of a layer."""
    ones = np.ones((4, 4))
    given, kernel = np.ones((4, 4, channels)), np.ones((3, 3, channels))
    return ByHand("cv2", 3, given, kernel, -0.0102, "relu", ones, ones - 4.49e-8)


def test_a_map_is_the_sum_over_all_channels(figures: list[Figure]) -> None:
    for channels in (16, 1):
        LayerAnswer(by_hand(channels)).picture("png")
    several, one = figures
    assert headings(several) == [
        "input, the first of 16",
        "kernel, the first of 16",
        "by hand: sum over all 16 + bias, relu",
        "by the network",
    ]
    assert headings(one) == [
        "input",
        "kernel",
        "by hand: sum + bias, relu",
        "by the network",
    ]
    found = "Map 3 of cv2, bias -0.0102: by hand and by the network, at most"
    assert {title(figure) for figure in figures} == {f"{found} 4.5e-08 apart"}


def test_a_film_of_the_example(cli: Cli) -> None:
    cli("convolve", "--animate", "a.gif")
    with Image.open(Path("a.gif")) as film:
        assert getattr(film, "n_frames", 0) == 4

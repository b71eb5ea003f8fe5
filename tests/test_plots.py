from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from cnncli.data.sources import FASHION_MNIST_CLASSES as CLOTHES
from cnncli.plots import (
    confusion_matrix,
    feature_maps,
    history,
    kernels,
    strongest,
    style,
)
from cnncli.plots.confusion_matrix import confusion_finding, plot_confusion_matrix
from cnncli.plots.feature_maps import LayerMaps, Subject, plot_feature_maps
from cnncli.plots.fonts import class_labels
from cnncli.plots.history import history_finding, plot_history
from cnncli.plots.palette import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ODD_NAMES = ("$x^2$ and $", "猫咪", "tab\tbell\x07", r"\alpha \frac", "long " * 20, "")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures that become PNG files in a test."""
    saved: list[Figure] = []

    def save(figure: Figure, picture_format: str = "png") -> bytes:
        saved.append(figure)
        return style.picture_bytes(figure, picture_format)

    for module in (confusion_matrix, history):
        monkeypatch.setattr(module, "png_bytes", save)
    for module in (feature_maps, kernels, strongest):
        monkeypatch.setattr(module, "picture_bytes", save)
    return saved


def texts(artist: Figure | Axes) -> list[str]:
    """Return all texts in a figure or axes."""
    return [text.get_text() for text in artist.findobj(Text)]


def title(figure: Figure) -> str:
    """Return a figure's title on one line."""
    return figure.texts[0].get_text().replace("\n", " ")


def picture(png: bytes) -> Image.Image:
    """Return a PNG file's picture, which must not be blank."""
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert np.ptp(np.asarray(image.convert("L"))) > 0
    return image


def run(**columns: Sequence[float]) -> pd.DataFrame:
    """Return a history with epochs 1, 2, ..."""
    rows = len(columns["loss"])
    return pd.DataFrame({"epoch": range(1, rows + 1), **columns})


def long_run(epochs: int) -> pd.DataFrame:
    """Return the history of a run that over-fits, with every column there is."""
    epoch = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "loss": 0.9 / epoch**0.5,
            "accuracy": 1 - 0.3 / epoch**0.5,
            "top_2_accuracy": 1 - 0.2 / epoch**0.5,
            "val_loss": 0.3 + 0.4 * np.exp(-epoch) + 0.01 * epoch,
            "val_accuracy": 0.9 - 0.2 * np.exp(-epoch) - 0.001 * epoch,
            "val_top_2_accuracy": 0.95,
            "learning_rate": 0.001,
            "seconds": 1.25,
        }
    )


FALLING = (0.9, 0.7, 0.5, 0.4, 0.3)
TURNING = (0.8, 0.5, 0.6, 0.7, 0.8)


def turning(val_accuracy: Sequence[float]) -> pd.DataFrame:
    """Return the history of a run whose validation loss rises from epoch 3 on."""
    return run(loss=FALLING, val_loss=TURNING, val_accuracy=val_accuracy)


@pytest.mark.parametrize(
    ("frame", "finding"),
    [
        pytest.param(
            turning((0.7, 0.8934, 0.88, 0.88, 0.88)),
            "validation accuracy 0.893 at epoch 2, over-fitting after",
            id="over-fitting",
        ),
        pytest.param(
            turning((0.7, 0.8, 0.82, 0.9, 0.81)),
            "validation accuracy 0.900 at epoch 4, over-fitting after epoch 2",
            id="loss turns before accuracy",
        ),
        pytest.param(
            turning((0.7, 0.8, 0.82, 0.85, 0.9)),
            "validation accuracy 0.900 at epoch 5, over-fitting after epoch 2",
            id="accuracy rises while the loss does too",
        ),
        pytest.param(
            run(loss=FALLING, val_loss=TURNING),
            "validation loss 0.500 at epoch 2, over-fitting after",
            id="loss only",
        ),
        pytest.param(
            run(loss=FALLING, val_loss=(0.8, 0.5, 0.6, 0.7, 0.52)),
            "validation loss 0.500 at epoch 2, no better since",
            id="last epoch nearly as good",
        ),
        pytest.param(
            run(loss=FALLING, val_loss=(0.8, 0.6, 0.5, 0.5, 0.9)),
            "validation loss 0.500 at epoch 3, no better since",
            id="one bad epoch is noise",
        ),
        pytest.param(
            run(loss=(0.9, 0.4, 0.5, 0.6, 0.7), val_loss=TURNING),
            "validation loss 0.500 at epoch 2, no better since",
            id="training got worse as well",
        ),
        pytest.param(
            run(loss=FALLING, val_loss=FALLING, val_accuracy=FALLING[::-1]),
            "validation accuracy 0.900 at epoch 5, still improving",
            id="best epoch is the last",
        ),
        pytest.param(
            run(loss=FALLING, val_accuracy=(0.5, 0.8, 0.8, 0.7, 0.6)),
            "validation accuracy 0.800 at epoch 2, no better since",
            id="first of equals, no validation loss",
        ),
        pytest.param(
            run(loss=(0.9,), val_loss=(0.00123,)),
            "validation loss 0.00123 at epoch 1",
            id="one epoch",
        ),
        pytest.param(
            run(loss=FALLING, accuracy=FALLING[::-1]),
            "training accuracy 0.900 at epoch 5, no validation",
            id="no validation",
        ),
        pytest.param(
            run(loss=FALLING, val_loss=[np.nan] * 5),
            "training loss 0.300 at epoch 5, no validation",
            id="validation never measured",
        ),
        pytest.param(
            run(loss=FALLING, val_loss=(np.inf, 0.5, np.nan, 0.7, 0.8)),
            "validation loss 0.500 at epoch 2, over-fitting after",
            id="validation measured now and then",
        ),
        pytest.param(
            run(loss=(0.9, 0.8, np.nan, np.nan), val_accuracy=(0.5, 0.6, 0.1, 0.1)),
            "training failed: loss not finite at epoch 3",
            id="diverged",
        ),
        pytest.param(
            run(loss=(0.9, np.inf), val_loss=(0.9, 0.8)),
            "training failed: loss not finite at epoch 2",
            id="infinite",
        ),
        pytest.param(run(loss=()), "no epoch trained", id="empty"),
        pytest.param(
            run(loss=FALLING, val_loss=FALLING)[3:],
            "validation loss 0.300 at epoch 5, still improving",
            id="rows of a resumed run",
        ),
    ],
)
def test_history_finding(frame: pd.DataFrame, finding: str) -> None:
    assert history_finding(frame) == finding


@pytest.mark.parametrize("epochs", [0, 1, 2, 200])
def test_plot_history(figures: list[Figure], epochs: int) -> None:
    frame = long_run(epochs)
    image = picture(plot_history(frame))
    assert image.width == 1995
    assert title(figures[0]) == history_finding(frame)
    assert [axes.get_title("left") for axes in figures[0].axes] == ["loss", "accuracy"]


def test_lines_are_named_where_they_end(figures: list[Figure]) -> None:
    plot_history(long_run(20))
    loss, accuracy = figures[0].axes
    assert {"training 0.201", "validation 0.500"} < set(texts(loss))
    assert {"training 0.933", "validation 0.880"} < set(texts(accuracy))
    assert "best accuracy: epoch 5" in texts(loss)
    assert "best accuracy: epoch 5" in texts(accuracy)


@pytest.mark.parametrize("difference", [0, 1e-9, 0.001, 0.02, -0.02, 0.3])
def test_names_of_lines_do_not_overlap(
    figures: list[Figure], difference: float
) -> None:
    plot_history(run(loss=(1.0, 0.4), val_loss=(0.9, 0.4 + difference)))
    lower, upper = sorted(
        text.get_window_extent().intervaly.tolist()
        for text in figures[0].axes[0].texts
        if text.get_text().startswith(("training", "validation"))
    )
    assert upper[0] - lower[1] > -1


@pytest.mark.parametrize(
    "frame",
    [
        run(loss=(0.5,)),
        run(loss=(0.5, 0.4)),
        run(loss=(np.nan, np.nan), accuracy=(0.1, 0.1), val_loss=(0.5, np.inf)),
        run(loss=(0.9, np.inf, 0.7), accuracy=(0.5, np.nan, 0.5)),
    ],
    ids=["one point", "loss only", "nothing finite", "gaps"],
)
def test_plot_history_of_odd_runs(frame: pd.DataFrame) -> None:
    picture(plot_history(frame))


FASHION = np.diag([834, 972, 836, 906, 839, 970, 715, 969, 975, 956])
FASHION[6, 0], FASHION[0, 6] = 112, 95


@pytest.mark.parametrize(
    ("matrix", "names", "finding"),
    [
        (
            FASHION,
            CLOTHES,
            "0.977 correct; most often wrong: Shirt taken for T-shirt/top, 112 times",
        ),
        (
            [[50, 1], [0, 49]],
            ["cat", "dog"],
            "0.990 correct; most often wrong: cat taken for dog, once",
        ),
        (
            [[0, 3], [3, 0]],
            ["cat", "dog"],
            "0.000 correct; most often wrong: cat taken for dog, 3 times",
        ),
        (
            [[1_999_999, 0], [1, 0]],
            ["cat", "dog"],
            "0.9999995 correct; most often wrong: dog taken for cat, once",
        ),
        (
            [[0, 12345], [0, 0]],
            ["a\x1b[1m", "b" * 30],
            r"0.000 correct; most often wrong: a\x1b[1m taken for "
            "bbbbbbbbbbbbbbb…bbbbbbbb, 12,345 times",
        ),
        ([[1000, 0], [0, 234]], ["cat", "dog"], "all 1,234 images correct"),
        ([[0, 0], [0, 0]], ["cat", "dog"], "no images"),
    ],
)
def test_confusion_finding(
    matrix: list[list[int]], names: Sequence[str], finding: str
) -> None:
    assert confusion_finding(np.asarray(matrix), names) == finding


def test_plot_confusion_matrix(figures: list[Figure]) -> None:
    picture(plot_confusion_matrix(FASHION, CLOTHES))
    axes = figures[0].axes[0]
    assert title(figures[0]) == confusion_finding(FASHION, CLOTHES)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(CLOTHES)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(CLOTHES)
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[0.5, 6.5] == "112"
    assert written[6.5, 0.5] == "95"
    assert len(written) == 12
    (frame,) = (patch for patch in axes.patches if isinstance(patch, Rectangle))
    assert frame.get_xy() == (0, 6)


@pytest.mark.parametrize(
    ("classes", "scale", "counts"), [(2, 10**6, 4), (30, 100, 900), (30, 10**9, 0)]
)
def test_counts_are_written_where_they_can_be_read(
    figures: list[Figure], classes: int, scale: int, counts: int
) -> None:
    matrix = np.random.default_rng(0).integers(1, scale, (classes, classes))
    names = [f"class {number}" for number in range(classes)]
    picture(plot_confusion_matrix(matrix, names))
    axes = figures[0].axes[0]
    cell = axes.get_window_extent().width / classes
    assert len(axes.texts) == counts
    assert all(text.get_window_extent().width < cell for text in axes.texts[:40])


@pytest.mark.parametrize(
    ("classes", "numbers"),
    [(41, range(41)), (60, range(0, 60, 2)), (120, range(0, 120, 5))],
)
def test_many_classes_have_numbers(
    figures: list[Figure], classes: int, numbers: range
) -> None:
    names = [f"class {number}" for number in range(classes)]
    plot_confusion_matrix(np.eye(classes, dtype=int), names)
    axes = figures[0].axes[0]
    across, down = axes.get_xticklabels(), axes.get_yticklabels()
    assert [tick.get_text() for tick in across] == [*map(str, numbers)]
    assert [tick.get_text() for tick in down] == [*map(str, numbers)]
    assert axes.get_ylabel() == "number of the true class"
    extents = [tick.get_window_extent() for tick in across]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(extents))


@pytest.mark.parametrize("length", [1, 10, 24])
@pytest.mark.parametrize("classes", [2, 10, 17, 40])
def test_nothing_beside_the_cells_is_cut_off(
    figures: list[Figure], classes: int, length: int
) -> None:
    names = [f"{number}".rjust(length, "x") for number in range(classes)]
    plot_confusion_matrix(np.eye(classes, dtype=int), names)
    matrix, bar = figures[0].axes
    assert matrix.yaxis.label.get_window_extent().x0 > 10
    assert matrix.xaxis.label.get_window_extent().y0 > 5
    width = figures[0].get_figwidth() * style.DPI
    assert bar.yaxis.label.get_window_extent().x1 < width - 10


def test_a_class_without_images_has_empty_cells(figures: list[Figure]) -> None:
    plot_confusion_matrix(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    cells = figures[0].axes[0].collections[0].get_array()
    assert cells is not None
    assert cells.tolist() == [[0.75, 0.25], [0, 0]]


def test_odd_class_names_are_drawn_as_text(
    figures: list[Figure], capfd: pytest.CaptureFixture[str]
) -> None:
    matrix = np.arange(36).reshape(6, 6)
    picture(plot_confusion_matrix(matrix, ODD_NAMES))
    ticks = figures[0].axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == class_labels(ODD_NAMES)
    assert not any(tick.get_parse_math() for tick in ticks)
    assert capfd.readouterr() == ("", "")


def documented_layers() -> list[LayerMaps]:
    """Return activations of the shapes that the documented network gives."""
    random = np.random.default_rng(0)
    layers = [
        ("cv1", "Conv2D", (1, 28, 28, 16)),
        ("cv2", "Conv2D", (1, 28, 28, 16)),
        ("maxpool", "MaxPooling2D", (1, 14, 14, 16)),
        ("flatten", "Flatten", (1, 3136)),
        ("dense", "Dense", (1, 64)),
        ("output", "Dense", (1, 10)),
    ]
    return [LayerMaps(name, kind, random.random(shape)) for name, kind, shape in layers]


IMAGE = Subject("", np.random.default_rng(1).integers(0, 256, (28, 28, 1), np.uint8))


def test_plot_feature_maps_of_the_documented_network(figures: list[Figure]) -> None:
    layers = documented_layers()
    drawn = plot_feature_maps([IMAGE], layers, class_names=CLOTHES, title="a boot")
    assert picture(drawn).width == 1995
    assert title(figures[0]) == "a boot"
    assert [text.get_text() for text in figures[0].texts[1:]] == [
        "input",
        "(1, 28, 28, 1)",
        "cv1",
        "Conv2D\n(1, 28, 28, 16)",
        "cv2",
        "Conv2D\n(1, 28, 28, 16)",
        "maxpool",
        "MaxPooling2D\n(1, 14, 14, 16)",
        "flatten",
        "Flatten\n(1, 3136)",
        "dense",
        "Dense\n(1, 64)",
        "output",
        "Dense\n(1, 10)",
    ]
    bars = figures[0].axes[-1]
    values = layers[-1].activation[0]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == list(CLOTHES)
    assert [text.get_text() for text in bars.texts] == [f"{v:.3f}" for v in values]
    bold = [tick.get_fontweight() == "bold" for tick in bars.get_yticklabels()]
    assert bold == [value == values.max() for value in values]


def test_many_classes_are_reduced_to_the_ten_largest(figures: list[Figure]) -> None:
    values = np.arange(100.0)
    output = LayerMaps("output", "Dense", values[np.newaxis])
    names = [f"class {number}" for number in range(100)]
    picture(plot_feature_maps([IMAGE], [output], class_names=names, title=""))
    ticks = figures[0].axes[-1].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == names[:-11:-1]


def drawn_pixels(figure: Figure) -> list[np.ma.MaskedArray]:
    """Return the values of the pictures in a figure, without the photograph."""
    images = [image for axes in figure.axes for image in axes.images]
    return [np.ma.asarray(image.get_array()) for image in images[1:]]


def test_maps_stand_side_by_side_on_one_scale(figures: list[Figure]) -> None:
    maps = np.random.default_rng(0).normal(size=(1, 24, 30, 18))
    layer = LayerMaps("cv1", "Conv2D", maps)
    plot_feature_maps([IMAGE], [layer], class_names=(), title="")
    (pixels,) = drawn_pixels(figures[0])
    assert pixels.shape == (24 + 2 + 24, 16 * 32 - 2)
    for channel in range(18):
        row, column = divmod(channel, 16)
        tile = pixels[row * 26 : row * 26 + 24, column * 32 : column * 32 + 30]
        np.testing.assert_array_equal(tile, maps[0, :, :, channel])
    assert pixels.count() == 18 * 24 * 30
    (image,) = figures[0].axes[1].images
    assert image.get_clim() == (maps.min(), maps.max())


@pytest.mark.parametrize(
    ("shape", "smallest", "largest"),
    [
        ((1, 1, 1, 1), 1.0, 1.2),
        ((1, 28, 28, 3), 1.0, 1.2),
        ((1, 2, 50, 3), 0.2, 0.4),
        ((1, 50, 2, 3), 1.0, 1.2),
        ((1, 7, 7, 64), 2.2, 2.6),
        ((1, 28, 28, 256), 2.2, 2.6),
    ],
)
def test_layers_have_a_usable_height(
    figures: list[Figure], shape: tuple[int, ...], smallest: float, largest: float
) -> None:
    layer = LayerMaps("layer", "Conv2D", np.zeros(shape))
    picture(plot_feature_maps([IMAGE], [layer], class_names=(), title=""))
    height = figures[0].axes[1].get_window_extent().height / 150
    assert smallest < height < largest


@pytest.mark.parametrize("maps", [1, 7, 17, 33, 65, 256])
def test_any_number_of_maps_is_drawn(figures: list[Figure], maps: int) -> None:
    layer = LayerMaps("layer", "Conv2D", np.ones((1, 24, 24, maps)))
    plot_feature_maps([IMAGE], [layer], class_names=(), title="")
    (pixels,) = drawn_pixels(figures[0])
    assert pixels.count() == maps * 24 * 24
    assert "first" not in figures[0].texts[-1].get_text()


def test_maps_beyond_256_are_left_out_and_it_says_so(figures: list[Figure]) -> None:
    layer = LayerMaps("a_layer_with_a_long_name", "Conv2D", np.ones((1, 1, 1, 300)))
    plot_feature_maps([IMAGE], [layer], class_names=(), title="")
    (pixels,) = drawn_pixels(figures[0])
    assert pixels.count() == 256 * 24 * 24
    assert [text.get_text() for text in figures[0].texts[-2:]] == [
        "a_layer_wi…_name",
        "Conv2D\n(1, 1, 1, 300)\nfirst 256 maps",
    ]


def test_long_names_of_layers_can_be_told_apart(figures: list[Figure]) -> None:
    maps = np.ones((1, 2, 2, 1))
    names = [f"{'stage' * 4}_{n}_{'branch' * 4}" for n in "ab"]
    layers = [LayerMaps(name, "Conv2D", maps) for name in names]
    plot_feature_maps([IMAGE], layers, class_names=(), title="")
    assert [text.get_text() for text in figures[0].texts[3::2]] == [
        "0: stagest…ranch",
        "1: stagest…ranch",
    ]


@pytest.mark.parametrize(
    ("units", "shape"), [(129, (1, 129)), (3136, (8, 392)), (25089, (63, 399))]
)
def test_long_vectors_are_strips(
    figures: list[Figure], units: int, shape: tuple[int, int]
) -> None:
    values = np.arange(float(units))
    layer = LayerMaps("flatten", "Flatten", values[np.newaxis])
    plot_feature_maps([IMAGE], [layer], class_names=(), title="")
    (pixels,) = drawn_pixels(figures[0])
    assert pixels.shape == shape
    np.testing.assert_array_equal(pixels.compressed(), values)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_activations_without_a_range(value: float) -> None:
    layers = [
        LayerMaps("maps", "Conv2D", np.full((1, 3, 3, 2), value)),
        LayerMaps("strip", "Flatten", np.full((1, 200), value)),
        LayerMaps("bars", "Dense", np.full((1, 5), value)),
        LayerMaps("output", "Dense", np.full((1, 6), value)),
    ]
    picture(plot_feature_maps([IMAGE], layers, class_names=ODD_NAMES, title="$"))


def test_colour_images_and_twenty_layers() -> None:
    image = np.repeat(IMAGE.pixels, 3, axis=2)
    layers = documented_layers()[:1] * 20
    drawn = picture(
        plot_feature_maps([Subject("", image)], layers, class_names=CLOTHES, title="t")
    )
    assert drawn.height < 3000


def test_pictures_are_the_same_bytes_whatever_the_user_settings() -> None:
    before = plot_history(long_run(3))
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "savefig.dpi": 20}):
        settings = dict(mpl.rcParams)
        after = plot_history(long_run(3))
        assert dict(mpl.rcParams) == settings
    assert before == after
    assert set(picture(before).info) == {"dpi"}


@settings(max_examples=20)
@given(st.text(max_size=200))
@example("\U0001d400")  # not in Matplotlib's own font
def test_titles_fit_the_width(text: str) -> None:
    with style.house_style([text]):
        figure = style.new_figure(8, 1, text)
        drawn = figure.texts[0].get_window_extent()
    assert drawn.x1 <= 8 * style.DPI
    assert drawn.height + 1 * style.DPI < figure.get_figheight() * style.DPI


@given(st.text(), st.integers(2, 40))
def test_label_is_short_and_printable(name: str, limit: int) -> None:
    shown = label(name, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ankle boot", "Ankle boot"),
        ("x" * 24, "x" * 24),
        ("x" * 25, "x" * 15 + "…" + "x" * 8),
        ("twenty-three and a space", "twenty-three and a space"),
        ("a name that ends in its  middle", "a name that end…middle"),
        ("a name of fourt  and an end", "a name of fourt…d an end"),
        ("line\nbreak \x1b[0m", r"line\nbreak \x1b[0m"),
        ("猫", "猫"),
    ],
)
def test_label(name: str, shown: str) -> None:
    assert label(name) == shown

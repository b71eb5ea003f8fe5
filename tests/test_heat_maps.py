"""``feature-maps --grad-cam`` and ``--occlusion``, and the picture that they draw."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from cnncli.plots import heat_maps, style
from cnncli.plots.heat_maps import Panel, PanelRow, plot_heat_maps
from tests.builders import CONFIG, dataset
from tests.model_edits import attribute, edited

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tests.conftest import Cli


def test_heat_maps_of_the_predicted_class(run: Path, cli: Cli) -> None:
    options = ["--index", "3", "--grad-cam", "--occlusion", "--arrays", "maps.npz"]
    result = cli("feature-maps", str(run), *options)
    picture = run / "grad_cam_occlusion_3.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert result.stderr == f"written: {picture} and maps.npz\n"
    head, *lines = result.stdout.splitlines()
    assert head.split() == [
        *("map", "class", "network", "probability", "logit"),
        *("lowest", "highest", "at"),
    ]
    assert [line.split("  ")[0] for line in lines] == [
        *["Grad-CAM of layer flip"] * 3,
        *["occlusion"] * 3,
    ]
    predicted = (run / "predictions.csv").read_text().splitlines()[4].split(",")
    probability = f"{float(predicted[3]):.4f}"
    assert [probability in line for line in lines] == [True, False, False] * 2
    with np.load("maps.npz") as arrays:
        shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes.pop("image") == (28, 28, 1)
    assert set(shapes.values()) == {(28, 28)}
    found = [re.sub(r"\d", "N", name) for name in shapes]
    assert found == [
        f"{method}_N{suffix}"
        for method in ("grad_cam", "occlusion")
        for suffix in ("", "", "_random")
    ]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--grad-cam"], "grad_cam_0.png"),
        (["--grad-cam", "Bag"], "grad_cam_0_class_8.png"),
        (["--grad-cam", "8", "--layer", "small"], "grad_cam_0_class_8_small.png"),
        (["--occlusion"], "occlusion_0.png"),
        (["--occlusion=T-shirt/top"], "occlusion_0_class_0.png"),
        (["--grad-cam", "--occlusion", "0"], "grad_cam_occlusion_0_class_0.png"),
        (["--image", "shoe.png", "--occlusion"], "occlusion_shoe.png"),
    ],
    ids=str,
)
def test_pictures_have_names_of_their_own(
    run: Path, cli: Cli, options: list[str], name: str, undrawn: None
) -> None:
    Image.new("L", (28, 28), 99).save("shoe.png")
    before = set(run.iterdir())
    cli("feature-maps", str(run), *options)
    assert {path.name for path in set(run.iterdir()) - before} == {name}


def test_a_class_goes_by_its_name_before_its_number(model: Path, cli: Cli) -> None:
    with edited(model) as file:
        attribute("cnncli_class_names", list("9876543210"))(file)
    cli("feature-maps", "model.h5", "--occlusion", "9")
    assert Path("occlusion_0_class_0.png").exists()


def test_heat_maps_twice_are_the_same_bytes(run: Path, cli: Cli) -> None:
    """Random weights too: they are those that training began with."""
    for name in ("first", "second"):
        options = ["--grad-cam", "--occlusion", "--arrays", f"{name}.npz"]
        cli("feature-maps", str(run), *options, "-o", f"{name}.png")
    for suffix in (".png", ".npz"):
        first, second = (Path(f"{n}{suffix}").read_bytes() for n in ("first", "second"))
        assert first == second


def test_random_weights_are_those_that_training_began_with(
    config: str, cli: Cli, undrawn: None
) -> None:
    still = "training.optimizer={SGD: {learning_rate: 1.0e-30}}"
    cli("train", config, "--set", still, "-q")
    cli("feature-maps", "runs/tiny", "--occlusion", "5", "--arrays", "maps.npz")
    with np.load("maps.npz") as arrays:
        trained, random = arrays["occlusion_5"], arrays["occlusion_5_random"]
    assert trained.any()
    np.testing.assert_array_equal(trained, random)


def test_an_image_file_needs_no_data_set(model: Path, cli: Cli) -> None:
    """Where the training images are gone, the patch has the image's own mean."""
    Image.new("L", (28, 28), 99).save("grey.png")
    with edited(model) as file:
        attribute("cnncli_fingerprints", {"train": "gone", "test": "gone"})(file)
    options = ["--image", "grey.png", "--occlusion", "-o", "maps.png"]
    lines = cli("feature-maps", "model.h5", *options).stdout.splitlines()
    assert [line.split()[-2:] for line in lines[1:]] == [["zero", "everywhere"]] * 3


def test_a_network_without_maps_has_occlusion_alone(cli: Cli, undrawn: None) -> None:
    dataset("data")
    Path("dense.yaml").write_text(CONFIG)
    cli("train", "dense.yaml", "-q")
    cli("feature-maps", "runs/dense", "--occlusion", "owl")
    result = cli("feature-maps", "runs/dense", "--grad-cam", exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        "Error: --grad-cam needs a layer that gives maps of more than one position, "
        "and the network has none; --occlusion takes any network"
    )


def test_a_layer_of_one_position_is_neither_the_default_nor_allowed(
    cli: Cli, undrawn: None
) -> None:
    """Its map would be one colour all over the image."""
    dataset("data")
    layers = "Conv2D: {name: conv, filters: 2, kernel_size: 2}, ReLU: {name: relu}, "
    layers += "GlobalAveragePooling2D: {name: gap, keepdims: true}, Flatten"
    Path("pooled.yaml").write_text(CONFIG.replace("Flatten", layers))
    cli("train", "pooled.yaml", "-q")
    printed = cli("feature-maps", "runs/pooled", "--grad-cam").stdout
    assert printed.count("Grad-CAM of layer relu") == 3
    options = ["--grad-cam", "--layer", "gap"]
    result = cli("feature-maps", "runs/pooled", *options, exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        "Error: Invalid value for '--layer': 'gap' gives (1, 1, 2), and not a map of "
        "more than one position; choose from conv, relu"
    )


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures that become PNG files in a test."""
    saved: list[Figure] = []

    def save(figure: Figure, picture_format: str) -> bytes:
        saved.append(figure)
        return style.picture_bytes(figure, picture_format)

    monkeypatch.setattr(heat_maps, "picture_bytes", save)
    return saved


IMAGE = np.random.default_rng(1).integers(0, 256, (28, 28, 1), np.uint8)
SIGNED = np.linspace(-1, 2, 28 * 28).reshape(28, 28)


def row(*values: Any, image: Any = IMAGE, words: str = "") -> PanelRow:
    panels = [Panel(f"class {n}", "0.5", each, words) for n, each in enumerate(values)]
    return PanelRow("occlusion", "how it was made", "image", "a note", image, panels)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_panels_say_what_they_are_of(figures: list[Figure]) -> None:
    drawn = plot_heat_maps(IMAGE, [row(SIGNED, 2 * SIGNED, -SIGNED)] * 2, title="boot")
    assert Image.open(io.BytesIO(drawn)).width == 1995
    found = texts(figures[0])
    for text, number in {"boot": 1, "occlusion": 2, "class 2": 2, "a note": 2}.items():
        assert found.count(text) == number
    assert {"-1", "0", "2", "-2", "4", "1"} <= set(found)


def test_a_map_that_shows_nothing_has_words_and_no_scale(figures: list[Figure]) -> None:
    plain = np.zeros((28, 28))
    plot_heat_maps(IMAGE, [row(plain, words="zero everywhere")], title="")
    assert "zero everywhere" in texts(figures[0])
    assert len(figures[0].axes) == 2  # the image and the map


def test_colours_lie_where_the_values_are(figures: list[Figure]) -> None:
    values = np.zeros((28, 28))
    values[3, 20], values[9, 5] = 1, -0.5
    plot_heat_maps(IMAGE, [row(values)], title="")
    (shown,) = figures[0].axes[1].images
    colours = np.asarray(shown.get_array())
    tinted = np.ptp(colours, axis=2) > 1e-9
    assert np.argwhere(tinted).tolist() == [[3, 20], [9, 5]]
    red, _, blue = colours[3, 20]
    assert red > blue + 0.5
    red, _, blue = colours[9, 5]
    assert blue > red + 0.2
    assert tuple(shown.get_extent()) == (-0.5, 27.5, 27.5, -0.5)


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        (np.array([[0.0, 3.0]]), ["0", "3"]),
        (np.array([[1.0, 3.0]]), ["0", "3"]),
        (np.array([[-2.0, -1.0]]), ["-2", "0"]),
        (np.array([[-1.0, 3.0]]), ["-1", "0", "3"]),
        (np.array([[-0.1, 3.0]]), ["-0.1", "3"]),
        (np.array([[-3.0, 0.1]]), ["-3", "0.1"]),
    ],
    ids=str,
)
def test_scales_hold_zero(figures: list[Figure], values: Any, marks: list[str]) -> None:
    """Its mark is left out where it would stand on that of an end."""
    image = np.zeros((1, 2, 1), np.uint8)
    plot_heat_maps(image, [row(values, image=image)], title="")
    ticks = figures[0].axes[-1].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == marks


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 300, 1), (300, 1, 3), (64, 48, 3)], ids=str
)
def test_images_of_any_shape(figures: list[Figure], shape: tuple[int, ...]) -> None:
    image = np.full(shape, 200, np.uint8)
    values = np.linspace(-1, 1, shape[0] * shape[1]).reshape(shape[:2]) + 0.25
    plot_heat_maps(image, [row(values, image=image)], title="$x^2$")
    for axes in figures[0].axes[:2]:
        box = axes.get_window_extent()
        assert min(box.width, box.height) > 0.39 * style.DPI
        assert max(box.width, box.height) < 2.26 * style.DPI


def test_nothing_in_the_picture_overlaps(figures: list[Figure]) -> None:
    small = SIGNED * -1.25e-5
    plot_heat_maps(IMAGE, [row(small, small, small)] * 2, title="a title " * 20)
    figure = figures[0]
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [text.get_window_extent() for text in figure.texts if text.get_text()]
    whole = figure.bbox
    for number, box in enumerate(boxes):
        assert box is not None
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1
        for other in boxes[:number]:
            assert other is not None
            assert not box.overlaps(other)

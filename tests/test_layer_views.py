"""``feature-maps``: several images, ``--kernels``, ``--strongest``, formats."""

from __future__ import annotations

import itertools
import shutil
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from cnncli.architecture.receptive import Axis
from cnncli.explain.strongest import Strongest, cut_patches, find_strongest
from cnncli.plots import feature_maps, kernels, strongest
from cnncli.plots.feature_maps import LayerMaps, Subject, plot_feature_maps
from cnncli.plots.kernels import LayerKernels, plot_kernels
from cnncli.plots.strongest import Excited, plot_strongest
from tests.builders import CONFIG, dataset
from tests.tiny import without_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from tests.conftest import Cli

LAYERS = """\
    - Conv2D: {name: conv, filters: 4, kernel_size: 3, strides: 2, padding: same,
        activation: relu}
    - DepthwiseConv2D: {name: each, kernel_size: [1, 2], depth_multiplier: 2}
    - SeparableConv2D: {name: apart, filters: 3, kernel_size: 2, padding: same}
    - Flatten: {name: flatten}
    - Dense: {name: output, units: 3, activation: softmax}
"""


@pytest.fixture(scope="module")
def trained_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a network of all sorts of convolutions; nothing may change its folder."""
    from cnncli.cli import cli

    folder = tmp_path_factory.mktemp("views")
    with chdir(folder), without_pictures():
        dataset("data")
        text = CONFIG.split("model:")[0] + f"model:\n  layers:\n{LAYERS}"
        Path("net.yaml").write_text(f"{text}training: {{epochs: 1, threads: 2}}\n")
        result = CliRunner().invoke(cli, ["train", "net.yaml", "-q"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def net(trained_here: Path, cli: Cli) -> str:
    """Return a copy of the run, beside its data, in the working folder."""
    shutil.copytree(trained_here, ".", dirs_exist_ok=True)
    return "runs/net"


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures that become pictures in a test."""
    saved: list[Figure] = []

    def save(figure: Figure, picture_format: str) -> bytes:
        saved.append(figure)
        return b""

    for module in (feature_maps, kernels, strongest):
        monkeypatch.setattr(module, "picture_bytes", save)
    return saved


def plain_keras(run: str) -> Any:
    import keras

    return keras.models.load_model(Path(run) / "model.h5", compile=False)


def arrays_of(path: str) -> dict[str, Any]:
    with np.load(path) as file:
        return dict(file)


def test_kernels_are_those_that_plain_keras_reads(
    net: str, cli: Cli, figures: list[Figure]
) -> None:
    options = ("--kernels", "--arrays", "k.npz", "-o", "k.png")
    result = cli("feature-maps", net, *options)
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == [
        "kernels",
        "conv",
        "each",
        "apart.depthwise",
        "apart.pointwise",
    ]
    found, model = arrays_of("k.npz"), plain_keras(net)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    np.testing.assert_array_equal(found["conv"], weights["conv"][0])
    # Map 2 * c + m is channel c's m-th.
    each = weights["each"][0]
    assert found["each"].shape == (1, 2, 1, 8)
    np.testing.assert_array_equal(found["each"][..., 0, 5], each[..., 2, 1])
    np.testing.assert_array_equal(
        found["apart.depthwise"][..., 0, :], weights["apart"][0][..., 0]
    )
    np.testing.assert_array_equal(found["apart.pointwise"], weights["apart"][1])


def test_some_kernels(net: str, cli: Cli, figures: list[Figure]) -> None:
    options = ("--kernels", "--layer", "apart", "--layer", "conv", "--maps", "2,0")
    result = cli("feature-maps", net, *options, "--arrays", "some.npz")
    assert result.stderr == (
        f"written: {Path(net)}/kernels_apart_conv_maps_2_0.png and some.npz\n"
    )
    some, model = arrays_of("some.npz"), plain_keras(net)
    assert {name: array.shape for name, array in some.items()} == {
        "conv": (3, 3, 1, 2),
        "apart.depthwise": (2, 2, 1, 8),
        "apart.pointwise": (1, 1, 8, 2),
    }
    kernel = model.get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(some["conv"], kernel[..., [2, 0]])


def test_kernels_need_no_tensorflow(
    net: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("cnncli.commands.layer_views.backend_started", start)
    cli("feature-maps", net, "--kernels")


def test_kernels_of_another_shape_are_refused(net: str, cli: Cli) -> None:
    from cnncli.modelfile.file import open_model

    saved = open_model(Path(net))
    kernel, *rest = saved.weights["conv"]
    changed = {**saved.weights, "conv": (kernel._replace(shape=(9, 1, 4, 1)), *rest)}
    from dataclasses import replace

    from cnncli.architecture import trace_network
    from cnncli.errors import ModelFileError
    from cnncli.explain.kernels import find_kernels

    rows = trace_network(saved.config.model.layers, saved.image_shape)
    with pytest.raises(ModelFileError) as caught:
        find_kernels(replace(saved, weights=changed), rows[:1], None)
    assert str(caught.value) == (
        f"{saved.path}: the weights of layer 'conv' have the shape (9, 1, 4, 1), but "
        "its config needs (3, 3, 1, 4)"
    )


def test_kernels_are_drawn_on_a_scale_around_zero(figures: list[Figure]) -> None:
    values = np.random.default_rng(0).normal(size=(3, 2, 2, 5))
    plot_kernels([LayerKernels("cv1", "Conv2D", "", values, (0, 1, 2, 3, 9))], title="")
    (figure,) = figures
    image = figure.axes[0].images[0]
    largest = np.abs(values).max()
    assert image.get_clim() == (-largest, largest)
    pixels: Any = np.ma.asarray(image.get_array())
    assert pixels.count() == values.size * 12 * 12
    # (inputs, maps) tiles of 36 x 24 pixels, 3 between them
    for row in range(2):
        for column in range(5):
            tile = pixels[row * 39 : row * 39 + 36, column * 27 : column * 27 + 24]
            np.testing.assert_array_equal(tile[6::12, 6::12], values[:, :, row, column])
    written = [text.get_text() for text in figure.texts]
    assert written[1:] == [
        "cv1",
        "Conv2D\n3 x 2 weights\none column per map\none row per input",
        *"0123901",
    ]


def test_notes_of_kernels_have_room(figures: list[Figure]) -> None:
    thin = np.ones((1, 1, 2, 32))
    layers = [
        LayerKernels("a", "SeparableConv2D", part, thin, tuple(range(32)))
        for part in ("depthwise", "pointwise")
    ]
    layers.append(
        LayerKernels("b", "Conv2D", "", thin, tuple(range(32)), is_grouped=True)
    )
    plot_kernels(layers, title="t")
    lines = [text for text in figures[0].texts if "\n" in text.get_text()]
    names = [text for text in figures[0].texts if text.get_text() in ("a", "b")]
    assert [text.get_text() for text in names] == ["a", "a", "b"]
    assert lines[2].get_text() == (
        "Conv2D\n1 x 1 weights\none column per map\none row per input of its group"
    )
    assert lines[0].get_text().split("\n")[3] == "one column per channel"
    for notes, below in zip(lines, names[1:], strict=False):
        assert notes.get_window_extent().y0 > below.get_window_extent().y1


def test_depthwise_kernels_of_a_separable_convolution_are_its_inputs(
    net: str, cli: Cli, figures: list[Figure]
) -> None:
    """They are all drawn, however many maps are chosen."""
    from dataclasses import replace

    from cnncli.architecture import trace_network
    from cnncli.explain.kernels import find_kernels
    from cnncli.modelfile.file import open_model

    saved = open_model(Path(net))
    row = trace_network(saved.config.model.layers, saved.image_shape)[2]
    eight_maps = replace(row, output_shape=(*row.output_shape[:2], 8))
    depthwise, pointwise = find_kernels(saved, [eight_maps], (0, 2))
    assert (depthwise.maps, pointwise.maps) == (tuple(range(8)), (0, 2))


def test_of_many_kernels_the_first_are_drawn_and_it_says_so(
    figures: list[Figure],
) -> None:
    values = np.ones((1, 1, 20, 40))
    layer = LayerKernels("a", "SeparableConv2D", "pointwise", values, tuple(range(40)))
    plot_kernels([layer], title="")
    pixels: Any = np.ma.asarray(figures[0].axes[0].images[0].get_array())
    assert pixels.count() == 16 * 32 * 12 * 12
    assert figures[0].texts[2].get_text() == (
        "SeparableConv2D\npointwise\n1 x 1 weights\none column per map, first 32\n"
        "one row per input, first 16"
    )


def test_the_strongest_patches_are_what_the_maps_answer_to(
    net: str, cli: Cli, figures: list[Figure]
) -> None:
    """A patch, times its kernel, is the map's value: it is the receptive field."""
    options = ("--strongest", "--layer", "conv", "--arrays", "s.npz")
    cli("feature-maps", net, *options)
    found, model = arrays_of("s.npz"), plain_keras(net)
    kernel, bias = model.get_layer("conv").get_weights()
    padded = np.nan_to_num(found["patches"]) / 255
    # (maps, k, height, width, channels) x (height, width, channels, maps)
    sums = np.einsum("mkhwc,hwcm->mk", padded, kernel) + bias[:, np.newaxis]
    np.testing.assert_allclose(found["values"], np.maximum(sums, 0), atol=1e-5)
    # The highest of all images, by plain Keras.
    from cnncli.data.formats.idx_folder import IdxFolder

    images = IdxFolder(Path("data"), ("cat", "dog", "owl")).load("test")
    given = model.layers[0](np.asarray(images.pixels) / np.float32(255))
    highest = np.asarray(given).max(axis=(1, 2))
    order = np.sort(highest, axis=0)[::-1][:9].T
    np.testing.assert_allclose(found["values"], order, atol=1e-6)
    assert found["patches"].shape == (4, 9, 3, 3, 1)


def test_units_of_the_last_layer_are_classes(
    net: str, cli: Cli, figures: list[Figure]
) -> None:
    options = ("--strongest", "--layer", "output", "--maps", "2,0")
    result = cli("feature-maps", net, *options, "--arrays", "s.npz")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["class", "highest", "test", "image", "its", "class"]
    assert [line.split()[0] for line in lines[1:]] == ["owl", "cat"]
    texts = [text.get_text() for text in figures[0].texts]
    assert texts == ["what excites output most (logits): 12 test images", "owl", "cat"]
    found, model = arrays_of("s.npz"), plain_keras(net)
    assert found["patches"].shape == (2, 9, 4, 4, 1)
    output = model.layers[-1]
    output.activation = None
    logits = np.asarray(model(found["patches"][0] / np.float32(255)))[:, 2]
    np.testing.assert_allclose(found["values"][0], logits, rtol=1e-5)


class Faked:
    """A network whose maps are the images' channels, without the first."""

    def activations(self, pixels: Any, layers: Sequence[str]) -> list[Any]:
        assert len(pixels) <= 64
        assert layers == ["a"]
        return [pixels[..., 1:].astype(np.float32)]


def strongest_of(pixels: Any, maps: Any = None, count: int = 3) -> Strongest:
    network: Any = Faked()
    return find_strongest(network, "a", pixels, maps, count)


def test_of_equal_values_the_first_counts() -> None:
    pixels = np.zeros((150, 3, 5, 3), np.uint8)
    pixels[[149, 70, 30], 2, [1, 3, 4], 1] = 9
    pixels[70, 1, 2, 2] = 3
    found = strongest_of(pixels)
    assert found.maps == (0, 1)
    assert found.values.tolist() == [[9, 9, 9], [3, 0, 0]]
    assert found.images.tolist() == [[30, 70, 149], [70, 0, 1]]
    assert found.rows.tolist() == [[2, 2, 2], [1, 0, 0]]
    assert found.columns.tolist() == [[4, 3, 1], [2, 0, 0]]
    only = strongest_of(pixels, maps=(1,), count=500)
    assert (only.maps, only.values.shape) == ((1,), (1, 150))


@pytest.mark.parametrize(
    ("axis", "position", "pixels"),
    [
        (Axis(first=0, step=1, span=1, positions=8), 7, range(7, 8)),
        (Axis(first=-1, step=1, span=3, positions=8), 0, range(-1, 2)),
        (Axis(first=-1, step=2, span=5, positions=4), 3, range(5, 10)),
        (Axis(first=-3, step=4, span=8, positions=2), 1, range(8)),
    ],
)
def test_pixels_of_a_position(axis: Axis, position: int, pixels: range) -> None:
    assert axis.pixels(position, 8) == pixels


def test_beyond_the_edges_of_an_image_there_is_nothing() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
    zero = np.zeros((1, 1), np.int64)
    found = Strongest((0,), np.ones((1, 1), np.float32), zero, zero, zero + 3)
    field = (Axis(-1, 1, 2, 3), Axis(0, 1, 3, 4))
    patch = cut_patches(found, image, field)[0, 0, ..., 0]
    nan = np.nan
    np.testing.assert_array_equal(patch, [[nan, nan, nan], [3, nan, nan]])


def test_a_map_that_is_never_active_has_words(figures: list[Figure]) -> None:
    patch = np.zeros((2, 2, 1), np.float32)
    maps = [Excited("a", [patch, patch], [2.0, 0.0]), Excited("b", [patch], [0.0])]
    plot_strongest(maps, title="t")
    assert [text.get_text() for text in figures[0].texts] == [
        "t",
        "a",
        "b",
        "zero everywhere",
    ]
    assert [axes.get_xlabel() for axes in figures[0].axes] == ["2.00"]


def test_what_is_below_zero_is_drawn_too(figures: list[Figure]) -> None:
    patch = np.zeros((2, 2, 1), np.float32)
    plot_strongest([Excited("a", [patch, patch], [-0.5, -2.0])], title="t")
    assert [axes.get_xlabel() for axes in figures[0].axes] == ["-0.50", "-2.00"]


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ((2.357, 0.2, 0.09), ["2.36", "0.20", "0.09"]),
        ((0.0997, 0.0991), ["0.100", "0.099"]),
        ((0.0078, 0.0071), ["8e-03", "7e-03"]),
        ((1234.0, 2.0), ["1234", "2"]),
        ((123456.0, 2.0), ["1e+05", "2e+00"]),
    ],
)
def test_values_have_room_below_their_patches(
    figures: list[Figure], values: tuple[float, ...], written: list[str]
) -> None:
    patch = np.zeros((2, 2, 1), np.float32)
    plot_strongest([Excited("a", [patch] * len(values), values)] * 16, title="t")
    axes = figures[0].axes[: len(values)]
    assert [one.get_xlabel() for one in axes] == written
    boxes = [one.xaxis.label.get_window_extent() for one in axes]
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


@pytest.mark.parametrize("shape", [(1, 60, 1), (60, 1, 3), (5, 5, 3)])
@pytest.mark.parametrize(("count", "patches"), [(1, 9), (7, 9), (70, 1)])
def test_patches_of_any_shape_don_t_overlap(
    figures: list[Figure], shape: tuple[int, ...], count: int, patches: int
) -> None:
    patch = np.full(shape, np.nan, np.float32)
    maps = [Excited("猫" * 16, [patch] * patches, [1.0] * patches)] * count
    plot_strongest(maps, title="t")
    boxes = [axes.get_window_extent() for axes in figures[0].axes]
    assert len(boxes) == patches * min(count, 64)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
        assert figures[0].bbox.contains(box.x1, box.y0)


def test_several_images_beside_each_other(
    net: str, cli: Cli, figures: list[Figure]
) -> None:
    cli("feature-maps", net, "--index", "3", "--arrays", "alone.npz")
    result = cli("feature-maps", net, "--index", "5,3,0", "--arrays", "all.npz")
    assert result.stdout.splitlines()[0] == "conv     (3, 2, 2, 4)"
    assert result.stderr == (
        f"written: {Path(net)}/feature_maps_5_3_0.png and all.npz\n"
    )
    alone, every = arrays_of("alone.npz"), arrays_of("all.npz")
    np.testing.assert_array_equal(every["image"][1], alone["image"])
    np.testing.assert_allclose(every["output"][1], alone["output"][0], atol=1e-6)
    texts = [text.get_text() for text in figures[1].texts]
    assert texts[0] == "3 images, each layer on one scale"
    assert {"5: owl", "3: cat", "0: cat"} < set(texts)


def test_rows_of_maps_have_numbers(figures: list[Figure]) -> None:
    image = Subject("", np.zeros((6, 6, 1), np.uint8))
    layers = [
        LayerMaps("a", "Conv2D", np.ones((1, 3, 3, 40))),
        LayerMaps("b", "Conv2D", np.ones((1, 3, 3, 16))),
        LayerMaps("c", "Conv2D", np.ones((1, 3, 3, 20)), tuple(range(1, 41, 2))),
    ]
    plot_feature_maps([image], layers, class_names=(), title="")
    written = [text.get_text() for text in figures[0].texts]
    assert [text for text in written if text.isdecimal()] == [
        "0",
        "16",
        "32",
        "1",
        "33",
    ]


def test_long_names_of_several_files_are_not_joined(
    net: str, cli: Cli, figures: list[Figure]
) -> None:
    from PIL import Image

    names = [f"{letter * 60}.png" for letter in "abc"]
    for name in names:
        Image.new("L", (4, 4), 7).save(name)
    options = [option for name in names for option in ("--image", name)]
    result = cli("feature-maps", net, *options, "--layer", "conv")
    assert f"feature_maps_{'a' * 60}_and_2_more_conv.png" in result.stderr


def test_several_image_files(net: str, cli: Cli, figures: list[Figure]) -> None:
    from PIL import Image

    for name, colour in (("a.png", 1), ("b.png", 200)):
        Image.new("L", (4, 4), colour).save(name)
    options = ("--image", "b.png", "--image", "a.png", "--arrays", "both.npz")
    result = cli("feature-maps", net, *options)
    assert f"{Path(net)}/feature_maps_b_a.png" in result.stderr
    assert arrays_of("both.npz")["image"][:, 0, 0, 0].tolist() == [200, 1]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_columns_share_a_scale_and_stand_apart(
    figures: list[Figure], count: int
) -> None:
    random = np.random.default_rng(0)
    images = [
        Subject(f"{n}: {'x' * 40}", np.zeros((6, 6, 1), np.uint8)) for n in range(count)
    ]
    layers = [
        LayerMaps("cv1", "Conv2D", random.normal(size=(count, 6, 6, 16))),
        LayerMaps("long", "Flatten", random.normal(size=(count, 700))),
        LayerMaps("short", "Dense", random.normal(size=(count, 20))),
        LayerMaps("output", "Dense", random.random(size=(count, 3))),
    ]
    names = ["a name of some length", "b", "c"]
    plot_feature_maps(images, layers, class_names=names, title="t")
    (figure,) = figures
    scales = {image.get_clim() for axes in figure.axes for image in axes.images}
    photographs, maps, strips = (0, 255), layers[0].activation, layers[1].activation
    assert {
        photographs,
        (maps.min(), maps.max()),
        (strips.min(), strips.max()),
    } == scales
    drawn = [axes for axes in figure.axes if axes.images and axes.get_label() == ""]
    boxes = [axes.get_window_extent() for axes in drawn]
    assert len(boxes) == 3 * count
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
    texts = [
        text.get_window_extent() for text in figure.texts if "x" in text.get_text()
    ]
    assert len(texts) == count
    for first, second in itertools.pairwise(texts):
        assert first.x1 < second.x0


@pytest.mark.parametrize(
    ("options", "suffix", "start"),
    [
        ((), "svg", b"<?xml"),
        (("--kernels",), "PDF", b"%PDF-"),
        (("--strongest",), "pdf", b"%PDF-"),
    ],
)
def test_pictures_in_any_format_are_the_same_bytes_twice(
    net: str, cli: Cli, options: tuple[str, ...], suffix: str, start: bytes
) -> None:
    for name in ("a", "b"):
        cli("feature-maps", net, *options, "--layer", "conv", "-o", f"{name}.{suffix}")
    content = Path(f"a.{suffix}").read_bytes()
    assert content.startswith(start)
    assert content == Path(f"b.{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--kernels --index 1", "--index and --kernels exclude each other"),
        ("--kernels --occlusion", "--occlusion and --kernels exclude each other"),
        ("--strongest --kernels", "--kernels and --strongest exclude each other"),
        ("--strongest --image a", "--image and --strongest exclude each other"),
        ("--image a --data data", "--data and --image exclude each other"),
        (
            "--maps 0",
            "--maps needs --layer or --strongest, without --grad-cam or --occlusion",
        ),
        ("--index 0,1 --grad-cam", "--grad-cam and --occlusion are of one image"),
        (
            "--index 0,1,2,3,4,5,6,7,8",
            "at most 8 images can be drawn beside each other",
        ),
        (
            "--kernels --layer output",
            "Invalid value for '--layer': 'output' is no convolution of the network; "
            "choose from conv, each, apart",
        ),
        (
            "--strongest --layer conv --layer each",
            "--strongest is of one layer; name one with --layer",
        ),
        (
            "--strongest --maps 3",
            "Invalid value for '--maps': layer 'apart' has 3 maps, 0 to 2",
        ),
        (
            "-o maps.jpg",
            "Invalid value for '-o' / '--out': 'maps.jpg' must end in .png, .svg or "
            ".pdf",
        ),
        (
            "--arrays .npz",
            "Invalid value for '--arrays': '.npz' must end in .npz",
        ),
    ],
)
def test_wrong_options(net: str, cli: Cli, options: str, message: str) -> None:
    result = cli("feature-maps", net, *options.split(), exit_code=2)
    assert result.stderr.splitlines()[-1] == f"Error: {message}"


def test_kernels_of_a_network_without_convolutions(run: Path, cli: Cli) -> None:
    result = cli("feature-maps", str(run), "--kernels", exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        "Error: --kernels needs a convolution, the network has none"
    )

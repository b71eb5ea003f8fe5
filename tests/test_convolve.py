"""``convolve``: a lesson on a terminal, in numbers and in pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from cnncli.lesson.kernels import KERNELS
from tests.processes import run_code
from tests.test_readme import documented_keys

if TYPE_CHECKING:
    from tests.conftest import Cli

EXAMPLE = """\
Cross-correlation, 2x2 kernel, stride 1, padding 0:

image (3, 3); kernel (2, 2)

   1 -1  0      1   0
   2  4 -1    0.5  -1
   6  0  1

1. rows 0-1, columns 0-1
   1 -1  x    1   0  =   1  0
   2  4     0.5  -1      1 -4
  sum 1 + 0 + 1 - 4 = -2

2. rows 0-1, columns 1-2
  -1  0  x    1   0  =  -1  0
   4 -1     0.5  -1      2  1
  sum -1 + 0 + 2 + 1 = 2

3. rows 1-2, columns 0-1
  2 4  x    1   0  =  2 0
  6 0     0.5  -1     3 0
  sum 2 + 0 + 3 + 0 = 5

4. rows 1-2, columns 1-2
   4 -1  x    1   0  =   4  0
   0  1     0.5  -1      0 -1
  sum 4 + 0 + 0 - 1 = 3

result (2, 2)

  -2  2
   5  3
"""


def test_the_example(cli: Cli) -> None:
    text = cli("convolve").stdout
    assert text.startswith(EXAMPLE)
    assert text.count("\n   2.5    0\n     0 -3.5\n") == 1
    assert "= floor((3 - 2 + 2*0) / 1) + 1 = 2" in text
    assert "(2*2*1 + 1)*1 = 5" in text
    assert max(map(len, text.splitlines())) <= 80
    assert cli("convolve", "--steps").stdout == EXAMPLE


def test_the_same_example_written_out(cli: Cli) -> None:
    options = ("--image", "1,-1,0;2,4,-1;6,0,1", "--kernel", "1,0;0.5,-1")
    assert cli("convolve", *options, "--steps").stdout == EXAMPLE
    flipped = json.loads(cli("convolve", *options, "--flip", "--json").stdout)
    assert flipped == {
        "schema": "cnncli.convolve/1",
        "image": [[1, -1, 0], [2, 4, -1], [6, 0, 1]],
        "kernels": [[[1, 0], [0.5, -1]]],
        "paddings": [0],
        "stride": 1,
        "bias": 0,
        "flipped": True,
        "maps": [[[2.5, 0], [0, -3.5]]],
        "pooled": None,
    }


def test_a_bias_a_padding_and_a_pooling(cli: Cli) -> None:
    options = ("--padding", "1", "--stride", "2", "--bias", "0.5", "--pool", "max:2")
    text = cli("convolve", *options).stdout
    assert text == (
        "image   3 x 3  -1 to 6\n"
        "kernel  2 x 2  -1 to 1\n"
        "result  2 x 2  -5.5 to 3.5\n"
        "pooled  1 x 1  3.5 to 3.5\n"
        "\n"
        "  3.5\n"
    )
    walked = cli("convolve", *options[:6], "--steps").stdout
    assert "image (3, 3), 1 zeros around it" not in walked
    assert "image (3, 3), zeros around it: 1; kernel (2, 2)" in walked
    assert "sum 0 + 0 + 0 - 1 + 0.5 = -0.5" in walked
    assert cli("convolve", *options, "--steps").stdout == (
        f"{walked}\npooled (1, 1)\n\n  3.5\n"
    )
    assert cli("convolve", "--padding", "00000001").stdout == (
        cli("convolve", "--padding", "1").stdout
    )


def test_none_of_two_files_is_written_if_one_cannot_be(cli: Cli) -> None:
    Path("folder.gif").mkdir()
    options = ("-o", "a.png", "--animate", "folder.gif", "--arrays", "a.npz")
    result = cli("convolve", *options, "--overwrite", exit_code=5)
    assert result.stderr == (
        "error: folder.gif: can't write the file: Is a directory\n"
    )
    assert [path.name for path in Path().iterdir()] == ["folder.gif"]


def test_three_layers_of_a_random_image(cli: Cli) -> None:
    options = ("--random", "28", "--kernel-size", "3", "--layers", "1,0,0")
    cli("convolve", *options, "-o", "maps.png", "--arrays", "maps.npz")
    with np.load("maps.npz") as file:
        arrays = dict(file)
    shapes = [arrays[f"map_{index}"].shape for index in range(3)]
    assert shapes == [(28, 28), (26, 26), (24, 24)]
    assert 0 <= arrays["image"].min() < arrays["image"].max() <= 1
    with Image.open("maps.png") as picture:
        assert picture.width > 1500
    again = json.loads(cli("convolve", *options, "--json").stdout)
    np.testing.assert_array_equal(again["maps"][2], arrays["map_2"])
    other = json.loads(cli("convolve", *options, "--json", "--seed", "2").stdout)
    assert other["image"] != again["image"]


def test_a_picture_keeps_its_size(cli: Cli) -> None:
    Image.linear_gradient("L").resize((30, 20)).convert("RGB").save("grey.png")
    found = json.loads(
        cli("convolve", "--image", "grey.png", "--kernel", "identity", "--json").stdout
    )
    with Image.open("grey.png") as picture:
        pixels = np.array(picture.convert("L"))
    np.testing.assert_array_equal(found["image"], pixels)
    np.testing.assert_array_equal(found["maps"][0], pixels[1:-1, 1:-1])


def test_a_test_image(cli: Cli) -> None:
    from cnncli.config.schema import FashionMNIST
    from cnncli.data.sources import find_source

    images = find_source(FashionMNIST()).load("test")
    options = ("--test-image", "7", "--kernel", "box", "--padding", "same")
    found = json.loads(cli("convolve", *options, "--json").stdout)
    np.testing.assert_array_equal(found["image"], images.pixels[7][..., 0])
    assert np.shape(found["maps"]) == (1, 28, 28)


@pytest.mark.parametrize("name", KERNELS)
def test_named_kernels(name: str) -> None:
    """On a constant image, each gives the constant times the sum of its weights."""
    from cnncli.lesson.arithmetic import cross_correlate

    kernel = np.array(KERNELS[name])
    keeps = name in ("identity", "box", "gaussian", "sharpen", "emboss")
    assert kernel.shape == (3, 3)
    result = cross_correlate(np.full((4, 4), 3.0), kernel)
    np.testing.assert_allclose(result, 3.0 if keeps else 0.0, atol=1e-12)


def test_pictures(cli: Cli) -> None:
    cli("convolve", "-o", "a.svg")
    assert Path("a.svg").read_text().startswith("<?xml")
    content = Path("a.svg").read_bytes()
    cli("convolve", "-o", "a.svg")  # the same bytes, or it would be refused
    assert Path("a.svg").read_bytes() == content


def test_no_tensorflow_and_for_wrong_input_no_numpy() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from cnncli.cli import cli\n"
        "def loaded(*arguments):\n"
        "    CliRunner().invoke(cli, ['convolve', *arguments])\n"
        "    names = ('numpy', 'matplotlib', 'tensorflow', 'keras', 'h5py')\n"
        "    return [name for name in names if name in sys.modules]\n"
        "print(loaded('--stride', '0'), loaded('--kernel', '1,2,3,4'), loaded())\n"
    )
    assert run_code(code).stdout == "[] [] ['numpy']\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--image", "1,2;3"], "--image: row 1 has 1 number, but row 0 has 2"),
        (
            ["--image", "1,nan"],
            "--image: 'nan' in row 0, column 1 is not a number from -1e+100 to 1e+100; "
            "write rows like 1,-1,0;2,4,-1",
        ),
        (
            ["--kernel", "sobelx"],
            "--kernel: 'sobelx' is not one of identity, box, gaussian, sharpen, "
            "sobel-x, sobel-y, laplacian, emboss, edge, nor a matrix like 1,0;0.5,-1; "
            "did you mean 'sobel-x'?",
        ),
        (
            ["--kernel", "1,2,3,4"],
            "--kernel: a size of 4 is larger than the image's 3",
        ),
        (
            ["--layers", "0,0,0"],
            "--kernel, layer 3: a size of 2 is larger than the image's 1",
        ),
        (["--layers", "1,x"], "--layers: must be the padding of each layer, such as "
         "1,0,0, got 'x'"),
        (["--layers", "0,0", "--steps"], "--steps: only of one convolution, without "
         "--layers"),
        (["--layers", "0", "--animate", "a.gif"], "--animate: only of one convolution, "
         "without --layers"),
        (["--stride", "0"], "--stride: must be at least 1, got 0"),
        (
            ["--padding", "same"],
            "--padding: a kernel of even size 2 can't keep the size: p = (2 - 1) / 2 "
            "is no whole number; take an odd size, or say how many zeros",
        ),
        (
            ["--kernel", "1,2,3", "--padding", "same"],
            "--padding: a kernel of 1 x 3 would need other zeros above than at the "
            "left",
        ),
        (
            ["--padding", "-1"],
            "--padding: must be a whole number of zeros, same or valid, got '-1'",
        ),
        (["--padding", "1000000"], "--padding: at most 99,999, got '1000000'"),
        (["--layers", "0,100000"], "--layers: at most 99,999, got '100000'"),
        (["--pool", "max:100000"], "--pool: at most 99,999, got '100000'"),
        (["--padding", "9" * 5000], f"--padding: at most 99,999, got '{'9' * 56}..."),
        (
            ["--pool", "min:2"],
            "--pool: must be max:F or average:F:S, got 'min:2'",
        ),
        (
            ["--pool", "max:0"],
            "--pool: size and stride must be at least 1, got 'max:0'",
        ),
        (["--pool", "max:3"], "--pool: a size of 3 is larger than the map of 2 x 2"),
        (["--bias", "nan"], "--bias: nan is not a number from -1e+100 to 1e+100"),
        (
            ["--padding", "20000"],
            "--padding: with 20,000 zeros on each side there are more than 67,108,864 "
            "values",
        ),
        (
            ["--random", "9", "--layers", "1,1,1,1", "--kernel", "1e99,-1e99"],
            "--kernel: its products are too large for 64-bit floats",
        ),
        (["--kernel", "1_0"], "--kernel: '1_0' is not one of identity, box, gaussian, "
         "sharpen, sobel-x, sobel-y, laplacian, emboss, edge, nor a matrix like "
         "1,0;0.5,-1"),
        (["--padding", "٣"], "--padding: must be a whole number of zeros, same or "
         "valid, got '٣'"),
        (
            ["--random", "28", "--steps"],
            "--steps: shows at most 64 windows, these are 729; take a smaller image or "
            "a larger --stride",
        ),
        (
            ["--random", "3", "--image", "1"],
            "--image and --random exclude each other",
        ),
        (
            ["--kernel", "box", "--kernel-size", "3"],
            "--kernel and --kernel-size exclude each other",
        ),
        (["--layer", "cv1"], "--layer and --map are of a --model"),
        (["--model", "x", "--steps"], "--model: leave out --steps and --animate"),
        (["--steps", "--json"], "--steps and --json exclude each other"),
        (
            ["--image", ""],
            "--image: is empty; write rows like 1,-1,0;2,4,-1, or name a picture",
        ),
        (
            ["--model", "x", "--layer", "a", "--image", " "],
            "--image: is empty; name a picture",
        ),
        (
            ["--model", "x", "--layer", "a", "--bias", "1"],
            "--model: kernel, bias, stride and padding are the layer's own; leave out "
            "all but --layer, --map, --test-image and --image",
        ),
    ],
)  # fmt: skip
def test_wrong_input(cli: Cli, options: list[str], message: str) -> None:
    result = cli("convolve", *options, exit_code=2)
    assert result.stderr == f"{message}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arrays", "a.png"], "'--arrays': 'a.png' must end in .npz"),
        (["-o", ".png"], "'-o' / '--out': '.png' must end in .png, .svg or .pdf"),
        (["-o", ""], "'-o' / '--out': '' must end in .png, .svg or .pdf"),
        (["-o", "a.jpg"], "'-o' / '--out': 'a.jpg' must end in .png, .svg or .pdf"),
        (["--animate", "a.png"], "'--animate': 'a.png' must end in .gif"),
    ],
)
def test_files_of_other_formats(cli: Cli, options: list[str], message: str) -> None:
    result = cli("convolve", *options, exit_code=2)
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for {message}"


def test_pictures_that_cannot_be_read(cli: Cli) -> None:
    result = cli("convolve", "--image", "nothing.png", exit_code=3)
    assert result.stderr == (
        "error: nothing.png: can't read the file: No such file or directory\n"
    )
    Image.new("1", (10_000, 10_000)).save("huge.png")
    result = cli("convolve", "--image", "huge.png", exit_code=3)
    assert result.stderr == (
        "error: huge.png: a picture may have at most 50,000,000 pixels; make it "
        "smaller\n"
    )
    Image.new("L", (2, 1)).save("small.png")
    result = cli("convolve", "--image", "small.png", exit_code=2)
    assert result.stderr == "--kernel: a size of 2 is larger than the image's 1\n"
    result = cli("convolve", "--test-image", "10000", exit_code=3)
    assert result.stderr == (
        "error: --test-image 10000: there are 10,000 test images, 0 to 9999\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("padding", "strides"), [("same", 2), ("valid", 1)])
def test_a_trained_map_by_hand(cli: Cli, padding: str, strides: int) -> None:
    """Kernels of even and odd size, with every padding, as Keras does it."""
    how = f"strides: {strides}, padding: {padding}"
    Path("net.yaml").write_text(
        "data: {split: {method: random, train: 64, validation: 32}}\n"
        "model:\n"
        "  layers:\n"
        f"    - Conv2D: {{name: a, filters: 3, kernel_size: [4, 3], {how}, "
        "activation: tanh}\n"
        f"    - Conv2D: {{name: b, filters: 2, kernel_size: 5, {how}, "
        "activation: gelu, use_bias: false}\n"
        "    - Conv2D: {name: c, filters: 2, kernel_size: 2, dilation_rate: 2, "
        "padding: same}\n"
        "    - Conv2D: {name: d, filters: 2, kernel_size: 1, groups: 2}\n"
        "    - Conv2D: {name: e, filters: 1, kernel_size: 1, strides: [2, 1]}\n"
        "    - Conv2D: {name: f, filters: 1, kernel_size: 1}\n"
        "    - Flatten\n"
        "    - Dense: {units: 10, activation: softmax}\n"
        "training: {epochs: 1, threads: 2}\n"
    )
    cli("train", "net.yaml", "--quiet", "--out", "run")
    for layer, index, kernel in (("a", 2, (4, 3, 1)), ("b", 1, (5, 5, 3))):
        options = ("--model", "run", "--layer", layer, "--map", str(index))
        found = json.loads(cli("convolve", *options, "--json").stdout)
        assert set(found) == documented_keys("cnncli.convolve_layer/1")
        assert np.shape(found["kernel"]) == kernel
        assert np.shape(found["result"]) == np.shape(found["network"])
        assert np.ptp(found["network"]) > 0.01
        assert found["largest_difference"] < 1e-5
        text = cli("convolve", *options, "-o", f"{layer}.png").stdout
        assert text.splitlines()[-1] == (
            f"largest difference  {found['largest_difference']:.2g}"
        )
    Image.new("RGB", (28, 28), "red").save("red.png")
    cli("convolve", "--model", "run", "--layer", "a", "--image", "red.png")
    these = "these can be done by hand: a, b, f"
    result = cli("convolve", "--model", "run", exit_code=2)
    assert result.stderr == f"--model: name a layer with --layer; {these}\n"
    for layer, obstacle in {
        "aa": f"is no layer of the network; {these}; did you mean 'a'?",
        "c": f"its kernels have gaps, dilation_rate [2, 2]; {these}",
        "d": f"each kernel sees one of 2 groups of channels only; {these}",
        "e": f"it has one stride down and another across, [2, 1]; {these}",
        "flatten": f"is a Flatten, not a Conv2D; {these}",
    }.items():
        result = cli("convolve", "--model", "run", "--layer", layer, exit_code=4)
        where = f"error: run/model.h5: --layer {layer!r}"
        assert result.stderr == f"{where}: {obstacle}\n"
    for layer, maps in {"a": "3 maps, 0 to 2", "f": "1 map, 0"}.items():
        options = ("--model", "run", "--layer", layer, "--map", "3")
        result = cli("convolve", *options, exit_code=4)
        assert result.stderr == (
            f"error: run/model.h5: --map 3: layer {layer!r} has {maps}\n"
        )


def test_the_bar_is_for_terminals(cli: Cli) -> None:
    assert "drawing" not in cli("convolve", "--animate", "a.gif").stderr
    assert not sys.stderr.closed


def test_sums_are_those_of_the_map(cli: Cli) -> None:
    """A bias is added last, and what is but rounding is shown as zero."""
    large = ("--image", "1e17,-1e17", "--kernel", "1,1", "--bias", "1", "--steps")
    text = cli("convolve", *large).stdout
    assert "  sum 1e+17 - 1e+17 + 1 = 1\n" in text
    assert text.endswith("\n\n  1\n")
    small = ("--image", "0.1,0.2,-0.3", "--kernel", "1,1,1", "--steps")
    assert "  sum 0.1 + 0.2 - 0.3 = 0\n" in cli("convolve", *small).stdout


def test_a_file_with_a_name_like_a_matrix(cli: Cli) -> None:
    Image.new("L", (4, 3), 7).save("a,1.png")
    found = json.loads(cli("convolve", "--image", "a,1.png", "--json").stdout)
    assert found["image"] == [[7] * 4] * 3

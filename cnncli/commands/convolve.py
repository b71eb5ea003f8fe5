"""``cnncli convolve``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from cnncli.commands import offered
from cnncli.commands.options import (
    FilePath,
    arrays_path,
    file_path,
    format_of,
    json_option,
    overwrite_option,
    picture_path,
)
from cnncli.errors import ConfigError
from cnncli.system.terminal import say


@click.command()
@click.option(
    "--image",
    metavar="MATRIX|FILE",
    help="Image, such as 1,-1,0;2,4,-1;6,0,1 in quotes, or a picture, made grey.",
)
@click.option(
    "--random",
    type=click.IntRange(1, 1000),
    metavar="SIZE",
    help="A random image, SIZE x SIZE, instead.",
)
@click.option(
    "--test-image",
    type=click.IntRange(min=0),
    metavar="N",
    help="Test image N of Fashion-MNIST, or of the model's data set, instead.",
)
@click.option(
    "--kernel",
    metavar="MATRIX|NAME",
    shell_complete=offered.kernels,
    help="Kernel, such as 1,0;0.5,-1 in quotes, or identity, box, gaussian, sharpen, "
    "sobel-x, sobel-y, laplacian, emboss, edge.  [default: the example's]",
)
@click.option(
    "--kernel-size",
    type=click.IntRange(1, 99),
    metavar="F",
    help="Random kernels, F x F, instead.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    help="Decides what is random.",
)
@click.option(
    "--padding",
    metavar="N|same|valid",
    shell_complete=offered.paddings,
    help="Zeros on each side.  [default: 0]",
)
@click.option(
    "--layers",
    metavar="P,P,...",
    help="One convolution after the other, with these paddings.",
)
@click.option(
    "--stride", type=int, default=1, show_default=True, help="Step between windows."
)
@click.option(
    "--bias", type=float, default=0.0, show_default=True, help="Added to each sum."
)
@click.option("--flip", is_flag=True, help="Turn the kernel round, as in mathematics.")
@click.option(
    "--pool", metavar="max|average:F[:S]", help="Pool the result, F x F, stride S."
)
@click.option("--steps", is_flag=True, help="Walk through every window.")
@click.option(
    "--model",
    type=file_path,
    metavar="MODEL",
    help="Work out a map of a trained model by hand, and compare.",
)
@click.option(
    "--layer",
    metavar="NAME",
    shell_complete=offered.layers,
    help="The model's layer, a Conv2D.",
)
@click.option(
    "--map",
    "index",
    type=click.IntRange(min=0),
    metavar="N",
    help="The layer's map, from 0.",
)
@click.option(
    "-o", "--out", type=picture_path, metavar="FILE", help="Draw a .png, .svg or .pdf."
)
@click.option(
    "--animate",
    type=FilePath(".gif"),
    metavar="FILE",
    help="Draw the kernel's way as a .gif.",
)
@click.option("--arrays", type=arrays_path, metavar="FILE", help="Write an .npz.")
@overwrite_option
@json_option
def convolve(
    image: str | None,
    random: int | None,
    test_image: int | None,
    kernel: str | None,
    kernel_size: int | None,
    seed: int,
    padding: str | None,
    layers: str | None,
    stride: int,
    bias: float,
    flip: bool,
    pool: str | None,
    steps: bool,
    model: Path | None,
    layer: str | None,
    index: int | None,
    out: Path | None,
    animate: Path | None,
    arrays: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Work out a convolution by hand, window by window.

    Without options, it walks through an example: every window of a 3 x 3 image, the
    products with a 2 x 2 kernel, and their sums; then with the kernel turned round.
    Deep learning calls the first, a cross-correlation, a convolution.

    \b
    Examples:
      cnncli convolve
      cnncli convolve --image "1,2,3;4,5,6;7,8,9" --kernel laplacian --steps
      cnncli convolve --test-image 0 --kernel sobel-x -o edges.png
      cnncli convolve --random 28 --kernel-size 3 --layers 1,0,0 -o maps.png
      cnncli convolve --model runs/fashion-mnist --layer cv1 --map 3
    """
    from cnncli.commands.answers import (
        Answer,
        ExerciseAnswer,
        answer_exercise,
        answer_layer,
    )
    from cnncli.lesson.options import ExerciseOptions
    from cnncli.system.files import write_new_files

    asked = ExerciseOptions(
        image,
        random,
        test_image,
        kernel,
        kernel_size,
        seed,
        padding,
        layers,
        stride,
        bias,
        flip,
        pool,
    )
    if steps and as_json:
        raise ConfigError("--steps and --json exclude each other")
    answer: Answer
    if model is not None:
        if animate or steps:
            raise ConfigError("--model: leave out --steps and --animate")
        answer = answer_layer(asked, model, layer, index or 0)
    elif layer is not None or index is not None:
        raise ConfigError("--layer and --map are of a --model")
    elif animate and layers:
        raise ConfigError("--animate: only of one convolution, without --layers")
    else:
        answer = answer_exercise(asked, steps=steps)
    contents: dict[Path, bytes | str] = {}
    if out is not None:
        contents[out] = answer.picture(format_of(out))
    if animate is not None and isinstance(answer, ExerciseAnswer):
        contents[animate] = answer.animation(_with_bar)
    if arrays is not None:
        from cnncli.explain.arrays import npz_bytes

        contents[arrays] = npz_bytes(answer.arrays())
    write_new_files(contents, overwrite=overwrite)
    click.echo(json.dumps(answer.json()) if as_json else "\n".join(answer.lines()))
    for path in contents:
        say(f"written: {path}")


@contextmanager
def _with_bar(frames: Sequence[int]) -> Iterator[Iterable[int]]:
    """Show on a terminal how many frames of an animation are drawn."""
    with click.progressbar(
        frames, label="drawing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield bar

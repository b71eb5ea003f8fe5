"""A walk through an exercise in text: every window, product and sum."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cnncli.lesson.arithmetic import pad, windows
from cnncli.lesson.sizes import num_parameters, output_size
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cnncli.lesson.arithmetic import Array
    from cnncli.lesson.exercise import Exercise

INDENT = "  "


def number(value: float) -> str:
    """Return a number in as few characters as say it, at most six digits."""
    text = f"{value:.6g}"
    return "0" if text == "-0" else text


def matrix_lines(matrix: Array) -> list[str]:
    """Return a matrix as lines, its columns aligned."""
    cells = [[number(value) for value in row] for row in matrix.tolist()]
    width = max(len(cell) for row in cells for cell in row)
    return [" ".join(cell.rjust(width) for cell in row) for row in cells]


def side_by_side(*blocks: Sequence[str]) -> list[str]:
    """Return blocks of lines next to each other, a shorter one in the middle."""
    height = max(map(len, blocks))
    columns = []
    for block in blocks:
        width = max(map(len, block))
        above = (height - len(block)) // 2
        lines = [*[""] * above, *block]
        columns.append(
            [line.ljust(width) for line in lines + [""] * (height - len(lines))]
        )
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def outline(exercise: Exercise, *, most_printed: int) -> Iterator[str]:
    """Yield what goes into an exercise and what comes out, in a line each.

    Args:
        exercise: Any.
        most_printed: Rows and columns of the largest result that is written out.
    """
    maps, pooled = exercise.maps, exercise.pooled
    rows = [("image", exercise.image), ("kernel", exercise.used[0])]
    rows += [
        (f"map {place}" if len(maps) > 1 else "result", found)
        for place, found in enumerate(maps, 1)
    ]
    if pooled is not None:
        rows.append(("pooled", pooled))
    yield aligned(
        [
            (
                name,
                " x ".join(map(str, matrix.shape)),
                f"{number(matrix.min())} to {number(matrix.max())}",
            )
            for name, matrix in rows
        ]
    )
    last = rows[-1][1]
    if max(last.shape) <= most_printed:
        yield ""
        yield from _indented(matrix_lines(last))


def walk(exercise: Exercise) -> Iterator[str]:
    """Yield the lines of a walk through every window of an exercise.

    Args:
        exercise: A small one, of one convolution.
    """
    (kernel,), (padding,) = exercise.used, exercise.paddings
    given = pad(exercise.image, padding)
    result = sums_of(exercise) + exercise.bias
    around = f", zeros around it: {padding}" if padding else ""
    turned = ", turned round" if exercise.flipped else ""
    yield f"image {exercise.image.shape}{around}; kernel {kernel.shape}{turned}"
    yield ""
    yield from _indented(side_by_side(matrix_lines(given), [""], matrix_lines(kernel)))
    view = windows(given, (kernel.shape[0], kernel.shape[1]), exercise.stride)
    for place, (row, column) in enumerate(np.ndindex(*result.shape)):
        top, left = row * exercise.stride, column * exercise.stride
        yield ""
        yield (
            f"{place + 1}. rows {_span(top, kernel.shape[0])}, columns "
            f"{_span(left, kernel.shape[1])}"
        )
        total = float(result[row, column])
        yield from _indented(_step(view[row, column], kernel, exercise.bias, total))
    yield ""
    yield f"result {result.shape}"
    yield ""
    yield from _indented(matrix_lines(result))
    if exercise.pooled is not None:
        yield ""
        yield f"pooled {exercise.pooled.shape}"
        yield ""
        yield from _indented(matrix_lines(exercise.pooled))


def formulas(exercise: Exercise) -> Iterator[str]:
    """Yield the formulas of sizes and parameters with an exercise's numbers in them."""
    (height, width), (padding, *_) = exercise.image.shape, exercise.paddings
    (f_h, f_w), s = exercise.kernels[0].shape, exercise.stride
    for name, n, f in (("height", height, f_h), ("width", width, f_w)):
        size = output_size(n, f, padding=padding, stride=s)
        yield (
            f"{name:6}  floor((n - f + 2p) / s) + 1 = "
            f"floor(({n} - {f} + 2*{padding}) / {s}) + 1 = {size}"
        )
    same = (f_h - 1) / 2
    kept = f"{number(same)}, the zeros on each side that keep the size at stride 1"
    if f_h % 2 == 0:
        kept = f"{number(same)}: an even size can't keep the size"
    yield f"same    p = (f - 1) / 2 = ({f_h} - 1) / 2 = {kept}"
    yield (
        "weights (f_w f_h c_in + 1) c_out = "
        f"({f_w}*{f_h}*1 + 1)*1 = {num_parameters(f_w, f_h, 1, 1)}"
    )


def sums_of(exercise: Exercise) -> Array:
    """Return the map of one convolution without its bias.

    Sums that are but rounding are zero.
    """
    (kernel,), (sums,) = exercise.used, replace(exercise, bias=0.0).maps
    largest = np.abs(exercise.image).max() * np.abs(kernel).max()
    return np.where(np.abs(sums) < 1e-15 * largest, 0.0, sums)


def _step(window: Array, kernel: Array, bias: float, total: float) -> list[str]:
    """Return one window: it, the kernel, their products and the sum."""
    products = window * kernel
    terms = [number(value) for value in products.ravel().tolist()]
    if bias:
        terms.append(number(bias))
    lines = side_by_side(
        matrix_lines(window),
        ["x"],
        matrix_lines(kernel),
        ["="],
        matrix_lines(products),
    )
    joined = " ".join(
        [terms[0], *(f"- {t[1:]}" if t[0] == "-" else f"+ {t}" for t in terms[1:])]
    )
    return [*lines, *textwrap.wrap(f"sum {joined} = {number(total)}", 76)]


def _span(start: int, length: int) -> str:
    return str(start) if length == 1 else f"{start}-{start + length - 1}"


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (f"{INDENT}{line}".rstrip() for line in lines)

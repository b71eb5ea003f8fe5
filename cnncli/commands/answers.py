"""What ``convolve`` answers: lines, numbers, pictures, arrays.

Wrong options are found before NumPy is imported, as far as they can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cnncli.errors import ConfigError, DataError
from cnncli.lesson.options import ExerciseOptions
from cnncli.lesson.plan import plan
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cnncli.explain.by_hand import ByHand
    from cnncli.lesson.arithmetic import Array
    from cnncli.lesson.exercise import Exercise
    from cnncli.lesson.plan import Plan

_MOST_PRINTED = 10
"""Rows and columns of the largest map that is printed unasked."""

Shown = Callable[[Sequence[int]], "AbstractContextManager[Iterable[int]]"]


class Answer(Protocol):
    """An answer, in the forms in which it can be asked for."""

    def lines(self) -> Iterable[str]:
        """Return it as text."""

    def json(self) -> dict[str, Any]:
        """Return its numbers."""

    def arrays(self) -> dict[str, Array]:
        """Return its numbers as arrays, by their names."""

    def picture(self, picture_format: str) -> bytes:
        """Draw it, as "png" or "svg"."""


@dataclass(frozen=True)
class ExerciseAnswer:
    """The answer to an exercise.

    Attributes:
        exercise: The exercise.
        steps: Whether every window is to be in the text.
        both: Whether the text is to turn the kernel round as well, with the formulas.
    """

    exercise: Exercise
    steps: bool
    both: bool

    def lines(self) -> Iterator[str]:
        """Return it as text."""
        from cnncli.lesson.walk import formulas, outline, walk

        if not (self.steps or self.both):
            yield from outline(self.exercise, most_printed=_MOST_PRINTED)
            return
        yield f"{self._name()}:"
        yield ""
        yield from walk(self.exercise)
        if self.both:
            yield ""
            yield "Convolution in mathematics turns the kernel round first:"
            yield ""
            yield from walk(replace(self.exercise, flipped=True))
            yield ""
            yield "With n = 3, f = 2, p = 0, s = 1, one channel in and one out:"
            yield ""
            yield from formulas(self.exercise)

    def json(self) -> dict[str, Any]:
        """Return its numbers."""
        return self.exercise.to_dict()

    def arrays(self) -> dict[str, Array]:
        """Return its numbers as arrays, by their names."""
        return self.exercise.arrays()

    def picture(self, picture_format: str) -> bytes:
        """Draw image, kernels and maps side by side."""
        from cnncli.plots.convolution import grey_panel, plot_convolution, signed_panel

        exercise = self.exercise
        several = len(exercise.maps) > 1
        panels = [grey_panel("image", exercise.image)]
        if not several:
            panels.append(signed_panel(self._kernel_name(), exercise.used[0]))
        panels += [
            signed_panel(f"map {number}" if several else "result", found)
            for number, found in enumerate(exercise.maps, 1)
        ]
        if exercise.pooled is not None:
            panels.append(signed_panel("pooled", exercise.pooled))
        return plot_convolution(
            panels, title=self._name(), picture_format=picture_format
        )

    def animation(self, shown: Shown) -> bytes:
        """Draw the way of its only kernel, as GIF."""
        from cnncli.lesson.arithmetic import pad
        from cnncli.lesson.walk import sums_of
        from cnncli.plots.animation import Slide, animate_convolution

        exercise = self.exercise
        (kernel,), (padding,) = exercise.used, exercise.paddings
        around = f", padding {padding}" if padding else ""
        slide = Slide(
            f"image{around}",
            pad(exercise.image, padding),
            self._kernel_name(),
            kernel,
            sums_of(exercise),
            exercise.bias,
            exercise.stride,
        )
        return animate_convolution(slide, shown)

    def _kernel_name(self) -> str:
        return "kernel, turned round" if self.exercise.flipped else "kernel"

    def _name(self) -> str:
        what = "Convolution" if self.exercise.flipped else "Cross-correlation"
        height, width = self.exercise.kernels[0].shape
        paddings = ", ".join(map(str, self.exercise.paddings))
        bias = f", bias {self.exercise.bias:.6g}" if self.exercise.bias else ""
        return (
            f"{what}, {height}x{width} kernel, stride {self.exercise.stride}, padding "
            f"{paddings}{bias}"
        )


@dataclass(frozen=True)
class LayerAnswer:
    """One map of a trained model, by hand.

    Attributes:
        found: The map, and the network's own.
    """

    found: ByHand

    def lines(self) -> Iterator[str]:
        """Return it as text."""
        found = self.found
        yield aligned(
            [
                ("layer", f"{found.layer}, map {found.index}"),
                ("input", str(found.given.shape)),
                ("kernel", f"{found.kernel.shape}, bias {found.bias:.6g}"),
                ("activation", found.activation),
                ("map", f"{found.result.shape}, up to {found.result.max():.6g}"),
                ("largest difference", f"{found.largest_difference:.2g}"),
            ]
        )

    def json(self) -> dict[str, Any]:
        """Return its numbers."""
        return self.found.to_dict()

    def arrays(self) -> dict[str, Array]:
        """Return its numbers as arrays, by their names."""
        found = self.found
        return {
            "input": found.given,
            "kernel": found.kernel,
            "result": found.result,
            "network": found.expected,
        }

    def picture(self, picture_format: str) -> bytes:
        """Draw what the layer gets, the kernel, and the two maps side by side."""
        from cnncli.plots.convolution import grey_panel, plot_convolution, signed_panel

        found = self.found
        channels = found.kernel.shape[2]
        part = f", the first of {channels}" if channels > 1 else ""
        total = f"sum over all {channels}" if channels > 1 else "sum"
        panels = [
            grey_panel(f"input{part}", found.given[..., 0]),
            signed_panel(f"kernel{part}", found.kernel[..., 0]),
            signed_panel(f"by hand: {total} + bias, {found.activation}", found.result),
            signed_panel("by the network", found.expected),
        ]
        title = (
            f"Map {found.index} of {found.layer}, bias {found.bias:.3g}: by hand and "
            f"by the network, at most {found.largest_difference:.2g} apart"
        )
        return plot_convolution(panels, title=title, picture_format=picture_format)


def answer_exercise(asked: ExerciseOptions, *, steps: bool) -> ExerciseAnswer:
    """Work out an exercise.

    Args:
        asked: What the options say.
        steps: Whether to walk through every window.

    Raises:
        ConfigError: An option says nothing that can be worked out.
        DataError: A picture can't be read, or there is no such test image.
    """
    planned = plan(asked, steps=steps)

    from cnncli.lesson.exercise import Exercise, as_arrays, random_kernels

    image = _image(asked, planned)
    height, width = image.shape
    planned.check((height, width))
    kernels = (
        as_arrays([planned.kernel] * len(planned.paddings))
        if asked.kernel_size is None
        else random_kernels(asked.kernel_size, len(planned.paddings), asked.seed)
    )
    exercise = Exercise(
        image,
        kernels,
        planned.paddings,
        asked.stride,
        asked.bias,
        asked.flip,
        planned.pooling,
    )
    if not exercise.is_finite():
        raise ConfigError("--kernel: its products are too large for 64-bit floats")
    both = asked == ExerciseOptions() and not steps
    return ExerciseAnswer(exercise, steps, both)


def answer_layer(
    asked: ExerciseOptions, model: Path, name: str | None, index: int
) -> LayerAnswer:
    """Work out a map of a trained model, for a test image or a picture.

    Raises:
        ConfigError: No layer is named, or an option has no meaning for a model.
        DataError: The image can't be read, or there is no such test image.
        ModelFileError: The model can't be read, or has no such layer or map.
    """
    if asked._replace(image=None, test_image=None) != ExerciseOptions():
        raise ConfigError(
            "--model: kernel, bias, stride and padding are the layer's own; leave out "
            "all but --layer, --map, --test-image and --image"
        )
    if asked.image is not None and asked.test_image is not None:
        raise ConfigError("--image and --test-image exclude each other")
    if asked.image is not None and not asked.image.strip():
        raise ConfigError("--image: is empty; name a picture")

    from cnncli.commands.started import backend_started
    from cnncli.explain.by_hand import check_layer, map_by_hand
    from cnncli.modelfile.file import open_model

    saved = open_model(model)
    layer = check_layer(saved, name, index)
    if asked.image is not None:
        from cnncli.data.pictures import read_picture

        pixels, changes = read_picture(Path(asked.image), saved.image_shape, saved.fit)
        for change in changes:
            say(f"note: {asked.image} was {change}")
    else:
        from cnncli.evaluation.images import load_evaluation_images, position_of

        images, _ = load_evaluation_images(saved, "test", None)
        first = int(images.indices[0])
        number = first if asked.test_image is None else asked.test_image
        pixels = images.pixels[position_of(images, number, "--test-image")]
    with backend_started(saved.config) as backend:
        return LayerAnswer(map_by_hand(backend.load(saved), layer, index, pixels))


def _image(asked: ExerciseOptions, planned: Plan) -> Array:
    """Return the image of an exercise, (height, width)."""
    from cnncli.lesson.exercise import as_arrays, random_image

    if asked.random is not None:
        return random_image(asked.random, asked.seed)
    if asked.test_image is not None:
        from cnncli.config.schema import FashionMNIST
        from cnncli.data.sources import find_source

        images = find_source(FashionMNIST()).load("test")
        pixels = images.pixels[_test_image(asked.test_image, len(images))][..., 0]
        return as_arrays([pixels])[0]
    if planned.image is not None:
        return as_arrays([planned.image])[0]
    from cnncli.data.pictures import read_grey_picture

    pixels, changes = read_grey_picture(Path(str(asked.image)))
    for change in changes:
        say(f"note: {asked.image} was {change}")
    return as_arrays([pixels])[0]


def _test_image(number: int, count: int) -> int:
    if number >= count:
        there = f"are {count:,} test images, 0 to {count - 1}"
        raise DataError(
            f"--test-image {number}: there {there if count > 1 else 'is 1, 0'}"
        )
    return number

"""What an exported file says of itself, the same in every format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field

from cnncli import __version__
from cnncli.architecture import INPUT_NAME
from cnncli.config import schema
from cnncli.config.fields import Positive, PositiveFloat, Section, Text, entries, unique
from cnncli.config.problems import dotted
from cnncli.config.validation import validate
from cnncli.data.brightness import Brightness
from cnncli.data.normalization import Normalization

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.modelfile.file import ModelFile

OUTPUT_NAME: Final = "probabilities"
"""The name of an exported network's output."""

Precision = Literal["float32", "int8"]

_Fit = schema.Fit
_PixelMean = Annotated[float, Field(ge=0, le=255)]
_PerChannel = Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


def check_digest(stored: str | None, found: str) -> None:
    """Refuse a network that isn't the one that was written.

    Raises:
        ValueError: The digests differ.
    """
    if stored != found:
        raise ValueError("its content isn't what was written")


class Description(Section):
    """What whoever runs an exported network must know.

    Attributes:
        cnncli_version: The version of the program that wrote the file.
        class_names: The name of each class, in the order of the outputs.
        input_name: The name of the input.
        input_type: The type of its values.
        input_shape: Its shape; n is any number of images.
        layout: The order of its axes: images, height, width, channels.
        color_order: The order of its channels.
        value_range: What its values are.
        preprocessing: Whether normalisation is part of the network, or left to whoever
            runs it.
        mean: What is subtracted from pixels from 0 to 255, for each channel.
        deviation: What they are divided by after that.
        fit: How pictures of another size are brought to the input's, as
            ``data.source.folder.fit`` of a config says it.
        training_brightness: Mean pixel value of the training images at their border,
            and of all their pixels, from 0 to 255; empty if they aren't known.
        precision: What the network computes in; input and output stay as they are.
        output_name: The name of the output, (n, number of classes) float32.
    """

    cnncli_version: Text
    class_names: Annotated[tuple[Text, ...], unique, entries(2, 256)]
    input_name: Literal["image"] = INPUT_NAME
    input_type: Literal["uint8", "float32"]
    input_shape: tuple[Literal["n"], Positive, Positive, Literal[1, 3]]
    layout: Literal["NHWC"] = "NHWC"
    color_order: Literal["grey", "RGB"]
    value_range: Literal["0 to 255", "(pixel - mean) / deviation"]
    preprocessing: Literal["inside", "left out"]
    mean: _PerChannel
    deviation: Annotated[tuple[PositiveFloat, ...], Field(min_length=1, max_length=3)]
    fit: _Fit
    training_brightness: tuple[_PixelMean, _PixelMean] | tuple[()]
    precision: Precision
    output_name: Literal["probabilities"] = OUTPUT_NAME

    @classmethod
    def of(
        cls,
        saved: ModelFile,
        *,
        preprocessing: bool = True,
        precision: Precision = "float32",
    ) -> Self:
        """Describe the network of a model file.

        Args:
            saved: The model file.
            preprocessing: Whether normalisation is to be part of the network.
            precision: What it computes in.
        """
        formula, brightness = "(pixel - mean) / deviation", saved.brightness
        return cls.model_validate(
            {
                "cnncli_version": __version__,
                "class_names": saved.class_names,
                "input_type": "uint8" if preprocessing else "float32",
                "input_shape": ("n", *saved.image_shape),
                "color_order": "RGB" if saved.image_shape[2] == 3 else "grey",
                "value_range": "0 to 255" if preprocessing else formula,
                "preprocessing": "inside" if preprocessing else "left out",
                "mean": saved.normalization.mean,
                "deviation": saved.normalization.deviation,
                "fit": saved.fit,
                "training_brightness": (
                    (brightness.border, brightness.mean) if brightness else ()
                ),
                "precision": precision,
            }
        )

    @classmethod
    def from_json(cls, stored: object) -> Self:
        """Return the description that was stored in a file.

        Args:
            stored: What ``to_json`` gave.

        Raises:
            ValueError: It is nothing of the kind.
        """
        if not (isinstance(stored, dict) and "cnncli_version" in stored):
            raise ValueError("it doesn't say what its classes and its pixels are")
        value = {
            key: tuple(item) if isinstance(item, list) else item
            for key, item in stored.items()
        }
        described, problems = validate(cls, value)
        if described is None:
            raise ValueError(f"{dotted(problems[0].path)}: {problems[0].message}")
        channels = described.input_shape[3]
        if not len(described.mean) == len(described.deviation) == channels:
            raise ValueError(f"the normalisation isn't for {channels} channels")
        return described

    def to_json(self) -> dict[str, Any]:
        """Return texts and lists by their keys."""
        value: dict[str, Any] = json.loads(self.model_dump_json())
        return value

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""
        return self.input_shape[1:]

    @property
    def brightness(self) -> Brightness | None:
        """How light the training images are, if that is known."""
        match self.training_brightness:
            case (border, mean):
                return Brightness(border, mean)
        return None

    @property
    def normalization(self) -> Normalization:
        """What is done to pixels before the network sees them."""
        return Normalization(self.mean, self.deviation)

    def prepared(self, pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Return pixels as the file takes them.

        Args:
            pixels: (n, height, width, channels), from 0 to 255.
        """
        if self.preprocessing == "inside":
            return pixels
        return self.normalization.apply(pixels)

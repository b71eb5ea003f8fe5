"""Grad-CAM: where a layer's maps speak for a class.

Reference: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-based Localization", ICCV 2017, https://doi.org/10.1109/ICCV.2017.74
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnncli.explain.precision import check_finite, without_rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.architecture.receptive import Centres
    from cnncli.backend.interface import ExplainableNetwork

    Values = NDArray[np.float64]


@dataclass(frozen=True)
class GradCam:
    """Grad-CAM of one layer.

    Attributes:
        layer: The layer's name.
        centres: Which places of the image its positions look at.
    """

    layer: str
    centres: Centres

    key: ClassVar[str] = "grad_cam"

    @property
    def name(self) -> str:
        """What to call it, with the layer."""
        return f"Grad-CAM of layer {self.layer}"

    @property
    def heading(self) -> str:
        """What it shows."""
        rows, columns = map(len, self.centres)
        return (
            f"which of its {rows} x {columns} positions speak for the class: "
            "its maps, weighted by the logit's mean gradients"
        )

    def example(self, image: NDArray[np.uint8]) -> tuple[str, str, NDArray[np.uint8]]:
        """Return the image that the network sees, its name, and what it is."""
        return "image", f"{' x '.join(map(str, image.shape[:2]))} pixels", image

    def maps(
        self,
        network: ExplainableNetwork,
        image: NDArray[np.uint8],
        classes: Sequence[int],
    ) -> list[Values]:
        """Return for each class what speaks for it, at each pixel of an image.

        Args:
            network: The network.
            image: (height, width, channels).
            classes: Class numbers.

        Returns:
            For each class (height, width), from 0.

        Raises:
            TrainingError: The layer's values or the gradients are not finite.
        """
        found = []
        for number in classes:
            given = network.logit_gradients(image[np.newaxis], self.layer, number)
            check_finite(f"layer {self.layer!r}", np.stack(given))
            activation, gradient = (array[0].astype(np.float64) for array in given)
            found.append(spread(weighted(activation, gradient), self.centres, image))
        return found


def weighted(activation: Values, gradient: Values) -> Values:
    """Return the maps, added with each one's mean gradient as its weight, above 0.

    Args:
        activation: A layer's maps, (rows, columns, channels).
        gradient: That of the class's logit, of the same shape.

    Returns:
        (rows, columns).
    """
    terms = activation * gradient.mean(axis=(0, 1))
    return np.maximum(without_rounding(terms.sum(axis=2), terms), 0)


def spread(values: Values, centres: Centres, image: NDArray[np.uint8]) -> Values:
    """Return a map's values at each pixel, between its positions' centres in line.

    Args:
        values: (rows, columns).
        centres: The place of each row and column on the image.
        image: (height, width, channels).

    Returns:
        (height, width); beyond the outermost centres the values go on unchanged.
    """
    down, across = (
        _weights(np.arange(size), np.array(places))
        for size, places in zip(image.shape[:2], centres, strict=True)
    )
    pixels: Values = down @ values @ across.T
    return pixels


def _weights(pixels: NDArray[np.int64], places: Values) -> Values:
    """Return (pixels, places) weights of a linear interpolation; rows add up to 1."""
    units = np.eye(len(places))
    return np.stack([np.interp(pixels, places, unit) for unit in units], axis=1)

"""Activations: what every layer of a network makes of one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.explain.precision import check_finite

if TYPE_CHECKING:
    from cnncli.backend.interface import Network


def layer_activations(network: Network, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the activations of every layer for one image.

    Args:
        network: A trained network.
        image: (height, width, channels) uint8, as in the data set.

    Returns:
        By each layer's name, in order: (1, height, width, channels) for a map,
        (1, units) for a vector, float32.

    Raises:
        TrainingError: An activation is not finite.
    """
    names = [layer.name for layer in network.model.layers]
    given = network.activations(image[np.newaxis])
    activations = dict(zip(names, given, strict=True))
    for name, activation in activations.items():
        check_finite(f"layer {name!r}", activation)
    return activations

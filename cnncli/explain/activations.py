"""Activations: what every layer of a network makes of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.explain.precision import check_finite

if TYPE_CHECKING:
    import numpy as np

    from cnncli.backend.interface import Network


def layer_activations(network: Network, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the activations of every layer for a few images.

    Args:
        network: A trained network.
        pixels: (n, height, width, channels) uint8, as in the data set.

    Returns:
        By each layer's name, in order: (n, height, width, channels) for a map,
        (n, units) for a vector, float32.

    Raises:
        TrainingError: An activation is not finite.
    """
    names = [layer.name for layer in network.model.layers]
    given = network.activations(pixels)
    activations = dict(zip(names, given, strict=True))
    for name, activation in activations.items():
        check_finite(f"layer {name!r}", activation)
    return activations

"""What every layer of a network makes of one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from cnncli.errors import TrainingError

if TYPE_CHECKING:
    from cnncli.backend.network import Network


def layer_activations(network: Network, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the activations of every layer for one image.

    Args:
        network: A trained network.
        image: (height, width, channels) uint8, as in the data set.

    Returns:
        By each layer's name, in order: (1, height, width, channels) for a map,
        (1, units) for a vector, float32.

    Raises:
        TrainingError: A layer gives values that are not finite.
    """
    model = network.model
    layers = keras.Model(model.inputs, [layer.output for layer in model.layers])
    outputs = layers(network.normalize(image[np.newaxis]), training=False)
    activations = {
        layer.name: np.asarray(output, np.float32)
        for layer, output in zip(model.layers, outputs, strict=True)
    }
    for name, activation in activations.items():
        if not np.isfinite(activation).all():
            raise TrainingError(
                f"layer {name!r} gives values that are not finite: the network's "
                "weights or its normalisation are far too large; train it again with a "
                "lower learning rate"
            )
    return activations

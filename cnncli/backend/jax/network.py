"""A network on JAX: model, normalisation and measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cnncli.architecture.batches import PREDICTION_BATCH
from cnncli.backend.interface import Prediction
from cnncli.backend.jax.memory import memory_errors

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from cnncli.backend.build import PerImage
    from cnncli.backend.jax.devices import Devices
    from cnncli.data.images import Pixels
    from cnncli.data.normalization import Normalization


class JaxNetwork:
    """A network; see ``cnncli.backend.interface.Network``.

    The model's weights are this process's own, on its first device: whatever is done
    with them, no other process has to take part.

    Args:
        model: Gives probabilities (batch_size, num_classes) for normalised images.
        normalization: Applied to pixel values before the model sees them.
        measures: The loss first, then the metrics.
        devices: Those of this process predict, a batch each.
    """

    def __init__(
        self,
        model: keras.Model,
        normalization: Normalization,
        measures: dict[str, PerImage],
        devices: Devices,
    ) -> None:
        self.model = model
        self.normalization = normalization
        self.measures = measures
        self._devices = devices
        self._mean = np.asarray(normalization.mean, np.float32)
        self._deviation = np.asarray(normalization.deviation, np.float32)
        self._predict = jax.jit(self._traced_predict)

    @memory_errors()
    def predict(self, pixels: Pixels, labels: NDArray[np.uint8]) -> Prediction:
        """Predict and measure every image, in one pass.

        The last images are padded to a batch, so that there is one shape to compile.

        Args:
            pixels: (n, height, width, channels).
            labels: (n,) class numbers.
        """
        layout = self._devices.own
        size = PREDICTION_BATCH * len(layout.devices)
        values = [jax.device_put(v.value, layout.replicated) for v in self._variables]
        outputs = []
        for first in range(0, len(labels), size):
            chosen = slice(first, first + size)
            batch = _padded(pixels[chosen], size), _padded(labels[chosen], size)
            put = jax.device_put(batch, layout.shared)
            outputs.append(self._predict(values, *put))
        rows = np.concatenate([np.asarray(output) for output in outputs])
        probabilities, measured = np.split(
            rows[: len(labels)], [-len(self.measures)], axis=1
        )
        return Prediction(
            probabilities, dict(zip(self.measures, measured.T, strict=True))
        )

    @memory_errors()
    def activations(
        self, pixels: NDArray[np.uint8], layers: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """Return what layers of the model give.

        Args:
            pixels: (n, height, width, channels).
            layers: Their names; without them, every layer in order.
        """
        values = self.normalize(jnp.asarray(pixels))
        given = {}
        for layer in self.model.layers:
            values = layer(values, training=False)
            given[layer.name] = np.asarray(values, np.float32)
        return [given[name] for name in (given if layers is None else layers)]

    def normalize(self, pixels: jax.Array) -> jax.Array:
        """Return normalised pixel values, float32, as the model was trained on."""
        return (pixels.astype(jnp.float32) - self._mean) / self._deviation

    def measure(self, labels: jax.Array, probabilities: jax.Array) -> list[jax.Array]:
        """Return each measure's value for each image, a (batch_size,) array each."""
        return [
            function(labels, probabilities).astype(jnp.float32)
            for function in self.measures.values()
        ]

    @property
    def _variables(self) -> list[Any]:
        model = self.model
        return [*model.trainable_variables, *model.non_trainable_variables]

    def _traced_predict(
        self, values: list[jax.Array], pixels: jax.Array, labels: jax.Array
    ) -> jax.Array:
        """Return a row for each image: its probabilities, then its measures."""
        count = len(self.model.trainable_variables)
        output, _ = self.model.stateless_call(
            values[:count], values[count:], self.normalize(pixels), training=False
        )
        output = output.astype(jnp.float32)
        return jnp.column_stack([output, *self.measure(labels, output)])


def _padded(values: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return values with as many of the first one after them as make a batch."""
    missing = size - len(values)
    return (
        np.concatenate([values, values[:1].repeat(missing, 0)]) if missing else values
    )

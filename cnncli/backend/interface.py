"""A backend: all that the rest of the program knows of TensorFlow, or of JAX.

Keras's own objects, such as a model and its weights, are the same on every backend.
Networks are trained on either; what was trained is looked into on TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    from cnncli.architecture import Shape
    from cnncli.config import Config
    from cnncli.config.schema import Training
    from cnncli.data.images import Images, Pixels
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.file import ModelFile


@dataclass(frozen=True)
class Prediction:
    """What a network says of n images.

    Attributes:
        probabilities: (n, num_classes) float32, from 0 to 1.
        measures: The loss and each metric of each image, (n,) float32, by name.
    """

    probabilities: NDArray[np.float32]
    measures: dict[str, NDArray[np.float32]]

    def means(self) -> dict[str, float]:
        """Return the mean of each measure, summed in 64 bits."""
        return {
            name: float(values.mean(dtype=np.float64))
            for name, values in self.measures.items()
        }


class Network(Protocol):
    """A network with its normalisation and its measures, that can be trained.

    Attributes:
        model: Gives probabilities (batch_size, num_classes) for normalised images.
        normalization: What is done to pixel values before the model sees them.
    """

    model: keras.Model
    normalization: Normalization

    def predict(self, pixels: Pixels, labels: NDArray[np.uint8]) -> Prediction:
        """Predict and measure every image, in one pass.

        Args:
            pixels: (n, height, width, channels).
            labels: (n,) class numbers.

        Raises:
            MemoryError: There is too little of it.
        """

    def activations(
        self, pixels: NDArray[np.uint8], layers: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """Return what layers of the model give.

        Args:
            pixels: (n, height, width, channels).
            layers: Their names; without them, every layer in order.

        Returns:
            For each layer (n, height, width, channels) if it gives maps, (n, units)
            if it gives vectors.

        Raises:
            MemoryError: There is too little of it.
        """


class ExplainableNetwork(Network, Protocol):
    """A network that can also be looked into."""

    def predict_each(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict every image by itself: its last bit doesn't depend on the others.

        That takes three to four times as long as ``predict`` for small networks.

        Args:
            pixels: (n, height, width, channels).

        Returns:
            (n, num_classes) probabilities, from 0 to 1.

        Raises:
            MemoryError: There is too little of it.
        """

    def augmented(self, pixels: NDArray[np.uint8], layers: int) -> NDArray[np.uint8]:
        """Return what the first layers make of images while training.

        Args:
            pixels: (n, height, width, channels).
            layers: How many layers, which give images of the same shape.

        Returns:
            (n, height, width, channels), as pixels before their normalisation.

        Raises:
            MemoryError: There is too little of it.
        """

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the last layer gives before its softmax.

        Args:
            pixels: (n, height, width, channels).

        Returns:
            (n, num_classes).

        Raises:
            MemoryError: There is too little of it.
        """

    def logit_gradients(
        self, pixels: NDArray[np.uint8], layer: str, class_number: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what a layer gives, and how a class's logit changes with it.

        Args:
            pixels: (n, height, width, channels).
            layer: The layer's name; not the last one's.
            class_number: The class.

        Returns:
            The layer's output, and the gradient of each image's logit with respect to
            it, of the same shape.

        Raises:
            MemoryError: There is too little of it.
        """


class TrainingSteps(Protocol):
    """The training steps of a network, and all variables that they change.

    Attributes:
        batch_size: Images in a step; the last step of an epoch may have fewer.
        num_images: How many training images there are.
        per_epoch: Steps in an epoch.
        most_at_once: Steps whose images together take little memory.
        measures: Names of what each step measures: the loss first, then the metrics.
    """

    batch_size: int
    num_images: int
    per_epoch: int
    most_at_once: int
    measures: list[str]

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate."""

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None: ...

    def run(
        self,
        order: NDArray[np.int32],
        first: int,
        last: int,
        sums: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Run some steps of an epoch.

        Args:
            order: (num_images,) the epoch's order of images.
            first: The first step, from 0.
            last: The step after the last.
            sums: (number of measures,) each measure, summed over the epoch's images
                before ``first``.

        Returns:
            The sums over the epoch's images before ``last``.

        Raises:
            MemoryError: There is too little of it.
        """

    def shapes(self) -> list[tuple[str, Shape]]:
        """Return the path and the shape of each variable of model and optimizer.

        Weights, moving statistics, states of random generators, slots.
        """

    def variables(self) -> list[tuple[str, NDArray[np.generic]]]:
        """Return the path and the value of each of them, in the same order."""

    def assign(self, values: Sequence[NDArray[np.generic]]) -> None:
        """Give each of them a value, in the same order."""


class Backend(Protocol):
    """A library that trains networks, started for one config."""

    def build(
        self,
        config: Config,
        image_shape: Shape,
        num_classes: int,
        normalization: Normalization,
    ) -> Network:
        """Build the network of a config with fresh weights, which follow its seed.

        Args:
            config: A resolved config.
            image_shape: (height, width, channels).
            num_classes: How many classes the labels tell apart.
            normalization: What is done to pixel values before the model sees them.

        Raises:
            MemoryError: There is too little of it.
        """

    def save(self, described: ModelFile, network: Network) -> None:
        """Write a trained network to a model file, with which plain Keras can go on.

        Args:
            described: Where to write it, and what it carries beside the weights.
            network: One that this backend has built.

        Raises:
            OutputError: The file can't be written.
        """

    def training_steps(
        self, network: Network, images: Images, training: Training
    ) -> TrainingSteps:
        """Return the training steps of a network.

        Args:
            network: One that this backend has built.
            images: The training images.
            training: The training section of the config.

        Raises:
            MemoryError: There is too little of it.
        """

    def describe(self, config: Config) -> dict[str, Any]:
        """Return what decides a run's bits: versions, threads, machine, devices.

        Args:
            config: A resolved config.
        """

    def start_profile(self, folder: Path) -> None:
        """Begin a profile of what is computed, for TensorBoard.

        Args:
            folder: Where to.
        """

    def stop_profile(self) -> None:
        """End the profile, and write it."""


class ExplainingBackend(Backend, Protocol):
    """A backend whose networks can also be looked into."""

    def build(
        self,
        config: Config,
        image_shape: Shape,
        num_classes: int,
        normalization: Normalization,
    ) -> ExplainableNetwork:
        """Build the network of a config with fresh weights, which follow its seed.

        Args:
            config: A resolved config.
            image_shape: (height, width, channels).
            num_classes: How many classes the labels tell apart.
            normalization: What is done to pixel values before the model sees them.

        Raises:
            MemoryError: There is too little of it.
        """

    def load(self, saved: ModelFile) -> ExplainableNetwork:
        """Build the network of a model file with the weights in it.

        Raises:
            MemoryError: There is too little of it.
            ModelFileError: The weights don't fit the config, or aren't finite.
        """

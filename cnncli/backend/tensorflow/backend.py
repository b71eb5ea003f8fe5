"""TensorFlow as a backend."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import tensorflow as tf

from cnncli.architecture.batches import batch_parts, sees_whole_batch
from cnncli.backend.build import build_model, compile_model, measure_functions
from cnncli.backend.tensorflow.memory import memory_errors
from cnncli.backend.tensorflow.network import TensorFlowNetwork
from cnncli.backend.tensorflow.optimizer import build_fast_optimizer
from cnncli.backend.tensorflow.steps import TensorFlowSteps
from cnncli.modelfile.file import load_weights, save_model
from cnncli.system.processor import processor_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cnncli.architecture import Shape
    from cnncli.backend.interface import Network
    from cnncli.config import Config
    from cnncli.config.schema import Training
    from cnncli.data.images import Images
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.file import ModelFile

_PACKAGES = ("tensorflow", "keras", "numpy", "h5py", "pandas", "matplotlib")


class TensorFlow:
    """The backend; see ``cnncli.backend.interface.ExplainingBackend``.

    Args:
        gpus: The names of those that share each batch; without any, the processor's
            threads do.
    """

    def __init__(self, gpus: Sequence[str] = ()) -> None:
        self._gpus = gpus

    @memory_errors()
    def build(
        self,
        config: Config,
        image_shape: Shape,
        num_classes: int,
        normalization: Normalization,
    ) -> TensorFlowNetwork:
        """Build the network of a config with fresh weights, which follow its seed.

        Args:
            config: A resolved config.
            image_shape: (height, width, channels).
            num_classes: How many classes the labels tell apart.
            normalization: What is done to pixel values before the model sees them.
        """
        model = build_model(config, image_shape)
        measures = measure_functions(config, num_classes)
        devices = self._devices(config)
        return TensorFlowNetwork(model, normalization, measures, devices=devices)

    @memory_errors()
    def load(self, saved: ModelFile) -> TensorFlowNetwork:
        """Build the network of a model file with the weights in it.

        Raises:
            ModelFileError: The weights don't fit the config, or aren't finite.
        """
        num_classes = len(saved.class_names)
        network = self.build(
            saved.config, saved.image_shape, num_classes, saved.normalization
        )
        load_weights(saved, network.model)
        return network

    def save(self, described: ModelFile, network: Network) -> None:
        """Write a trained network to a model file, with which plain Keras can go on.

        Raises:
            OutputError: The file can't be written.
        """
        compile_model(network.model, described.config)
        save_model(described, network.model)

    @memory_errors()
    def training_steps(
        self, network: Network, images: Images, training: Training
    ) -> TensorFlowSteps:
        """Return the training steps of a network that this backend has built."""
        built = cast("TensorFlowNetwork", network)
        optimizer = build_fast_optimizer(training)
        return TensorFlowSteps(built, optimizer, images, training.batch_size)

    def describe(self, config: Config) -> dict[str, Any]:
        """Return what decides a run's bits: versions, threads, machine, devices.

        Args:
            config: A resolved config.
        """
        return {
            "backend": "tensorflow",
            "batch_parts": len(self._devices(config)),
            "python": platform.python_version(),
            "versions": {package: version(package) for package in _PACKAGES},
            "threads": {
                "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
                "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
            },
            "machine": f"{platform.system()} {platform.machine()}",
            "processor": processor_name(),
            "devices": [
                device.device_type for device in tf.config.get_visible_devices()
            ],
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        }

    def start_profile(self, folder: Path) -> None:
        """Begin a profile of what is computed, for TensorBoard.

        Args:
            folder: Where to.
        """
        tf.profiler.experimental.start(str(folder))

    def stop_profile(self) -> None:
        """End the profile, and write it."""
        tf.profiler.experimental.stop()

    def _devices(self, config: Config) -> Sequence[str | None]:
        """Return where each part of a batch is computed."""
        if not self._gpus:
            return (None,) * batch_parts(config)
        return self._gpus[:1] if sees_whole_batch(config) else self._gpus

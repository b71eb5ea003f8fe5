"""JAX as a backend."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import jax

from cnncli.backend.build import (
    build_model,
    build_optimizer,
    compile_model,
    measure_functions,
)
from cnncli.backend.initial import set_initial_weights
from cnncli.backend.jax.memory import memory_errors
from cnncli.backend.jax.network import JaxNetwork
from cnncli.backend.jax.steps import JaxSteps
from cnncli.modelfile.file import save_model
from cnncli.system.processor import processor_name

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.architecture import Shape
    from cnncli.backend.interface import Network
    from cnncli.backend.jax.devices import Devices
    from cnncli.config import Config
    from cnncli.config.schema import Training
    from cnncli.data.images import Images
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.file import ModelFile

_PACKAGES = ("jax", "jaxlib", "keras", "numpy", "h5py", "pandas", "matplotlib")


@dataclass(frozen=True)
class Jax:
    """The backend; see ``cnncli.backend.interface.Backend``.

    Attributes:
        devices: What trains.
        processes: How many processes do so together.
        threads: How many threads each process has on the processor.
    """

    devices: Devices
    processes: int
    threads: int

    @memory_errors()
    def build(
        self,
        config: Config,
        image_shape: Shape,
        num_classes: int,
        normalization: Normalization,
    ) -> JaxNetwork:
        """Build the network of a config with the weights that TensorFlow would draw.

        Args:
            config: A resolved config.
            image_shape: (height, width, channels).
            num_classes: How many classes the labels tell apart.
            normalization: What is done to pixel values before the model sees them.
        """
        model = build_model(config, image_shape)
        set_initial_weights(model)
        measures = measure_functions(config, num_classes)
        return JaxNetwork(model, normalization, measures, self.devices)

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
    ) -> JaxSteps:
        """Return the training steps of a network that this backend has built."""
        built = cast("JaxNetwork", network)
        optimizer = build_optimizer(training)
        return JaxSteps(built, optimizer, images, training.batch_size, self.devices)

    def describe(self, config: Config) -> dict[str, Any]:  # noqa: ARG002
        """Return what decides a run's bits: versions, threads, machine, devices."""
        return {
            "backend": "jax",
            "processes": self.processes,
            "python": platform.python_version(),
            "versions": {package: version(package) for package in _PACKAGES},
            "threads": self.threads,
            "machine": f"{platform.system()} {platform.machine()}",
            "processor": processor_name(),
            "devices": [device.device_kind for device in self.devices.every.devices],
        }

    def start_profile(self, folder: Path) -> None:
        """Begin a profile of what is computed, for TensorBoard.

        Args:
            folder: Where to.
        """
        jax.profiler.start_trace(str(folder))

    def stop_profile(self) -> None:
        """End the profile, and write it."""
        jax.profiler.stop_trace()

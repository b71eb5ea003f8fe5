"""The devices that train together, and how arrays lie on them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
from keras.distribution import DataParallel, TensorLayout

from cnncli.errors import PlatformError

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Layout:
    """How arrays lie on some devices, as ``keras.distribution.DataParallel`` has it.

    Attributes:
        devices: Each computes an equal share of a batch.
    """

    devices: tuple[jax.Device, ...]

    @property
    def mesh(self) -> Any:
        """The devices with the name of the axis that they share."""
        return self.shared.mesh

    @cached_property
    def replicated(self) -> Any:
        """The sharding of what each device has whole, such as weights."""
        return TensorLayout([], self._parallel.device_mesh).backend_layout

    @cached_property
    def shared(self) -> Any:
        """The sharding of what is cut along its first axis, such as images."""
        return self._parallel.get_data_layout((None,)).backend_layout

    @cached_property
    def columns(self) -> Any:
        """The sharding of what is cut along its second axis."""
        axes = [None, self._parallel.batch_dim_name]
        return TensorLayout(axes, self._parallel.device_mesh).backend_layout

    @cached_property
    def _parallel(self) -> keras.distribution.DataParallel:
        return DataParallel(devices=list(self.devices), auto_shard_dataset=False)


@dataclass(frozen=True)
class Devices:
    """The devices of all processes.

    Attributes:
        own: Those of this process.
        every: Those of all, in the order of the processes.
    """

    own: Layout
    every: Layout

    @property
    def are_gpus(self) -> bool:
        """Whether they have memory of their own."""
        return self.own.devices[0].platform != "cpu"

    def share(self, values: NDArray[np.generic]) -> jax.Array:
        """Share out along its first axis what every process has whole."""
        return jax.make_array_from_callback(
            values.shape, self.every.shared, values.__getitem__
        )

    def share_columns(self, values: NDArray[np.generic]) -> jax.Array:
        """Share out along its second axis what every process has whole."""
        return jax.make_array_from_callback(
            values.shape, self.every.columns, values.__getitem__
        )

    def replicate(self, values: NDArray[np.generic] | jax.Array) -> jax.Array:
        """Put on every device what every process has whole."""
        each = [jax.device_put(values, device) for device in self.own.devices]
        return jax.make_array_from_single_device_arrays(
            each[0].shape, self.every.replicated, each
        )


def found_devices() -> list[jax.Device]:
    """Return the devices of all processes.

    Raises:
        PlatformError: There are none of the kind that JAX_PLATFORMS asks for.
        RuntimeError: They can't be had for another reason.
    """
    try:
        return list(jax.devices())
    except (AssertionError, RuntimeError) as error:
        wanted = os.environ.get("JAX_PLATFORMS")
        if not wanted:
            raise
        raise PlatformError(
            f"JAX finds no device of JAX_PLATFORMS={wanted}: unset it, or install the "
            "plugin of JAX for them"
        ) from error


def own_copy(values: jax.Array) -> jax.Array:
    """Return this process's first copy of what lies on every device."""
    return values.addressable_data(0)

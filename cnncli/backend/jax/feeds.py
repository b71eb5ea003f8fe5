"""How images come to the devices, and steps with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from cnncli.backend.jax import together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.backend.jax.devices import Devices
    from cnncli.backend.jax.step import State, Step
    from cnncli.data.images import Images

_WHOLE = PartitionSpec()
_ROWS = PartitionSpec(together.AXIS)
_COLUMNS = PartitionSpec(None, together.AXIS)


class Feed(Protocol):
    """What takes steps on chosen images."""

    def run(
        self, state: State, order: NDArray[np.int32], first: int, last: int
    ) -> tuple[State, Iterator[NDArray[np.float32]]]:
        """Take some steps of an epoch.

        Args:
            state: That before them, the same on each device.
            order: (num_images,) the epoch's order of images.
            first: The first step, from 0.
            last: The step after the last.

        Returns:
            The state after them; for each step, and in it for each device that computed
            by itself, (number of measures,) the sum of each measure.
        """


class TakenFeed:
    """Images that stay with the program; a batch at a time goes to the devices.

    On processors a loop in JAX would take ten times as long.

    Args:
        step: What is done with a batch.
        images: The training images.
        batch_size: Images in a step.
        devices: Share each batch; the last one of an epoch, if it is smaller, each of
            them has whole.
    """

    def __init__(
        self, step: Step, images: Images, batch_size: int, devices: Devices
    ) -> None:
        self._images = images
        self._batch_size = batch_size
        self._devices = devices

        def on_share(*arguments: Any) -> tuple[State, jax.Array]:
            state, sums = step.on_share(*arguments)
            return state, together.from_all(sums)

        def on_whole(*arguments: Any) -> tuple[State, jax.Array]:
            state, sums = step.on_whole(*arguments)
            return state, sums[None]

        self._on_share = _compiled(on_share, devices, (_WHOLE, _ROWS, _ROWS))
        self._on_whole = _compiled(on_whole, devices, (_WHOLE, _WHOLE, _WHOLE))

    def run(
        self, state: State, order: NDArray[np.int32], first: int, last: int
    ) -> tuple[State, Iterator[NDArray[np.float32]]]:
        """Take some steps of an epoch."""
        measured = []
        for number in range(first, last):
            chosen = _batch(order, self._batch_size, number)
            batch = self._images.pixels[chosen], self._images.labels[chosen]
            if len(chosen) == self._batch_size:
                take, put = self._on_share, self._devices.share
            else:
                take, put = self._on_whole, self._devices.replicate
            state, sums = take(state, *map(put, batch))
            measured.append(sums)
        return state, (row for sums in measured for row in np.asarray(sums))


class ResidentFeed:
    """Images that lie on each device; many steps there are one call.

    Args:
        step: What is done with a batch.
        images: The training images, in memory.
        batch_size: Images in a step.
        devices: Share each batch, as for ``TakenFeed``.
    """

    def __init__(
        self, step: Step, images: Images, batch_size: int, devices: Devices
    ) -> None:
        self._step = step
        self._batch_size = batch_size
        self._devices = devices
        self._images = (
            devices.replicate(np.asarray(images.pixels)),
            devices.replicate(images.labels),
        )
        specs = (_WHOLE, _WHOLE, _WHOLE, _COLUMNS, _WHOLE, _WHOLE)
        self._loop = _compiled(self._traced_loop, devices, specs)
        self._last = _compiled(self._traced_last, devices, (_WHOLE,) * 4)

    def run(
        self, state: State, order: NDArray[np.int32], first: int, last: int
    ) -> tuple[State, Iterator[NDArray[np.float32]]]:
        """Take some steps of an epoch."""
        size = self._batch_size
        whole = len(order) // size
        measured = []
        if first < min(last, whole):
            rows = order[: whole * size].reshape(whole, size)
            numbers = np.int32(first), np.int32(min(last, whole))
            state, sums = self._loop(
                state,
                *self._images,
                self._devices.share_columns(rows),
                *map(self._devices.replicate, numbers),
            )
            steps = np.asarray(sums)[:, first:last].swapaxes(0, 1)
            measured.append(steps.reshape(-1, sums.shape[2]))
        if last > whole:
            rest = self._devices.replicate(_batch(order, size, whole))
            state, sums = self._last(state, *self._images, rest)
            measured.append(np.asarray(sums))
        return state, (row for sums in measured for row in sums)

    def _traced_loop(
        self,
        state: State,
        pixels: jax.Array,
        labels: jax.Array,
        order: jax.Array,
        first: jax.Array,
        last: jax.Array,
    ) -> tuple[State, jax.Array]:
        """Take steps on this device's columns of the order.

        Returns:
            The state after them, and (number of devices, steps an epoch, number of
            measures) what each measured in these.
        """

        def body(
            number: jax.Array, carried: tuple[State, jax.Array]
        ) -> tuple[State, jax.Array]:
            state, measured = carried
            chosen = order[number]
            state, sums = self._step.on_share(state, pixels[chosen], labels[chosen])
            return state, measured.at[number].set(sums)

        measured = jnp.zeros((len(order), self._step.num_measures))
        state, measured = jax.lax.fori_loop(first, last, body, (state, measured))
        return state, together.from_all(measured)

    def _traced_last(
        self, state: State, pixels: jax.Array, labels: jax.Array, chosen: jax.Array
    ) -> tuple[State, jax.Array]:
        """Take the last step of an epoch."""
        state, sums = self._step.on_whole(state, pixels[chosen], labels[chosen])
        return state, sums[None]


def _batch(order: NDArray[np.int32], size: int, number: int) -> NDArray[np.int32]:
    return order[number * size : (number + 1) * size]


def _compiled(function: Any, devices: Devices, specs: tuple[PartitionSpec, ...]) -> Any:
    """Return what every device is to do with its part of some arrays.

    Args:
        function: What a device does with its part of each: first of the state, which is
            used up.
        devices: All of them.
        specs: How each array is cut.
    """
    return jax.jit(
        jax.shard_map(
            function,
            mesh=devices.every.mesh,
            in_specs=specs,
            out_specs=_WHOLE,
            check_vma=False,  # it can't see that sums in our own order are the same
        ),
        donate_argnums=0,
    )

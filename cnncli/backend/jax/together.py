"""What devices compute together: sums that don't depend on who sends first.

Collectives move numbers here and never add them, so that sums have one order, whether
the devices are in one process or in several.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import keras
from jax.flatten_util import ravel_pytree

AXIS = "batch"
"""What ``keras.distribution.DataParallel`` calls the axis of the devices."""


def added(trees: Any) -> Any:
    """Add what each device has: its share of the gradients.

    Each device adds up a piece of all, and gets the other pieces: as many bytes as in a
    ring, but added in the order of the devices.

    Args:
        trees: A tree of arrays, of the same shapes on each device.
    """
    if count() == 1:
        return trees
    vector, unravel = ravel_pytree(trees)
    rows = jnp.pad(vector, (0, -len(vector) % count())).reshape(count(), -1)
    piece = _sum_rows(jax.lax.all_to_all(rows, AXIS, 0, 0))
    return unravel(jax.lax.all_gather(piece, AXIS, tiled=True)[: len(vector)])


def from_all(values: jax.Array) -> jax.Array:
    """Return what each device has, along a new first axis."""
    return jax.lax.all_gather(values, AXIS)


def count() -> int:
    """Return how many devices there are."""
    return int(jax.lax.axis_size(AXIS))


def device_number() -> jax.Array:
    """Return which of the devices this one is, from 0."""
    return jax.lax.axis_index(AXIS)


def see_whole_batch(model: keras.Model) -> None:
    """Have batch normalisation look at the images of all devices."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer._moments = partial(_moments, axes=layer._reduction_axes)  # noqa: SLF001


def _moments(
    inputs: jax.Array, mask: None, *, axes: list[int]
) -> tuple[jax.Array, jax.Array]:
    """Return the mean and the variance of each channel, the last axis."""
    del mask  # no layer of a config makes one
    values = inputs.astype(jnp.float32)
    mean = _mean(values.mean(axes))
    variance = _mean(jnp.square(values - mean).mean(axes))
    return mean.astype(inputs.dtype), variance.astype(inputs.dtype)


@jax.custom_vjp
def _mean(values: jax.Array) -> jax.Array:
    """Return the mean over all devices, in their order also on the way back."""
    return _sum_rows(jax.lax.all_gather(values, AXIS)) / count()


def _mean_forward(values: jax.Array) -> tuple[jax.Array, None]:
    return _mean(values), None


def _mean_backward(_: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (_mean(gradient),)


_mean.defvjp(_mean_forward, _mean_backward)


def _sum_rows(rows: jax.Array) -> jax.Array:
    return reduce(jnp.add, [rows[number] for number in range(len(rows))])

"""TensorFlow's error for too little memory, as Python's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise ``MemoryError`` where TensorFlow finds too little; also a decorator."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(error.message.partition("\n")[0]) from error

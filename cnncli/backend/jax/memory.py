"""JAX's error for too little memory, as Python's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

_EXHAUSTED = "RESOURCE_EXHAUSTED"


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise ``MemoryError`` where JAX finds too little; also a decorator."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if not str(error).startswith(_EXHAUSTED):
            raise
        raise MemoryError(str(error).partition("\n")[0]) from error

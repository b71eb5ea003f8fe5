"""The contents of a model file, and their way from one process to another."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

CONFIG = "cnncli_config"
"""The attribute with the config, which no other program writes."""

METADATA = "metadata"
"""The attribute with what a ``.keras`` archive says of itself."""

DIGEST = "cnncli_digest"
"""The attribute with the digest of all the other contents."""


class RefusedError(ValueError):
    """A file holds something that a model never does."""


class Weight(NamedTuple):
    """One array of weights.

    Attributes:
        name: Keras's name of the array.
        shape: Its shape, any number of dimensions.
        values: Its values in row-major order, 32-bit floats, little-endian.
    """

    name: str
    shape: tuple[int, ...]
    values: bytes | memoryview


@dataclass(frozen=True)
class Contents:
    """All that a model file holds.

    Attributes:
        attributes: Texts by their names.
        layers: The weights of each layer, by its name or its place, in order.
    """

    attributes: dict[str, str]
    layers: dict[str, tuple[Weight, ...]]

    @property
    def is_ours(self) -> bool:
        """Whether this program wrote the file, by what it says itself."""
        return CONFIG in self.attributes

    @property
    def is_archive(self) -> bool:
        """Whether it comes from a ``.keras`` archive, in which layers have places."""
        return METADATA in self.attributes

    def json(self, name: str) -> Any:
        """Return what an attribute of JSON says.

        Raises:
            RefusedError: The attribute is missing, or isn't JSON.
        """
        if name not in self.attributes:
            raise RefusedError(f"{name!r} is missing")
        try:
            return json.loads(self.attributes[name])
        except (ValueError, RecursionError) as error:
            raise RefusedError(f"{name!r} isn't JSON that can be read") from error

    def digest(self) -> str:
        """Return the SHA-256 of everything but the digest that is stored."""
        rest = {key: text for key, text in self.attributes.items() if key != DIGEST}
        digest = hashlib.sha256()
        for part in Contents(rest, self.layers).parts():
            digest.update(part)
        return digest.hexdigest()

    def parts(self) -> Iterator[bytes | memoryview]:
        """Yield the contents as bytes: a line of JSON, then all weights' values."""
        layers = [
            [layer, [[weight.name, weight.shape] for weight in weights]]
            for layer, weights in self.layers.items()
        ]
        header = json.dumps([dict(sorted(self.attributes.items())), layers])
        yield f"{header}\n".encode()
        for weights in self.layers.values():
            for weight in weights:
                yield weight.values

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return the contents whose ``parts``, joined, these bytes are."""
        values = memoryview(content)
        start = content.index(b"\n") + 1
        attributes, described = json.loads(content[:start])
        layers: dict[str, tuple[Weight, ...]] = {}
        for layer, weights in described:
            layers[layer] = ()
            for name, shape in weights:
                stop = start + num_bytes(shape)
                layers[layer] += (Weight(name, tuple(shape), values[start:stop]),)
                start = stop
        return cls(attributes, layers)


def num_bytes(shape: tuple[int, ...]) -> int:
    """Return how many bytes an array of 32-bit floats has."""
    return 4 * math.prod(shape)

"""The contents of a model file, read by a process of its own.

HDF5 1.14.6 can crash on a damaged file. So this module is a program as well: it limits
its memory and its time, reads the file and writes what it found to stdout, as JSON and
plain numbers. It imports nothing of the package, so that it starts fast and anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

DIGEST = "cnncli_digest"
"""The attribute with the digest of all the other contents."""

REFUSED = 3
"""The exit code that goes with a reason on stdout."""

_WEIGHTS = "model_weights"
_MOST_OBJECTS = 4_000
_MOST_ATTRIBUTES = 32
_LONGEST_TEXT = 2**23
_DEEPEST = 8


class RefusedError(ValueError):
    """A file holds something that a model file of this program never does."""


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
        layers: The weights of each layer, by its name, in order.
    """

    attributes: dict[str, str]
    layers: dict[str, tuple[Weight, ...]]

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
                stop = start + _num_bytes(shape)
                layers[layer] += (Weight(name, tuple(shape), values[start:stop]),)
                start = stop
        return cls(attributes, layers)


def read_contents(path: Path) -> Contents:
    """Read all that a model file holds, after a look at what it declares.

    Raises:
        RefusedError: The file is no model of this program, or holds more than one does.
        Exception: HDF5 or h5py can't make sense of the file; of many types.
    """
    import h5py

    with h5py.File(path, locking=False) as file:
        if len(file.attrs) > _MOST_ATTRIBUTES:
            raise RefusedError(
                f"has {len(file.attrs):,} attributes, far more than a model"
            )
        if "cnncli_config" not in file.attrs:
            raise RefusedError(
                "not written by cnncli: it carries no config; train a model with "
                "'cnncli train'"
            )
        attributes = {name: _texts(file, name, ())[0] for name in file.attrs}
        return Contents(attributes, _read_layers(file, path.stat().st_size))


def _read_layers(file: Any, limit: int) -> dict[str, tuple[Weight, ...]]:
    """Read the weights of all layers.

    Args:
        file: The open file.
        limit: How many bytes all of them can have at most.

    Raises:
        RefusedError: Weights are missing, of another kind, larger than the file, or
            of no layer.
    """
    datasets = {}
    for place, dataset in _find_datasets(file):
        _check_dataset(place, dataset)
        limit -= _num_bytes(dataset.shape)
        if limit < 0:
            raise RefusedError("declares more weights than the file has bytes")
        datasets[place] = dataset
    if _WEIGHTS not in file:
        raise RefusedError("holds no weights")
    layers: dict[str, tuple[Weight, ...]] = {}
    for layer in _texts(file[_WEIGHTS], "layer_names", None):
        if layer in layers:
            raise RefusedError(f"has two layers {layer!r}")
        group = f"{_WEIGHTS}/{layer}"
        layers[layer] = ()
        for name in _texts(file[group], "weight_names", None):
            place = f"{group}/{name}"
            if place not in datasets:
                raise RefusedError(f"the weights {place!r} are missing")
            found = datasets.pop(place)
            layers[layer] += (Weight(name, found.shape, found[()].tobytes()),)
    for place in datasets:
        raise RefusedError(f"holds {place!r}, which belongs to no layer")
    return layers


def _find_datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """Go through all objects of a file and give its datasets, by their paths.

    Raises:
        RefusedError: A link, an object of another kind, or too many objects are there.
    """
    import h5py

    groups = [("", file)]
    objects = 0
    while groups:
        place, group = groups.pop()
        for name in group:
            objects += 1
            inner = f"{place}/{name}" if place else name
            if objects > _MOST_OBJECTS or inner.count("/") > _DEEPEST:
                raise RefusedError("holds far more objects than a model has")
            if not place and name != _WEIGHTS:
                raise RefusedError(f"holds {name!r}, which is no part of a model")
            if type(group.get(name, getlink=True)) is not h5py.HardLink:
                raise RefusedError(
                    f"{inner!r} is a link to another place; links are refused"
                )
            found = group[name]
            if isinstance(found, h5py.Group):
                groups.append((inner, found))
            elif isinstance(found, h5py.Dataset):
                yield inner, found
            else:
                raise RefusedError(f"{inner!r} is neither a group nor numbers")


def _check_dataset(place: str, dataset: Any) -> None:
    """Refuse what isn't plain numbers that all lie in this file.

    Raises:
        RefusedError: The dataset lies elsewhere, holds no 32-bit floats, or is
            compressed.
    """
    if dataset.is_virtual or dataset.external:
        raise RefusedError(f"the numbers of {place!r} are stored in another file")
    if dataset.dtype != "<f4" or dataset.shape is None:
        raise RefusedError(f"{place!r} isn't an array of 32-bit floats")
    if dataset.chunks is not None:
        raise RefusedError(f"{place!r} is stored in chunks, as if it were compressed")
    # So nothing can be declared, and then allocated, that is larger than the file.
    declared, stored = _num_bytes(dataset.shape), dataset.id.get_storage_size()
    if declared != stored:
        raise RefusedError(
            f"{place!r} of shape {dataset.shape} has {declared:,} bytes, of which the "
            f"file holds {stored:,}"
        )


def _texts(owner: Any, name: str, shape: tuple[int, ...] | None) -> list[str]:
    """Read an attribute of texts.

    Args:
        owner: The group that has the attribute.
        name: The attribute's name.
        shape: The shape that it must have; None for a list.

    Raises:
        RefusedError: The attribute has another shape, holds no text, or is too large.
    """
    found = owner.attrs.get_id(name)
    fits = len(found.shape) == 1 if shape is None else found.shape == shape
    if not fits or math.prod(found.shape) > _MOST_OBJECTS:
        raise RefusedError(f"the attribute {name!r} has the shape {found.shape}")
    value = owner.attrs[name]
    texts = [value] if shape == () else value.tolist()
    for text in texts:
        if not isinstance(text, str):
            raise RefusedError(f"the attribute {name!r} isn't text")
        if len(text) > _LONGEST_TEXT:
            raise RefusedError(
                f"the attribute {name!r} has {len(text):,} characters, more than the "
                f"{_LONGEST_TEXT:,} allowed"
            )
    return texts


def _num_bytes(shape: tuple[int, ...]) -> int:
    return 4 * math.prod(shape)


def _limit_process(size: int) -> None:
    """Keep this process small, short and without a trace.

    Args:
        size: Bytes of the file that it will read.
    """
    for what, limit in (
        (resource.RLIMIT_AS, 2**29 + 6 * size),
        (resource.RLIMIT_CPU, 5 + size // 10**8),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(what)
        soft = limit if most == resource.RLIM_INFINITY else min(limit, most)
        # Only macOS refuses: a process maps more there than it may be limited to. Then
        # memory is bounded by the checks of what the file declares.
        with suppress(ValueError):
            resource.setrlimit(what, (soft, most))


def main(path: Path) -> None:
    """Read a file and write its contents, or why it is refused, to stdout."""
    import h5py  # noqa: F401 -- what it takes to start isn't the file's fault

    _limit_process(path.stat().st_size)
    code = REFUSED
    try:
        output, code = [*read_contents(path).parts()], 0
    except RefusedError as error:
        output = [_one_line(str(error))]
    except Exception as error:  # noqa: BLE001 -- h5py raises whatever it likes
        reason = error.args[0] if error.args else type(error).__name__
        output = [_one_line(f"damaged HDF5 file: {reason}")]
    sys.stdout.buffer.writelines(output)
    sys.stdout.buffer.flush()
    os._exit(code)  # closing a damaged file can crash too


def _one_line(reason: str) -> bytes:
    return reason.partition("\n")[0][:500].encode(errors="backslashreplace")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

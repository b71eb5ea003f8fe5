"""HDF5 files read with suspicion: this program's model files, and Keras's own.

Nothing in them is followed to another file, unpacked, or taken for larger than it is.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from cnncli.modelfile.contents import (
    CONFIG,
    METADATA,
    Contents,
    RefusedError,
    Weight,
    num_bytes,
)

_WEIGHTS = "model_weights"
_KERAS_TEXTS = {"model_config", "training_config", "keras_version", "backend"}
_ARCHIVED = ("config.json", "metadata.json", "model.weights.h5")
_MOST_OBJECTS = 4_000
_MOST_ATTRIBUTES = 32
_LONGEST_TEXT = 2**23
_DEEPEST = 8


def read_contents(path: Path) -> Contents:
    """Read all that a model file holds, after a look at what it declares.

    Of a file that Keras wrote, what it would go on training with is left out.

    Args:
        path: An HDF5 file, or a ``.keras`` archive with one in it.

    Raises:
        RefusedError: The file is no model, or holds more than one does.
        Exception: HDF5, h5py or zipfile can't make sense of the file; of many types.
    """
    with path.open("rb") as start:
        is_archive = start.read(2) == b"PK"
    if is_archive:
        return _read_archive(path)
    with h5py.File(path, locking=False) as file:
        if len(file.attrs) > _MOST_ATTRIBUTES:
            raise RefusedError(
                f"has {len(file.attrs):,} attributes, far more than a model"
            )
        is_ours = CONFIG in file.attrs
        if not is_ours and "model_config" not in file.attrs:
            raise RefusedError(_why_no_model(file))
        names = set(file.attrs) if is_ours else _KERAS_TEXTS & set(file.attrs)
        attributes = {name: _texts(file, name, ())[0] for name in names}
        if _WEIGHTS not in file:
            raise RefusedError("holds no weights")
        datasets = dict(_find_datasets(file, _WEIGHTS, alone=is_ours))
        others = set() if is_ours else {*_not_in_32_bits(datasets)}
        weights = {place: datasets[place] for place in datasets if place not in others}
        found = dict(_checked(weights.items(), path.stat().st_size))
        return Contents(attributes, _read_layers(file, found, others))


def _why_no_model(file: Any) -> str:
    if "layer_names" in file.attrs or "layers" in file:
        return (
            "holds weights without their network; save both, with Keras's model.save "
            "instead of model.save_weights"
        )
    return "an HDF5 file that holds no model"


def _read_archive(path: Path) -> Contents:
    """Read a ``.keras`` archive; nothing of it is written anywhere.

    Raises:
        RefusedError: It holds no Keras model, or more than one does.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if any(names.count(name) != 1 for name in _ARCHIVED):
            raise RefusedError("a zip archive that holds no Keras model")
        config, metadata, weights = (_member(archive, name) for name in _ARCHIVED)
    if len(config) + len(metadata) > _LONGEST_TEXT:
        raise RefusedError(f"describes itself in more than {_LONGEST_TEXT:,} bytes")
    attributes = {"model_config": config.decode(), METADATA: metadata.decode()}
    layers: dict[str, tuple[Weight, ...]] = {}
    with h5py.File(io.BytesIO(weights), "r") as file:
        datasets = dict(_find_datasets(file, "layers", alone=False))
        for place in [*_not_in_32_bits(datasets)]:
            del datasets[place]
        found = dict(_checked(datasets.items(), len(weights)))
        for place in sorted(found, key=_variable):
            layer, name = _variable(place)
            values = found[place]
            weight = Weight(str(name), values.shape, values[()].tobytes())
            layers[layer] = (*layers.get(layer, ()), weight)
    return Contents(attributes, layers)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a file in an archive.

    Raises:
        RefusedError: It is compressed, and so may be of any size.
    """
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise RefusedError(f"{name!r} in it is compressed, as Keras never does")
    return archive.read(member)


def _variable(place: str) -> tuple[str, int]:
    """Split the place of a weight in an archive into its layer's and its number.

    Raises:
        RefusedError: No weight has such a place.
    """
    layer, _, number = place.partition("/vars/")
    if not number.isdecimal():
        raise RefusedError(f"holds {place!r}, which belongs to no layer")
    return layer, int(number)


def _not_in_32_bits(datasets: Mapping[str, Any]) -> Iterator[str]:
    """Yield the places of what no layer that can be taken over has."""
    for place, dataset in datasets.items():
        if dataset.dtype != "<f4":
            yield place


def _read_layers(
    file: Any, datasets: dict[str, Any], others: Collection[str]
) -> dict[str, tuple[Weight, ...]]:
    """Read the weights of all layers.

    Args:
        file: The open file.
        datasets: All weights that it holds, by their paths.
        others: Paths of what is left out.

    Raises:
        RefusedError: Weights are missing, or of no layer.
    """
    layers: dict[str, tuple[Weight, ...]] = {}
    for layer in _texts(file[_WEIGHTS], "layer_names", None):
        if layer in layers:
            raise RefusedError(f"has two layers {layer!r}")
        group = f"{_WEIGHTS}/{layer}"
        layers[layer] = ()
        for name in _texts(file[group], "weight_names", None):
            place = f"{group}/{name}"
            if place in others:
                continue
            if place not in datasets:
                raise RefusedError(f"the weights {place!r} are missing")
            found = datasets.pop(place)
            layers[layer] += (Weight(name, found.shape, found[()].tobytes()),)
    for place in datasets:
        raise RefusedError(f"holds {place!r}, which belongs to no layer")
    return layers


def _checked(
    datasets: Iterable[tuple[str, Any]], limit: int
) -> Iterator[tuple[str, Any]]:
    """Pass on datasets, by their paths, as long as they can be what they declare.

    Args:
        datasets: Of weights.
        limit: How many bytes all of them can have at most.

    Raises:
        RefusedError: One lies elsewhere, is of another kind, or they are larger than
            the file.
    """
    for place, dataset in datasets:
        _check_dataset(place, dataset)
        limit -= num_bytes(dataset.shape)
        if limit < 0:
            raise RefusedError("declares more weights than the file has bytes")
        yield place, dataset


def _find_datasets(file: Any, top: str, *, alone: bool) -> Iterator[tuple[str, Any]]:
    """Go through all objects in a group and give its datasets, by their paths.

    Args:
        file: The open file.
        top: The group's name.
        alone: Whether there may be nothing beside it.

    Raises:
        RefusedError: A link, an object of another kind, or too many objects are there.
    """
    groups = [("", file)]
    objects = 0
    while groups:
        place, group = groups.pop()
        for name in group:
            if not place and name != top:
                if alone:
                    raise RefusedError(f"holds {name!r}, which is no part of a model")
                continue
            objects += 1
            inner = f"{place}/{name}" if place else name
            if objects > _MOST_OBJECTS or inner.count("/") > _DEEPEST:
                raise RefusedError("holds far more objects than a model has")
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
    declared, stored = num_bytes(dataset.shape), dataset.id.get_storage_size()
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
    values = [value] if shape == () else value.tolist()
    # Before version 3, h5py read and wrote texts as bytes.
    texts = [text.decode() if isinstance(text, bytes) else text for text in values]
    for text in texts:
        if not isinstance(text, str):
            raise RefusedError(f"the attribute {name!r} isn't text")
        if len(text) > _LONGEST_TEXT:
            raise RefusedError(
                f"the attribute {name!r} has {len(text):,} characters, more than the "
                f"{_LONGEST_TEXT:,} allowed"
            )
    return texts

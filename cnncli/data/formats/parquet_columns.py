"""What the columns of a Parquet file hold, as the Hugging Face hub lays them out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.config.problems import quoted, suggestion
from cnncli.data.labels import USUAL_NAMES, check_names
from cnncli.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.config.schema import Parquet

_METADATA = b"huggingface"
_KEY = "data.source.parquet"
_SHOWN = 8


@dataclass(frozen=True)
class Columns:
    """Which columns are read, and what the labels mean.

    Attributes:
        image: The name of the one with the pictures.
        label: The name of the one with the labels.
        class_names: The name of each class, if the file has them.
    """

    image: str
    label: str
    class_names: tuple[str, ...] | None


def find_columns(path: Path, schema: Any, asked: Parquet) -> Columns:
    """Find pictures, labels and names of classes.

    Args:
        path: The file, for messages.
        schema: Its Arrow schema.
        asked: What the config says of it.

    Raises:
        DataError: There are none, or several.
    """
    features = _features(path, schema)
    pictures = [
        field.name
        for field in schema
        if features.get(field.name, {}).get("_type") == "Image" or _holds_bytes(field)
    ]
    image = _chosen(path, schema, "image", asked.image, pictures)
    if not _holds_bytes(schema.field(image)):
        raise DataError(
            f"{path}: expected pictures in column {quoted(image)}, as bytes, alone or "
            f"with a path; found {schema.field(image).type}"
        )
    labels = [
        field.name
        for field in schema
        if features.get(field.name, {}).get("_type") == "ClassLabel"
    ] or [field.name for field in schema if field.name.lower() in USUAL_NAMES]
    label = _chosen(path, schema, "label", asked.label, labels)
    names = features.get(label, {}).get("names")
    if names is None:
        return Columns(image, label, None)
    return Columns(image, label, _class_names(path, label, names))


def _features(path: Path, schema: Any) -> dict[str, Any]:
    """Return what the hub's own metadata says of each column."""
    text = (schema.metadata or {}).get(_METADATA)
    if text is None:
        return {}
    try:
        match json.loads(text):
            case {"info": {"features": dict(features)}} if all(
                isinstance(feature, dict | list) for feature in features.values()
            ):
                return {
                    name: feature
                    for name, feature in features.items()
                    if isinstance(feature, dict)
                }
    except (ValueError, RecursionError):
        pass
    raise DataError(f"{path}: the metadata of the Hugging Face hub is damaged")


def _class_names(path: Path, label: str, names: Any) -> tuple[str, ...]:
    """Return the names of classes: a list, or a mapping from numbers as text.

    Raises:
        DataError: A number is missing, or they can't be names.
    """
    place = f"{path}: {label}"
    if isinstance(names, dict):
        try:
            by_number = {int(number): name for number, name in names.items()}
        except ValueError as error:
            raise DataError(
                f"{place}: expected the names of classes by numbers, found "
                f"{', '.join(map(quoted, [*names][:_SHOWN]))}"
            ) from error
        for number in range(len(names)):
            if number not in by_number:
                raise DataError(f"{place}: no class has the number {number}")
        names = [by_number[number] for number in range(len(names))]
    if not isinstance(names, list):
        raise DataError(f"{place}: expected the names of classes as a list")
    found = tuple(map(str, names))
    check_names(place, found)
    return found


def _chosen(
    path: Path, schema: Any, key: str, asked: str | None, found: list[str]
) -> str:
    """Return the column that is asked for, or the only one that may be meant."""
    if asked is not None and asked in schema.names:
        return asked
    shown = [f"{quoted(field.name)} ({field.type})" for field in schema][:_SHOWN]
    columns = f"the columns are {', '.join(shown)}"
    if asked is not None:
        raise DataError(
            f"{path}: no column is called {quoted(asked)}, as {_KEY}.{key} says: "
            f"{columns}{suggestion(asked, schema.names)}"
        )
    if len(found) != 1:
        raise DataError(
            f"{path}: can't tell which column has the {key}s; name it: {_KEY}.{key}: "
            f"NAME; {columns}"
        )
    return found[0]


def _holds_bytes(field: Any) -> bool:
    """Return whether a column has bytes, or records of bytes and a path."""
    import pyarrow as pa

    kind = field.type
    if pa.types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        return "bytes" in names and _holds_bytes(kind.field("bytes"))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

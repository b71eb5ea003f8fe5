"""LiteRT's metadata: what tools read of a model's input, output and labels.

Reference: https://ai.google.dev/edge/litert/models/metadata, whose schema is
metadata_schema.fbs of TensorFlow Lite Support; tables are written with its numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from cnncli.export.labels import LABELS_NAME

if TYPE_CHECKING:
    from cnncli.export.description import Description

_MODEL_IDENTIFIER = b"TFL3"
_IDENTIFIER = b"M001"
_NAME = "TFLITE_METADATA"
_ALIGNMENT = 16
_PARSER_VERSION = "1.0.0"
_IMAGE_PROPERTIES = np.uint8(2)  # in the union ContentProperties
_NORMALIZATION_OPTIONS = np.uint8(1)  # in the union ProcessUnitOptions
_AXIS_LABELS = np.uint8(2)  # of the enumeration AssociatedFileType
_COLOR_SPACES = {"RGB": np.uint8(1), "grey": np.uint8(2)}  # of ColorSpaceType


class _AligningBuilder(flatbuffers.Builder):
    """Begins vectors where weights must begin by LiteRT's schema.

    Python's code for it doesn't care, and some processors can't read them elsewhere.
    """

    def StartVector(self, size: int, count: int, alignment: int) -> int:  # noqa: N802
        """Begin a vector."""
        return super().StartVector(size, count, max(alignment, _ALIGNMENT))


def with_metadata(model: bytes, description: Description) -> bytes:
    """Return a model that says what its input, its output and its classes are."""
    unpacked = schema.ModelT.InitFromPackedBuf(model)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_metadata(description), np.uint8)
    entry = schema.MetadataT()
    entry.name = _NAME
    entry.buffer = len(unpacked.buffers)
    unpacked.buffers.append(buffer)
    unpacked.metadata = [*(unpacked.metadata or []), entry]
    builder = _AligningBuilder(len(model))
    builder.Finish(unpacked.Pack(builder), _MODEL_IDENTIFIER)
    return bytes(builder.Output())


def _metadata(description: Description) -> bytes:
    """Return a ``ModelMetadata``."""
    _, height, width, channels = description.input_shape
    size = {0: np.uint32(width), 1: np.uint32(height)}
    color_space = _COLOR_SPACES[description.color_order]
    image = {
        0: description.input_name,
        1: f"{description.layout}, {description.color_order}, "
        f"{description.value_range}",
        3: {0: _IMAGE_PROPERTIES, 1: {0: color_space, 1: size}},
    }
    if description.preprocessing == "inside":
        ends = np.full((2, channels), [[255], [0]], np.float32)
        image[5] = {0: ends[0], 1: ends[1]}
    else:
        numbers = {
            0: np.array(description.mean, np.float32),
            1: np.array(description.deviation, np.float32),
        }
        image[4] = [{0: _NORMALIZATION_OPTIONS, 1: numbers}]
    labels = {0: LABELS_NAME, 1: "the class names", 2: _AXIS_LABELS}
    probabilities = {
        0: description.output_name,
        1: "of each class",
        6: [labels],
    }
    builder = flatbuffers.Builder()
    model = {
        0: "image classifier",
        1: f"written by cnncli {description.cnncli_version}",
        3: [{2: [image], 3: [probabilities]}],
        7: _PARSER_VERSION,
    }
    builder.Finish(_put(builder, model), _IDENTIFIER)
    return bytes(builder.Output())


def _put(builder: flatbuffers.Builder, value: Any) -> int:
    """Write a text, an array, a list or a table, inner things first.

    Args:
        builder: Where to write it.
        value: A table is a dictionary from the fields' places in the schema to their
            values, those that are numbers with the schema's type.

    Returns:
        Where it begins.
    """
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, list):
        offsets = [_put(builder, item) for item in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()
    inner = {
        place: _put(builder, item)
        for place, item in value.items()
        if not isinstance(item, np.generic)
    }
    builder.StartObject(max(value) + 1)
    for place, item in value.items():
        if place in inner:
            builder.PrependUOffsetTRelativeSlot(place, inner[place], 0)
        elif isinstance(item, np.uint32):
            builder.PrependUint32Slot(place, int(item), 0)
        else:
            builder.PrependUint8Slot(place, int(item), 0)
    return builder.EndObject()

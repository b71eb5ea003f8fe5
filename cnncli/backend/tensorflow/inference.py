"""The network that only predicts, in the formats of Keras and TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from cnncli.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cnncli.backend.interface import Network
    from cnncli.modelfile.file import ModelFile

_NORMALIZATION = "image.normalization"  # no layer of a config has a dot in its name


def inference_model(
    network: Network, saved: ModelFile, *, input_name: str, normalizes: bool
) -> keras.Model:
    """Return a network without the layers that do nothing but in training.

    Args:
        network: One that a backend has loaded from ``saved``.
        saved: Its model file.
        input_name: The name of its input.
        normalizes: Whether it takes pixels from 0 to 255, uint8, and not normalised
            ones, float32.
    """
    dtype = "uint8" if normalizes else "float32"
    value = image = keras.Input(saved.image_shape, name=input_name, dtype=dtype)
    if normalizes:
        value = keras.layers.Normalization(
            mean=saved.normalization.mean,
            variance=np.square(saved.normalization.deviation).tolist(),
            name=_NORMALIZATION,
        )(value)
    for config, layer in zip(
        saved.config.model.layers, network.model.layers, strict=True
    ):
        if not config.only_trains:
            value = layer(value)
    return keras.Model(image, value, name=saved.config.name)


def write_saved_model(model: keras.Model, path: Path, output_name: str) -> None:
    """Write a SavedModel, with a function ``serve`` and its signature.

    Raises:
        OSError: The disk is full, or the like.
    """
    _export(model, path, output_name, format="tf_saved_model")


def write_litert(
    model: keras.Model,
    path: Path,
    output_name: str,
    calibration: NDArray[np.generic] | None,
) -> None:
    """Write a LiteRT file, of LiteRT's own operators alone.

    Args:
        model: The network.
        path: The file.
        output_name: The name of its output.
        calibration: Images from which the range of each layer's values is taken, if
            they are to be 8-bit whole numbers where LiteRT can. Input and output stay
            as they are.

    Raises:
        ExportError: The converter can't.
        OSError: The disk is full, or the like.
    """
    operators = [tf.lite.OpsSet.TFLITE_BUILTINS]
    options: dict[str, Any] = {}
    if calibration is not None:
        operators.insert(0, tf.lite.OpsSet.TFLITE_BUILTINS_INT8)
        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
        options["representative_dataset"] = lambda: (
            [calibration[number : number + 1]] for number in range(len(calibration))
        )
    try:
        _export(
            model,
            path,
            output_name,
            format="litert",
            target_spec={"supported_ops": operators},
            **options,
        )
    except OSError:
        raise
    except Exception as error:  # it raises whatever it likes
        last = str(error).strip().rpartition("\n")[2]
        raise ExportError(
            f"TensorFlow's converter to LiteRT gave up: {last}"
        ) from error


def open_keras(path: Path) -> Callable[[Any], NDArray[np.float32]]:
    """Open a ``.keras`` file that this process has written, with plain Keras."""
    model = keras.models.load_model(path)
    return lambda images: np.asarray(model(images, training=False))


def open_saved_model(
    path: Path, output_name: str
) -> Callable[[Any], NDArray[np.float32]]:
    """Open a SavedModel that this process has written, with plain TensorFlow."""
    model = tf.saved_model.load(path)
    return lambda images: np.asarray(model.serve(tf.constant(images))[output_name])


def _export(model: keras.Model, path: Path, output_name: str, **options: Any) -> None:
    """Have Keras export a model whose output has a name also outside of Keras.

    Raises:
        OSError: TensorFlow, which has errors of its own for that, can't write a file.
    """
    named = keras.Model(model.inputs[0], {output_name: model.outputs[0]})
    try:
        named.export(path, verbose=False, **options)
    except tf.errors.OpError as error:
        reason = error.message.rpartition("; ")[2].partition(" [Op:")[0]
        raise OSError(reason) from error

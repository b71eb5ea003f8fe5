"""Models as other people save them, with Keras 3, or with Keras 2 by tf-keras.

A network is made by a function that takes the Keras to make it with. As a program,
``python -m tests.strangers FOLDER``, this saves all of them with Keras 2.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cnncli.config.choices import Activation

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 12, 12, 1), dtype=np.uint8)
"""What the networks predict; as they see it, divided by 255."""


def course(keras: Any) -> Any:
    """The course text's network, small, with the input's shape in the first layer."""
    k = keras.layers
    return keras.Sequential(
        [
            k.Conv2D(4, 3, padding="same", activation="relu", input_shape=(12, 12, 1)),
            k.Conv2D(4, 3, padding="same", activation="relu", name="cv2"),
            k.MaxPooling2D((2, 2)),
            k.Flatten(),
            k.Dense(8, activation="relu"),
            k.Dense(3, activation="softmax"),
        ]
    )


def every_layer(keras: Any) -> Any:
    k = keras.layers
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            k.RandomFlip("horizontal"),
            k.RandomRotation(0.1),
            k.RandomTranslation(0.1, 0.1),
            k.RandomZoom((-0.2, 0.3)),
            k.Rescaling(2.0, offset=-1),
            k.ZeroPadding2D(((1, 2), (3, 0))),
            k.Conv2D(4, (3, 2), strides=(1, 2), kernel_regularizer="l2"),
            k.BatchNormalization(epsilon=0.01),
            k.ReLU(max_value=6, negative_slope=0.1, threshold=0.2),
            k.DepthwiseConv2D(2, depth_multiplier=2, padding="same"),
            k.BatchNormalization(scale=False),
            k.LeakyReLU(0.1),
            k.SeparableConv2D(6, 3, padding="same", depth_multiplier=2),
            k.Conv2D(6, 2, groups=2, dilation_rate=2, use_bias=False),
            k.Activation("tanh"),
            k.SpatialDropout2D(0.2),
            k.AveragePooling2D(2, padding="same"),
            k.MaxPooling2D(2, strides=1),
            k.GlobalMaxPooling2D(keepdims=True),
            k.GlobalAveragePooling2D(),
            k.Dense(5, kernel_constraint="non_neg"),
            k.BatchNormalization(center=False, trainable=False),
            k.Dropout(0.3),
            k.Dense(3),
            k.Softmax(),
        ]
    )


def activations(keras: Any) -> Any:
    """Every activation that means the same in Keras 2 and 3."""
    k = keras.layers
    names = [name for name in get_args(Activation) if name != "hard_sigmoid"]
    if keras.__version__.startswith("2."):
        k2 = {"silu": "swish"}
        known = keras.activations
        names = [k2.get(name, name) for name in names if _has(known, name)]
    layers = [k.Conv2D(3, 2, activation=name, padding="same") for name in names]
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            *layers,
            k.Flatten(),
            k.Dense(3, activation="softmax"),
        ]
    )


def _has(activations: Any, name: str) -> bool:
    try:
        activations.get(name)
    except ValueError:
        return False
    return True


def functional(keras: Any) -> Any:
    k = keras.layers
    pixels = keras.Input((12, 12, 1), name="pixels")
    given = k.Conv2D(4, 3, activation="relu")(pixels)
    given = k.Dropout(0.2)(given, training=False)
    given = k.Flatten()(given)
    return keras.Model(pixels, k.Dense(3, activation="softmax")(given), name="net")


def nested(keras: Any) -> Any:
    """Models in models, and layers that do nothing but in training."""
    k = keras.layers
    augment = keras.Sequential(
        [k.RandomFlip(), k.RandomContrast(0.1), k.GaussianNoise(0.2)], name="augment"
    )
    head = keras.Sequential([k.Conv2D(2, 3), k.BatchNormalization(trainable=False)])
    inner = keras.Input((8, 8, 2))
    tail = keras.Model(
        inner,
        k.Dense(3, activation="softmax")(
            k.Flatten()(k.BatchNormalization()(k.DepthwiseConv2D(2)(inner)))
        ),
    )
    pixels = keras.Input((12, 12, 1))
    given = k.Conv2D(2, 3, name="conv")(augment(pixels))
    return keras.Model(pixels, tail(head(given)))


def without_channel(keras: Any) -> Any:
    """The beginner's network of TensorFlow's tutorial, whose loss has the softmax."""
    k = keras.layers
    return keras.Sequential(
        [
            k.Flatten(input_shape=(12, 12)),
            k.Dense(8, activation="relu"),
            k.Dropout(0.2),
            k.Dense(3),
        ]
    )


def reshaped(keras: Any) -> Any:
    k = keras.layers
    return keras.Sequential(
        [
            keras.Input((144,)),
            k.Reshape((12, 12, 1)),
            k.Conv2D(2, 3),
            k.GlobalAveragePooling2D(),
            k.Dense(3, activation="softmax"),
        ]
    )


NETWORKS: dict[str, Callable[[Any], Any]] = {
    function.__name__: function
    for function in (
        course,
        every_layer,
        activations,
        functional,
        nested,
        without_channel,
        reshaped,
    )
}


def make(keras: Any, name: str, folder: Path, suffix: str, *, compiled: bool) -> Path:
    """Save a network with random weights, and beside it what it predicts.

    Args:
        keras: Keras 3, or tf-keras.
        name: Which network.
        folder: Where to save it.
        suffix: The format, "h5" or "keras".
        compiled: Whether the file has a training configuration.
    """
    keras.utils.set_random_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a form is old, as strangers' are
        model = NETWORKS[name](keras)
        model.set_weights([_values(weight) for weight in model.get_weights()])
        images = PIXELS.reshape(-1, *model.input_shape[1:]) / np.float32(255)
        if compiled:
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=name == "without_channel"
            )
            model.compile("adam", loss, metrics=["accuracy"])
            model.train_on_batch(images, np.array([0, 1, 2, 1, 0]))
        expected = np.asarray(model(images, training=False))
        if name == "without_channel":
            expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
        assert expected.max() < 0.95  # or small differences wouldn't show
        path = folder / f"{name}.{suffix}"
        model.save(path)
    np.save(path.with_suffix(f".{suffix}.npy"), expected)
    return path


def _values(weight: np.ndarray) -> np.ndarray:
    """Return values that keep activations of about the size that they have."""
    rng = np.random.default_rng(weight.size)
    if weight.ndim == 1:
        return rng.uniform(0.5, 1.5, weight.shape)  # a variance among them
    return rng.uniform(-1.7, 1.7, weight.shape) / math.sqrt(weight[..., 0].size)


def main() -> None:
    import tf_keras

    folder = Path(sys.argv[1])
    for name in NETWORKS:
        for suffix in ("h5", "keras"):
            compiled = suffix == "h5" or name == "without_channel"
            make(tf_keras, name, folder, suffix, compiled=compiled)


if __name__ == "__main__":
    main()

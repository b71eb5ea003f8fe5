"""Keras's arguments of a layer, Keras 2's and Keras 3's, as a config has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnncli.config import with_tuples
from cnncli.config.annotations import models_in
from cnncli.config.layers import LAYER_TYPES, AnyLayer
from cnncli.config.problems import quoted, suggestion
from cnncli.config.scalars import describe
from cnncli.modelfile.contents import RefusedError

if TYPE_CHECKING:
    from cnncli.modelfile.chain import ChainLayer

_ARGUMENTS = {
    name: model.model_fields.keys() - {"type", "name"}
    for name, model in zip(LAYER_TYPES, models_in(AnyLayer), strict=True)
}
_OTHER_NAMES = {"BatchNormalizationV1": "BatchNormalization", "Softmax": "Activation"}
"""Types that are another type, or a case of it."""
_RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}
_ACTIVATIONS = {"softmax_v2": "softmax", "swish": "silu"}
"""What Keras 2 calls an activation that has another name now."""
_IDLE = {
    "ActivityRegularization",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "RandomBrightness",
    "RandomContrast",
}
"""Types that do nothing but in training, and which a config can't have."""
_OF_NO_EFFECT = {
    "autocast",
    "axis",  # read elsewhere
    "batch_input_shape",
    "batch_shape",
    "dtype",  # read elsewhere
    "fused",
    "name",
    "noise_shape",
    "renorm_momentum",
    "rng_type",
    "seed",
    "trainable",
}
"""Arguments on which no prediction depends."""
_OF_TRAINING = ("_constraint", "_initializer", "_regularizer")
_WITHOUT_EFFECT = {"data_format": "channels_last", "groups": 1}
"""Arguments that a config can't have, and what they must be."""


def is_idle(layer: ChainLayer) -> bool:
    """Return whether a layer does nothing but in training and can be left out."""
    return layer.type in _IDLE and layer.package is None


def translate(layer: ChainLayer, *, keras_2: bool) -> tuple[str, dict[str, Any]]:
    """Return a layer's type and arguments as a config has them; not yet checked.

    Args:
        layer: As Keras describes it.
        keras_2: Whether Keras 2 wrote it.

    Raises:
        RefusedError: It is of a type, or has arguments, that no config can have.
    """
    kind = _OTHER_NAMES.get(layer.type, layer.type)
    if layer.package is not None:
        raise RefusedError(
            f"its type {quoted(layer.type)} is {quoted(layer.package)}'s own, not "
            "Keras's, and no code is ever run to load a model"
        )
    if kind not in _ARGUMENTS:
        hint = suggestion(kind, LAYER_TYPES)
        raise RefusedError(
            f"its type {quoted(kind)} is not one of {', '.join(LAYER_TYPES)}{hint}"
        )
    given: dict[str, Any] = {"activation": "softmax"} if layer.type == "Softmax" else {}
    for key, value in layer.config.items():
        argument = _RENAMED.get((kind, key), key)
        if argument == "activation":
            given[argument] = _activation(value, keras_2=keras_2)
        elif argument in _ARGUMENTS[kind] and not key.endswith(_OF_TRAINING):
            given[argument] = with_tuples(value)
        elif not _has_no_effect(key, value):
            raise RefusedError(f"its {key} of {describe(value)} can't be taken over")
    return kind, given


def _activation(value: Any, *, keras_2: bool) -> str | None:
    """Return an activation as a config has it.

    Raises:
        RefusedError: It isn't one of Keras's functions, or another one in Keras 2.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise RefusedError("its activation isn't one of Keras's functions by its name")
    if keras_2 and value == "hard_sigmoid":
        raise RefusedError("its activation hard_sigmoid is another one in Keras 3")
    return _ACTIVATIONS.get(value, value)


def _has_no_effect(key: str, value: Any) -> bool:
    return (
        key in _OF_NO_EFFECT
        or key.endswith(_OF_TRAINING)
        or value is None
        or value is False
        or _WITHOUT_EFFECT.get(key) == value
    )

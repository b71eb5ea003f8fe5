"""Keras's own description of a network, which it will read in a file handed on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from cnncli.architecture import INPUT_NAME
from cnncli.config.choices import Initializer
from cnncli.config.layers import LAYER_TYPES
from cnncli.config.scalars import describe

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.config import Config
    from cnncli.modelfile.contents import Contents

_TYPES = frozenset(
    {
        *LAYER_TYPES,
        *(name.title().replace("_", "") for name in get_args(Initializer)),
        "Adam",
        "AdamW",
        "CategoricalCrossentropy",
        "DTypePolicy",
        "InputLayer",
        "LossScaleOptimizer",
        "RMSprop",
        "SGD",
        "Sequential",
    }
)
"""All that Keras looks up by name in the files that this program writes."""
_MODULES = (
    None,
    "keras",
    "keras.initializers",
    "keras.layers",
    "keras.losses",
    "keras.optimizers",
)


def check_keras_config(contents: Contents, config: Config, image_shape: Shape) -> None:
    """Refuse a description that could make Keras build something else, or run code.

    Args:
        contents: The contents of a model file.
        config: The config in that file.
        image_shape: (height, width, channels).

    Raises:
        ValueError: The description names what this program never writes, or another
            network than the config.
    """
    model = contents.json("model_config")
    for named in _named([model, contents.json("training_config")]):
        _check_name(named)
    layers = [("InputLayer", INPUT_NAME)]
    layers += [(layer.type, str(layer.name)) for layer in config.model.layers]
    if _outline(model) != ("Sequential", layers, [None, *image_shape]):
        raise ValueError("Keras's description of the network differs from the config")


def _outline(model: Any) -> Any:
    """Return a model's type, its layers' types and names, and its input's shape."""
    try:
        layers = model["config"]["layers"]
        names = [(layer["class_name"], layer["config"]["name"]) for layer in layers]
        return model["class_name"], names, layers[0]["config"]["batch_shape"]
    except (IndexError, KeyError, TypeError):
        return None


def _named(description: Any) -> Iterator[dict[str, Any]]:
    """Find everything that names a class or a function for Keras to look up."""
    parts = [description]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if not part.keys().isdisjoint(("class_name", "module", "registered_name")):
                yield part
            parts += part.values()
        elif isinstance(part, list):
            parts += part


def _check_name(named: dict[str, Any]) -> None:
    name, module = named.get("class_name"), named.get("module")
    if not isinstance(name, str) or name not in _TYPES:
        raise ValueError(
            f"the type {describe(name)} is not allowed; the layer types are "
            f"{', '.join(LAYER_TYPES)}"
        )
    if module not in _MODULES or named.get("registered_name") not in (None, name):
        raise ValueError(f"the type {name!r} of {describe(module)} is not Keras's own")

"""``model.h5``: a Keras model file that also says what it was trained on and how.

Plain Keras loads it. This program rebuilds the network from the config inside and reads
only texts and numbers, so that nothing a file names is ever imported or run.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from cnncli import __version__
from cnncli.architecture import Shape, check_network
from cnncli.config import Config, config_from_json, config_to_json
from cnncli.config.fields import Positive, Section, Text, entries, unique
from cnncli.config.problems import dotted, shortened
from cnncli.config.validation import validate
from cnncli.data.brightness import Brightness
from cnncli.data.normalization import Normalization
from cnncli.errors import ModelFileError
from cnncli.modelfile.check import MAX_PIXELS, open_contents
from cnncli.modelfile.contents import CONFIG, DIGEST, Contents, Weight
from cnncli.modelfile.kerasconfig import check_keras_config
from cnncli.modelfile.place import find_model
from cnncli.system.files import replacing

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from cnncli.config.schema import Fit
    from cnncli.modelfile.foreign import KerasModel

_BRIGHTNESS = "cnncli_brightness"
"""The attribute that files of before it was added don't have."""

_ROOM = 2**24
"""How many bytes a model file may have beside its weights."""


@dataclass(frozen=True)
class ModelFile:
    """A model file without its network.

    Attributes:
        path: The file.
        config: The resolved config of the run.
        class_names: The name of each class, in the order of the outputs.
        image_shape: (height, width, channels) of the images the model takes.
        normalization: The map of their pixels that the network sees.
        fingerprints: Digests of the data set's pools, by "train" and "test".
        weights: Those of each layer, by its name, if it was read from the file.
        brightness: How light the training images are, or of an adopted model the test
            images that it was tried with; None where that isn't known.
    """

    path: Path
    config: Config
    class_names: tuple[str, ...]
    image_shape: Shape
    normalization: Normalization
    fingerprints: dict[str, str]
    weights: Mapping[str, tuple[Weight, ...]] = field(default_factory=dict, repr=False)
    brightness: Brightness | None = None

    @property
    def fit(self) -> Fit:
        """How pictures of another size are brought to the model's.

        As those that it was trained on were, if they were pictures.
        """
        fit: Fit = getattr(self.config.data.source, "fit", "stretch")
        return fit

    def arrays(self, layer: str) -> list[NDArray[np.float32]]:
        """Return the weights of a layer, in Keras's order.

        Args:
            layer: Its name.

        Raises:
            ModelFileError: One of them isn't finite.
        """
        arrays = [
            np.frombuffer(weight.values, "<f4").reshape(weight.shape)
            for weight in self.weights[layer]
        ]
        if not all(np.isfinite(array).all() for array in arrays):
            raise ModelFileError(
                f"{self.path}: the weights of layer {layer!r} are not all finite"
            )
        return arrays


class _Described(Section):
    """A model file's account of the images, as it must be."""

    class_names: Annotated[tuple[Text, ...], unique, entries(2, 256)]
    image_shape: tuple[Positive, Positive, Literal[1, 3]]
    fingerprints: dict[Annotated[str, Field(pattern="^(train|test)$")], Text]


def save_model(described: ModelFile, model: keras.Model) -> None:
    """Write a trained model, whole or not at all.

    Args:
        described: The file's path, and all that it carries beside the weights.
        model: A compiled model. The file gets its compile settings but not the
            optimizer's state, from which Keras could not continue.

    Raises:
        OutputError: The file can't be written.
    """
    import h5py

    from cnncli.modelfile.hdf5 import read_contents

    with replacing(described.path) as temporary:
        model.save(temporary)
        with h5py.File(temporary, "r+") as file:
            del file["optimizer_weights"]
            file.attrs["cnncli_version"] = __version__
            file.attrs[CONFIG] = config_to_json(described.config)
            file.attrs["cnncli_class_names"] = json.dumps(described.class_names)
            file.attrs["cnncli_image_shape"] = json.dumps(described.image_shape)
            normalization = json.dumps(described.normalization.to_dict())
            file.attrs["cnncli_normalization"] = normalization
            file.attrs["cnncli_fingerprints"] = json.dumps(described.fingerprints)
            if described.brightness is not None:
                brightness = json.dumps(described.brightness.to_dict())
                file.attrs[_BRIGHTNESS] = brightness
        digest = read_contents(temporary).digest()
        with h5py.File(temporary, "r+") as file:
            file.attrs[DIGEST] = digest


def open_model(path: Path) -> ModelFile:
    """Read a model file, after checking it; see ``cnncli.modelfile.check``.

    Args:
        path: A run folder, or a model file that this program wrote.

    Raises:
        ModelFileError: There is no such file, it isn't one of this program's, it
            isn't the one that the run's manifest describes, or its contents don't fit
            together.
    """
    opened = open_any_model(path)
    if isinstance(opened, ModelFile):
        return opened
    raise ModelFileError(
        f"{opened.path}: a Keras model without cnncli's account of its classes and "
        "pixels; take it over with: cnncli adopt "
        f"{shlex.quote(str(path))} --classes NAME,NAME,... --divide-by NUMBER -o "
        "adopted.h5"
    )


def open_any_model(path: Path) -> ModelFile | KerasModel:
    """Read a model file of this program's or of Keras's, after checking it.

    Args:
        path: A run folder, or a model file.

    Raises:
        ModelFileError: As for ``open_model``, or of Keras's model something can't be
            taken over.
    """
    file_path = find_model(path)
    return understood(file_path, open_contents(file_path))


def understood(file_path: Path, contents: Contents) -> ModelFile | KerasModel:
    """Make sense of what was read from a model file.

    Args:
        file_path: The file.
        contents: What is in it.

    Raises:
        ModelFileError: Its contents don't fit together, or of Keras's model something
            can't be taken over.
    """
    if not contents.is_ours:
        from cnncli.modelfile.foreign import understand_keras

        return understand_keras(file_path, contents)
    try:
        model = _understand(file_path, contents)
        check_keras_config(contents, model.config, model.image_shape)
    except (ValueError, RecursionError, ModelFileError) as error:
        reason = str(error).partition("\n")[0][:500]
        version = contents.attributes.get("cnncli_version")
        found = "what is stored in it is wrong"
        if version != __version__:
            found = f"written by cnncli {shortened(str(version))}, not {__version__}"
        raise ModelFileError(f"{file_path}: {found}: {reason}") from error
    return model


def load_weights(described: ModelFile, model: keras.Model) -> None:
    """Put the weights of a model file into a model built from its config.

    Raises:
        ModelFileError: A weight is of another shape than the config's, or isn't finite.
    """
    for layer in model.layers:
        stored = described.weights[layer.name]
        expected = [tuple(weight.shape) for weight in layer.weights]
        shapes = [weight.shape for weight in stored]
        if shapes != expected:
            raise ModelFileError(
                f"{described.path}: the weights of layer {layer.name!r} have the "
                f"shapes {shapes}, but its config needs {expected}"
            )
        layer.set_weights(described.arrays(layer.name))


def _understand(path: Path, contents: Contents) -> ModelFile:
    """Make sense of a file's contents, and check that they fit together.

    Raises:
        RefusedError: An attribute is missing or isn't JSON.
        ValueError: The config is wrong, or the shapes, the normalisation and the
            weights don't fit it or each other.
        ModelFileError: The normalisation or the brightness is damaged.
    """
    config = config_from_json(contents.attributes[CONFIG])
    described = _describe(contents)
    normalization = Normalization.from_dict(contents.json("cnncli_normalization"))
    channels = described.image_shape[2]
    if len(normalization.mean) != channels:
        raise ValueError(
            f"the normalisation is for {len(normalization.mean)} channels, but images "
            f"have {channels}"
        )
    if math.prod(described.image_shape) > MAX_PIXELS:
        raise ValueError(f"images of shape {described.image_shape} are too large")
    if config.name is None:
        raise ValueError("the config has no name")
    if config.training.precision == "auto":
        raise ValueError("the config leaves the precision open")
    _check_layers(path, config, described, contents.layers)
    has_brightness = _BRIGHTNESS in contents.attributes
    return ModelFile(
        path,
        config,
        described.class_names,
        described.image_shape,
        normalization,
        described.fingerprints,
        contents.layers,
        Brightness.from_dict(contents.json(_BRIGHTNESS)) if has_brightness else None,
    )


def _describe(contents: Contents) -> _Described:
    value = {}
    for key in _Described.model_fields:
        stored = contents.json(f"cnncli_{key}")
        value[key] = tuple(stored) if isinstance(stored, list) else stored
    described, problems = validate(_Described, value)
    if described is None:
        raise ValueError(f"{dotted(problems[0].path)}: {problems[0].message}")
    return described


def _check_layers(
    path: Path,
    config: Config,
    described: _Described,
    layers: Mapping[str, tuple[Weight, ...]],
) -> None:
    """Check the network, and that each layer has as many weights as it needs."""
    rows, problems = check_network(
        config.model.layers, described.image_shape, len(described.class_names)
    )
    if problems:
        raise ValueError(f"{dotted(problems[0].path)}: {problems[0].message}")
    names = [row.name for row in rows]
    if list(layers) != names:
        raise ValueError("the layers with weights are not those of the config")
    for row in rows:
        values = sum(math.prod(weight.shape) for weight in layers[row.name])
        if values != row.parameters:
            raise ValueError(
                f"layer {row.name!r} has {values:,} parameters, but its config needs "
                f"{row.parameters:,}"
            )
    size, most = path.stat().st_size, 4 * sum(row.parameters for row in rows) + _ROOM
    if size > most:
        raise ValueError(
            f"it has {size:,} bytes, more than the {most:,} that its network needs"
        )

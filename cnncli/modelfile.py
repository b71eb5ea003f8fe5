"""``model.h5``: a Keras model file that also says what it was trained on and how.

Plain Keras loads it. This program rebuilds the network from the config inside and reads
only the weights, so that nothing a file names is ever imported or run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cnncli import __version__
from cnncli.config import Config, config_from_json, config_to_json
from cnncli.data.normalization import Normalization
from cnncli.errors import ModelFileError
from cnncli.files import replacing

if TYPE_CHECKING:
    import keras

    from cnncli.architecture import Shape

MODEL_NAME = "model.h5"
MANIFEST_NAME = "manifest.json"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class ModelFile:
    """A model file without its weights.

    Attributes:
        path: The file.
        config: The resolved config of the run.
        class_names: The name of each class, in the order of the outputs.
        image_shape: (height, width, channels) of the images the model takes.
        normalization: What is done to their pixels first.
        fingerprints: Digests of the data set's pools, by "train" and "test".
    """

    path: Path
    config: Config
    class_names: tuple[str, ...]
    image_shape: Shape
    normalization: Normalization
    fingerprints: dict[str, str]


def save_model(described: ModelFile, model: keras.Model) -> None:
    """Write a trained model, whole or not at all.

    Args:
        described: Where to write it, and what it carries beside the weights.
        model: A compiled model. The file gets its compile settings but not the
            optimizer's state, from which Keras could not continue.

    Raises:
        OutputError: The file can't be written.
    """
    with replacing(described.path) as temporary:
        model.save(temporary)
        with h5py.File(temporary, "r+") as file:
            del file["optimizer_weights"]
            file.attrs["cnncli_version"] = __version__
            file.attrs["cnncli_config"] = config_to_json(described.config)
            file.attrs["cnncli_class_names"] = json.dumps(described.class_names)
            file.attrs["cnncli_image_shape"] = json.dumps(described.image_shape)
            normalization = json.dumps(described.normalization.to_dict())
            file.attrs["cnncli_normalization"] = normalization
            file.attrs["cnncli_fingerprints"] = json.dumps(described.fingerprints)


def open_model(path: Path) -> ModelFile:
    """Read what a model file carries beside its weights.

    Args:
        path: A run folder, or a model file that this program wrote.

    Raises:
        ModelFileError: There is no such file, or it isn't one of this program's, or
            it isn't the one that the run's manifest describes.
    """
    file_path = find_model(path)
    _check_file(file_path)
    try:
        with h5py.File(file_path) as file:
            attributes = {
                key: value
                for key, value in file.attrs.items()
                if key.startswith("cnncli_") and isinstance(value, str)
            }
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ModelFileError(f"{file_path}: damaged HDF5 file: {error}") from error
    if "cnncli_config" not in attributes:
        raise ModelFileError(
            f"{file_path}: not written by cnncli: it carries no config; train a model "
            "with 'cnncli train'"
        )
    try:
        return ModelFile(
            file_path,
            config_from_json(attributes["cnncli_config"]),
            tuple(json.loads(attributes["cnncli_class_names"])),
            tuple(json.loads(attributes["cnncli_image_shape"])),
            Normalization.from_dict(json.loads(attributes["cnncli_normalization"])),
            json.loads(attributes["cnncli_fingerprints"]),
        )
    except (KeyError, ValueError, TypeError, ModelFileError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        raise ModelFileError(
            f"{file_path}: what cnncli stores in it is damaged, or from another "
            f"version ({attributes.get('cnncli_version', 'unknown')}; this is "
            f"{__version__}): {reason}"
        ) from error


def load_weights(described: ModelFile, model: keras.Model) -> None:
    """Read the weights of a model file into a model built from its config.

    Raises:
        ModelFileError: A weight is missing or of another shape than the config's.
    """
    with h5py.File(described.path) as file:
        for layer in model.layers:
            try:
                group = file["model_weights"][layer.name]
                names = [str(name) for name in group.attrs["weight_names"]]
                layer.set_weights(
                    [
                        _read(described.path, group[name], weight)
                        for name, weight in zip(names, layer.weights, strict=True)
                    ]
                )
            except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
                raise ModelFileError(
                    f"{described.path}: the weights of layer {layer.name!r} are "
                    f"missing or damaged: {error}"
                ) from error


def find_model(path: Path) -> Path:
    """Return the model file that MODEL means: itself, or the one in a run folder.

    Raises:
        ModelFileError: A folder has no model file in it.
    """
    if not path.is_dir():
        return path
    if (path / MODEL_NAME).exists():
        return path / MODEL_NAME
    if (path / MANIFEST_NAME).exists():
        raise ModelFileError(f"{path}: the run isn't finished; it has no {MODEL_NAME}")
    raise ModelFileError(f"{path}: not a run folder; it has no {MODEL_NAME}")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ModelFileError(f"{path}: no such model file or run folder")
    if not path.is_file():
        raise ModelFileError(f"{path}: a model must be a regular file or a run folder")
    try:
        with path.open("rb") as file:
            signature = file.read(len(_HDF5_SIGNATURE))
    except OSError as error:
        raise ModelFileError(f"{path}: can't read it: {error.strerror}") from error
    if signature != _HDF5_SIGNATURE:
        raise ModelFileError(f"{path}: not an HDF5 file, as model.h5 is")
    expected = _recorded_digest(path)
    if expected is not None and file_digest(path) != expected:
        raise ModelFileError(
            f"{path}: not the file that the run wrote: its SHA-256 differs from the "
            f"one in {path.with_name(MANIFEST_NAME)}"
        )


def _recorded_digest(path: Path) -> str | None:
    """Return the digest that a manifest beside the file has for it, if there is one."""
    try:
        manifest = json.loads(path.with_name(MANIFEST_NAME).read_bytes())
        return str(manifest["files"][path.name])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(path: Path, dataset: Any, weight: Any) -> np.ndarray:
    """Read one weight, and nothing that isn't stored in this very file."""
    shape = tuple(weight.shape)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape != shape:
        raise ValueError(f"expected numbers of shape {shape}")
    if dataset.external or dataset.is_virtual or dataset.file.filename != str(path):
        raise ValueError("stored in another file")
    return np.asarray(dataset[()], np.float32)

"""A model that Keras saved, made into a model file of this program's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnncli.architecture import check_network
from cnncli.config.layers import ActivationLayer
from cnncli.config.schema import Data, Divide, Idx, Model, Source, Standardize
from cnncli.data.sources import source_at
from cnncli.errors import ModelFileError
from cnncli.modelfile.file import ModelFile

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.foreign import KerasModel


def adopted(
    model: KerasModel,
    class_names: tuple[str, ...],
    normalization: Normalization,
    place: Path | None,
) -> ModelFile:
    """Return a model with what Keras's file doesn't say.

    Args:
        model: What it does say.
        class_names: The name of each class, in the order of the outputs.
        normalization: The map of pixel values, 0 to 255, that the network was trained
            on.
        place: Where its images are, as ``cnncli.data.sources.source_at`` takes it, if
            that is known.

    Returns:
        The model file to be written; its path is still that of Keras's file, and the
        images' fingerprints are missing.

    Raises:
        ModelFileError: The network doesn't give a probability for each class.
    """
    config, weights = model.config, dict(model.weights)
    if model.gives_logits:
        layers = (*config.model.layers, ActivationLayer(activation="softmax"))
        config = config.model_copy(update={"model": Model(layers=layers)})
        weights[str(config.model.layers[-1].name)] = ()
    _, problems = check_network(
        config.model.layers, model.image_shape, len(class_names)
    )
    if problems:
        raise ModelFileError(*(f"{model.path}: {p.message}" for p in problems))
    return ModelFile(
        model.path,
        config.model_copy(update={"data": _data(class_names, normalization, place)}),
        class_names,
        model.image_shape,
        normalization,
        {},
        weights,
    )


def _data(
    class_names: tuple[str, ...], normalization: Normalization, place: Path | None
) -> Data:
    """Return the data section of the config that an adopted model carries."""
    source: Source = Idx(path=".", classes=class_names)
    if place is not None:
        source = source_at(place, class_names)
        if isinstance(source, Idx):
            source = Idx(path=str(place.absolute()), classes=class_names)
    divisors = set(normalization.deviation)
    is_divided = not any(normalization.mean) and len(divisors) == 1
    return Data(
        source=source,
        normalization=Divide(by=divisors.pop()) if is_divided else Standardize(),
    )

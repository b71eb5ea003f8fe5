"""A model that Keras saved, made into a model file of this program's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.architecture import check_network
from cnncli.config.layers import ActivationLayer
from cnncli.config.schema import Data, Divide, Model, Standardize
from cnncli.errors import ModelFileError
from cnncli.modelfile.file import ModelFile

if TYPE_CHECKING:
    from cnncli.config.schema import Source
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.foreign import KerasModel


def adopted(
    model: KerasModel,
    class_names: tuple[str, ...],
    normalization: Normalization,
    source: Source,
) -> ModelFile:
    """Return a model with what Keras's file doesn't say.

    Args:
        model: What it does say.
        class_names: The name of each class, in the order of the outputs.
        normalization: The map of pixel values, 0 to 255, that the network was trained
            on.
        source: Where its images are, as far as that is known.

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
    last = config.model.layers[-1]
    if getattr(last, "activation", None) != "softmax":
        raise ModelFileError(
            f"{model.path}: its last layer, {last.name!r}, has no softmax, so it gives "
            "no probabilities that add up to 1; if it gives logits, save "
            "keras.Sequential([model, keras.layers.Softmax()]) instead"
        )
    is_identity = not any(normalization.mean) and set(normalization.deviation) == {1.0}
    if model.takes_whole_numbers and not is_identity:
        raise ModelFileError(
            f"{model.path}: its input takes whole numbers, so pixel values from 0 to "
            "255 were left as they are: --divide-by 1"
        )
    _, problems = check_network(
        config.model.layers, model.image_shape, len(class_names)
    )
    if problems:
        raise ModelFileError(*(f"{model.path}: {p.message}" for p in problems))
    return ModelFile(
        model.path,
        config.model_copy(update={"data": _data(source, normalization)}),
        class_names,
        model.image_shape,
        normalization,
        {},
        weights,
    )


def _data(source: Source, normalization: Normalization) -> Data:
    """Return the data section of the config that an adopted model carries."""
    divisors = set(normalization.deviation)
    is_divided = not any(normalization.mean) and len(divisors) == 1
    return Data(
        source=source,
        normalization=Divide(by=divisors.pop()) if is_divided else Standardize(),
    )

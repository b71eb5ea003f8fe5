"""A model file that Keras wrote, understood as a network of this program's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cnncli.architecture import RESERVED, follow_network
from cnncli.config import with_tuples
from cnncli.config.fields import as_name
from cnncli.config.problems import is_word
from cnncli.config.scalars import describe
from cnncli.config.schema import Config, Model
from cnncli.config.validation import validate
from cnncli.errors import ModelFileError
from cnncli.modelfile.chain import Chain, ChainLayer, read_chain
from cnncli.modelfile.check import MAX_PIXELS
from cnncli.modelfile.contents import RefusedError
from cnncli.modelfile.translation import is_idle, translate
from cnncli.modelfile.weights import find_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cnncli.architecture import LayerRow, Shape
    from cnncli.config.layers import Layer
    from cnncli.config.problems import Problem
    from cnncli.modelfile.contents import Contents, Weight

_ELEMENTWISE = ("Dropout", "LeakyReLU", "ReLU", "Rescaling")
"""Types that do the same to an image whether or not it has an axis for its channels."""

_SOFTMAX_LOSSES = (
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "SparseCategoricalCrossentropy",
)
"""Losses that can have the softmax in them."""


@dataclass(frozen=True)
class KerasModel:
    """A model that Keras saved.

    Attributes:
        path: The file.
        keras_version: The Keras that wrote it, as far as it says so.
        config: A config with its network, and defaults for all else.
        image_shape: (height, width, channels) of the images it takes.
        rows: Its layers.
        weights: Those of each layer, by its name.
        gives_logits: Whether it gives no probabilities, but what its loss makes them of
            by a softmax.
        takes_whole_numbers: Whether Keras cuts off what is behind the point of pixels.
        notes: What is different from what Keras describes, and changes no prediction.
    """

    path: Path
    keras_version: str
    config: Config
    image_shape: Shape
    rows: tuple[LayerRow, ...]
    weights: Mapping[str, tuple[Weight, ...]] = field(repr=False)
    gives_logits: bool
    takes_whole_numbers: bool
    notes: tuple[str, ...]


def understand_keras(path: Path, contents: Contents) -> KerasModel:
    """Make sense of a file that Keras wrote.

    Args:
        path: The file, for messages and for the name of the config.
        contents: What is in it.

    Raises:
        ModelFileError: The network is no straight chain of layers that a config can
            have, or its weights don't fit it; all that can't be taken over.
    """
    try:
        return _understand(path, contents)
    except RefusedError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ModelFileError(f"{path}: models in models without end") from error


def _understand(path: Path, contents: Contents) -> KerasModel:
    description = contents.json("model_config")
    version = keras_version(contents)
    chain = read_chain(description)
    image_shape, links = _with_images(
        chain.input_shape, [link for link in chain.layers if not is_idle(link)]
    )
    model = _network(path, links, keras_2=not version.startswith("3."))
    layers = model.layers
    rows, problems = follow_network(layers, image_shape)
    if problems:
        raise ModelFileError(*(f"{path}: {problem.message}" for problem in problems))
    for link, row in zip(links, rows, strict=True):
        _check_axis(link, len(row.input_shape))
    return KerasModel(
        path,
        version,
        Config(name=as_name(path.stem), model=model),
        image_shape,
        rows,
        {
            row.name: find_weights(contents, link, layer, row.parameters)
            for link, layer, row in zip(links, layers, rows, strict=True)
        },
        _gives_logits(description, contents, layers[-1]),
        "int" in chain.input_dtype,
        tuple(_notes(chain, links, layers)),
    )


def keras_version(contents: Contents) -> str:
    """Return the Keras that wrote a file, as far as it says so."""
    if contents.is_archive:
        match contents.json("metadata"):
            case {"keras_version": str(version)}:
                return version
    return contents.attributes.get("keras_version", "")


def _with_images(
    shape: tuple[int | None, ...] | None, links: Sequence[ChainLayer]
) -> tuple[Shape, list[ChainLayer]]:
    """Return the shape of the images that a network takes, and its layers then.

    Pixels may come without an axis for their channel, or as one vector. What follows is
    the same with that axis if it begins with a Flatten, or without the Reshape with
    which it begins; up to there, only layers count that don't look at neighbours.

    Raises:
        RefusedError: It takes something else, or images of any size.
    """
    layers = list(links)
    if shape is None:
        raise RefusedError(
            "the shape of its images isn't stored; begin the model with a keras.Input, "
            "or call it once, and save it again"
        )
    first = next((la for la in layers if la.type not in _ELEMENTWISE), None)
    if first is not None and first.type == "Flatten" and len(shape) == 2:
        shape = (*shape, 1)
    elif first is not None and first.type == "Reshape":
        target = _reshaped(shape, first.config.get("target_shape"))
        if target is not None:
            shape = target
            layers.remove(first)
    match shape:
        case (int(height), int(width), 1 | 3 as channels):
            if height > 0 and width > 0 and height * width <= MAX_PIXELS:
                return (height, width, channels), layers
    found = ", ".join("any" if size is None else str(size) for size in shape)
    found += "," * (len(shape) == 1)
    raise RefusedError(
        f"the network takes inputs of shape ({found}), not images (height, width, "
        "channels) of one size, with 1 or 3 channels"
    )


def _reshaped(shape: Sequence[int | None], target: Any) -> Shape | None:
    """Return the form that a Reshape gives an image, if it has it in a file too.

    Args:
        shape: What the Reshape gets.
        target: What it gives; one size may be -1, which follows from the others.
    """
    match target:
        case [int(), int(), int()]:
            pass
        case _:
            return None
    total = math.prod(size or 0 for size in shape)
    known = math.prod(size for size in target if size != -1)
    if target.count(-1) == 1 and known > 0 and total % known == 0:
        target = [total // known if size == -1 else size for size in target]
    height, width, channels = target
    forms = [(total,), (height, width, channels)]
    if channels == 1:
        forms.append((height, width))
    fits = tuple(shape) in forms and height * width * channels == total
    return (height, width, channels) if fits else None


def _network(path: Path, links: Sequence[ChainLayer], *, keras_2: bool) -> Model:
    """Return the network of a config for layers of Keras.

    Raises:
        ModelFileError: All that can't be taken over.
    """
    plain: list[dict[str, Any]] = []
    problems = []
    for link, name in zip(links, _names(links), strict=True):
        try:
            kind, arguments = translate(link, keras_2=keras_2)
        except RefusedError as error:
            problems.append(f"{path}: {link}: {error}")
        else:
            plain.append({kind: {**arguments, "name": name}})
    if problems:
        raise ModelFileError(*problems)
    model, found = validate(Model, {"layers": tuple(plain)})
    if model is None:
        raise ModelFileError(*(f"{path}: {_located(p, links)}" for p in found))
    return model


def _located(problem: Problem, links: Sequence[ChainLayer]) -> str:
    """Return what is wrong with the layers, and with which of them."""
    match problem.path:
        case (_, int(index), _, *keys):
            return ": ".join([str(links[index]), *map(str, keys), problem.message])
    return f"the layers: {problem.message}"


def _names(links: Sequence[ChainLayer]) -> list[str | None]:
    """Return the layers' names; None for those that no config can have, or has had."""
    names: list[str | None] = []
    for link in links:
        is_free = link.name not in (*RESERVED, *names)
        names.append(link.name if is_word(link.name) and is_free else None)
    return names


def _check_axis(link: ChainLayer, last: int) -> None:
    """Refuse a layer that works along another axis than the last.

    Args:
        link: Any layer.
        last: The number of its input's last axis; the batch is 0.
    """
    axis = link.config.get("axis", -1)
    if axis not in (-1, [-1], last, [last]):
        raise RefusedError(
            f"{link}: its axis of {describe(with_tuples(axis))} isn't that of the "
            "channels, the last"
        )


def _gives_logits(description: Any, contents: Contents, last: Layer) -> bool:
    """Return whether the softmax that a network lacks was part of its loss."""
    trained_with = (
        contents.json("training_config")
        if "training_config" in contents.attributes
        else description.get("compile_config")
    )
    match trained_with:
        case {"loss": {"class_name": str(name), "config": {"from_logits": True}}}:
            return name in _SOFTMAX_LOSSES and _is_linear(last)
    return False


def _is_linear(layer: Layer) -> bool:
    return getattr(layer, "activation", "softmax") in (None, "linear")


def _notes(
    chain: Chain, links: Sequence[ChainLayer], layers: Sequence[Layer]
) -> Iterator[str]:
    for link in chain.layers:
        if is_idle(link):
            yield f"{link} does nothing but in training; left out"
    for link, layer in zip(links, layers, strict=True):
        if link.name != layer.name:
            yield f"{link} is called {layer.name!r} here"
    if chain.input_dtype in ("bfloat16", "float16"):
        yield f"its input is in {chain.input_dtype}, here in float32"
    policies = {_policy(link) for link in links} - {"float32"}
    if policies:
        yield f"it computes in {', '.join(sorted(policies))}, here in float32"


def _policy(link: ChainLayer) -> str:
    """Return the number format that a layer computes in."""
    match link.config.get("dtype"):
        case str(name) | {"config": {"name": str(name)}}:
            return name
    return "float32"

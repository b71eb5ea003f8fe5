"""The straight chain of layers that Keras's description of a network stands for.

Read as data: nothing that it names is looked up. The form is Keras 2's or Keras 3's, of
a Sequential or of a functional model, either of which may hold others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from cnncli.config.problems import quoted
from cnncli.config.scalars import describe
from cnncli.modelfile.contents import RefusedError

_MOST_LAYERS = 1_000
_ModelType = Literal["Sequential", "Functional", "Model"]
_MODELS: tuple[str, ...] = get_args(_ModelType)
"""Models of layers; Keras before 2.3 called a functional one ``Model``."""

_PLACES = {
    "BatchNormalization": "batch_normalization",
    "Conv2D": "conv2d",
    "Dense": "dense",
    "DepthwiseConv2D": "depthwise_conv2d",
    "Functional": "functional",
    "SeparableConv2D": "separable_conv2d",
    "Sequential": "sequential",
}
"""Where a ``.keras`` archive has the weights of a model's first layer of a type."""

_Size = int | None


class _Layer(BaseModel):
    """A layer as Keras describes it; ``name`` and ``inbound_nodes`` if functional."""

    class_name: str
    config: Any
    name: str = ""
    module: str | None = None
    registered_name: str | None = None
    inbound_nodes: list[Any] = []


class _Network(BaseModel):
    """What is in a model's ``config``."""

    layers: list[_Layer] = Field(min_length=1, max_length=_MOST_LAYERS)
    build_input_shape: list[_Size] | None = None
    input_layers: list[Any] = []
    output_layers: list[Any] = []


def _as_mapping(config: Any) -> Any:
    """Give the list of layers, which is all that Keras before 2.2.3 wrote, its name."""
    return {"layers": config} if isinstance(config, list) else config


class _Model(BaseModel):
    """A whole model."""

    class_name: _ModelType
    module: str | None = None
    registered_name: str | None = None
    config: Annotated[_Network, BeforeValidator(_as_mapping)]


@dataclass(frozen=True)
class ChainLayer:
    """A layer of a chain.

    Attributes:
        number: Where it stands among the model's layers, from 0; "2.1" is in a model
            that is a layer itself.
        type: Keras's name of its class.
        config: Its arguments, as Keras wrote them.
        path: The names of the models that are layers and that it is in, from the
            outside, and its own.
        place: What its weights are called in a ``.keras`` archive.
        package: Where its class comes from, if that isn't Keras.
    """

    number: str
    type: str
    config: dict[str, Any]
    path: tuple[str, ...]
    place: str
    package: str | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.path[-1]

    def __str__(self) -> str:
        return f"layer {self.number} {quoted(self.name)}"


@dataclass(frozen=True)
class Chain:
    """A network without branches.

    Attributes:
        input_shape: Of one image or vector; None where any size fits, or if it isn't
            known.
        input_dtype: The number format of it.
        layers: All but the inputs, in order.
    """

    input_shape: tuple[_Size, ...] | None
    input_dtype: str
    layers: tuple[ChainLayer, ...]


def read_chain(description: Any) -> Chain:
    """Return the chain that a model's description stands for.

    Args:
        description: What Keras wrote as JSON.

    Raises:
        RefusedError: It isn't Keras's, or the layers are no straight chain.
    """
    model = _parse(description)
    first, *rest = _flatten(model)
    layers = rest if first.type == "InputLayer" else [first, *rest]
    if not layers:
        raise RefusedError("the network has no layers")
    batch_shape = (
        first.config.get("batch_shape")
        or first.config.get("batch_input_shape")
        or model.config.build_input_shape
    )
    dtype = first.config.get("dtype") if first.type == "InputLayer" else None
    return Chain(
        _without_batch(batch_shape),
        dtype if isinstance(dtype, str) else "float32",
        tuple(layers),
    )


def _parse(description: Any) -> _Model:
    try:
        model = _Model.model_validate(description)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        if where == "class_name":
            raise RefusedError(
                "the network is neither a Sequential nor a functional model of Keras; "
                "only these are described in the file as layers"
            ) from error
        raise RefusedError(
            f"Keras's description of the network is damaged at {where or 'its start'}"
        ) from error
    if package := _package(model):
        raise RefusedError(
            f"its {model.class_name} is {quoted(package)}'s own, not Keras's, and no "
            "code is ever run to load a model"
        )
    return model


def _without_batch(shape: Any) -> tuple[_Size, ...] | None:
    match shape:
        case [_, *sizes] if all(isinstance(size, int | None) for size in sizes):
            return tuple(sizes)
    return None


def _flatten(
    model: _Model,
    number: str = "",
    path: tuple[str, ...] = (),
    place: str = "layers",
) -> Iterator[ChainLayer]:
    """Yield the layers of a model in order, with those of the models in it.

    Args:
        model: The whole model, or one that is a layer.
        number: That of the layer that the model is, with a stop.
        path: That layer's.
        place: Where the weights of the model's layers are in a ``.keras`` archive.
    """
    network = model.config
    seen: Counter[str] = Counter()
    for layer in _in_order(network) if network.output_layers else network.layers:
        kind, config = layer.class_name, layer.config
        inner = ChainLayer(
            f"{number}{seen.total() - seen['InputLayer']}",
            kind,
            config if isinstance(config, dict) else {},
            (*path, layer.name or _name_in(config)),
            f"{place}/{_PLACES.get(kind)}{f'_{seen[kind]}' if seen[kind] else ''}",
            _package(layer),
        )
        seen[kind] += 1
        if kind in _MODELS:
            yield from _flatten(
                _parse(layer.model_dump(exclude_unset=True)),
                f"{inner.number}.",
                inner.path,
                f"{inner.place}/layers",
            )
        elif kind != "InputLayer" or not number:
            yield inner


def _name_in(config: Any) -> str:
    return str(config.get("name")) if isinstance(config, dict) else ""


def _package(described: _Layer | _Model) -> str | None:
    """Return whose a class is, if it isn't Keras's.

    HDF5 files say nothing of that, and a ``.keras`` archive always does.
    """
    name, module = described.registered_name, described.module
    if (module or "keras").split(".")[0] not in ("keras", "tf_keras", "tensorflow"):
        return module
    if name not in (None, described.class_name):
        return name
    is_said = module is not None or "module" not in described.model_fields_set
    return None if is_said else "the author"


def _in_order(network: _Network) -> list[_Layer]:
    """Return a functional model's layers from the input to the output.

    Raises:
        RefusedError: They don't form a chain.
    """
    by_name = {layer.name: layer for layer in network.layers}
    first = _only_end(network.input_layers, "inputs")
    name = _only_end(network.output_layers, "outputs")
    chain: list[_Layer] = []
    while name in by_name:
        chain.append(by_name.pop(name))
        if name == first:
            break
        name = _source(chain[-1])
    else:
        raise RefusedError(
            f"layer {quoted(name)} is missing, or gets what it gives itself"
        )
    for rest in by_name:
        raise RefusedError(
            f"the network branches: layer {quoted(rest)} isn't on the one way from the "
            "input to the output; only a straight chain of layers can be taken over"
        )
    return chain[::-1]


def _only_end(links: list[Any], what: str) -> str:
    """Return the name of a functional model's only input or output.

    Args:
        links: ``[name, 0, 0]``, as Keras 3 writes a single one, or a list of these.
        what: What to call them.
    """
    match links:
        case [str(name), *_] | [[str(name), *_]]:
            return name
    raise RefusedError(
        f"the network has {len(links)} {what}; only a straight chain of layers can be "
        "taken over"
    )


def _source(layer: _Layer) -> str:
    """Return the name of the layer from which one of a functional model gets its input.

    Raises:
        RefusedError: It is called more than once, with more than one input, or with
            arguments that change what it does.
    """
    if len(layer.inbound_nodes) != 1:
        raise RefusedError(
            f"layer {quoted(layer.name)} is used {len(layer.inbound_nodes)} times; "
            "only a straight chain of layers can be taken over"
        )
    (node,) = layer.inbound_nodes
    if _is_operation(layer, node):
        raise RefusedError(
            f"layer {quoted(layer.name)} is an operation of TensorFlow's or Keras's, "
            "not a layer; to scale pixels, use a Rescaling, or do it before the model"
        )
    match node:
        case {"args": [{"config": {"keras_history": [str(name), *_]}}], **more}:
            options = more.get("kwargs")
        case [[str(name), _, _, *rest]] | [str(name), _, _, *rest]:
            options = rest[0] if rest else None
        case _:
            raise RefusedError(
                f"layer {quoted(layer.name)} has more than one input; only a straight "
                "chain of layers can be taken over"
            )
    for key, value in options.items() if isinstance(options, dict) else ():
        if value not in (None, False):
            raise RefusedError(
                f"layer {quoted(layer.name)} is called with {key}: {describe(value)}, "
                "which can't be taken over"
            )
    return name


def _is_operation(layer: _Layer, node: Any) -> bool:
    """Return whether a layer is a function of one tensor, such as ``x / 255``."""
    if layer.class_name.endswith("OpLambda"):
        return True
    match node:
        case {"args": [_, _, *_] as inputs}:
            return sum("keras_history" in str(value) for value in inputs) == 1
    return False

"""The memory that an experiment takes, refused if there is less before it is tried.

The estimates are low: what they refuse would not have worked. Measured peaks are up to
1.5 times as high.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.architecture import trace_network
from cnncli.architecture.batches import PREDICTION_BATCH, batch_parts
from cnncli.config.schema import Best
from cnncli.data.plan import plan_split
from cnncli.errors import DataError, TrainingError
from cnncli.system.memory import free_memory

if TYPE_CHECKING:
    from cnncli.config.schema import AnyOptimizer
    from cnncli.experiment.load import Experiment
    from cnncli.modelfile.file import ModelFile

_FLOAT = 4  # bytes of a weight
_TENSORFLOW = 250_000_000  # bytes that it takes before there is any network
_MORE_MEMORY = "stop other programs, or allow this one more memory"


@dataclass(frozen=True)
class Need:
    """How many bytes something takes.

    Attributes:
        images: The images and labels of both pools.
        weights: The weights and what goes with each of them.
        activations: What the layers give for a batch of images.
    """

    images: int
    weights: int
    activations: int

    @property
    def total(self) -> int:
        """All of it, TensorFlow included."""
        return _TENSORFLOW + self.images + self.weights + self.activations


def check_memory(experiment: Experiment) -> None:
    """Refuse to train what needs more memory than there is.

    Raises:
        DataError: The images don't fit, whatever the network.
        TrainingError: The network doesn't fit.
    """
    free = free_memory()
    need = need_to_train(experiment)
    if free is None or need.total <= free:
        return
    if _TENSORFLOW <= free < _TENSORFLOW + need.images:
        raise DataError(
            f"{experiment.data.place}: the images take "
            f"{_size(need.images)} of memory, {_size(free)} are free; use fewer of them"
        )
    raise TrainingError(
        f"the network needs about {_size(need.total)} of memory to train, "
        f"{_size(free)} are free; {_advice(experiment, need)}"
    )


def check_memory_to_predict(saved: ModelFile, batch_size: int) -> None:
    """Refuse to predict with a network that needs more memory than there is.

    Raises:
        TrainingError: Its weights and its largest output for a batch don't fit.
    """
    rows = trace_network(saved.config.model.layers, saved.image_shape)
    weights = sum(row.parameters for row in rows)
    largest = max(math.prod(row.output_shape) for row in rows)
    need = _TENSORFLOW + _FLOAT * (weights + batch_size * largest)
    free = free_memory()
    if free is not None and need > free:
        raise TrainingError(
            f"{saved.path}: the network needs about {_size(need)} of memory to "
            f"predict, {_size(free)} are free; {_MORE_MEMORY}"
        )


def need_to_train(experiment: Experiment) -> Need:
    """Estimate what training takes.

    Of each weight there are the optimizer's slots and perhaps the best epoch's copy;
    also, in a step, a gradient for each part of a batch, and while the state is
    written, a copy of the weight and its slots. The activations of a training step all
    wait for the way back, which begins with a gradient as large as one of them; between
    epochs, many images are predicted at once.
    """
    config, data, rows = experiment.config, experiment.data, experiment.rows
    training = config.training
    in_memory = 0 if data.is_stored else math.prod(data.image_shape)
    in_state = 1 + optimizer_slots(training.optimizer)
    kept = isinstance(training.weights, Best)
    copies = in_state + kept + max(batch_parts(config), in_state)
    train_images = plan_split(config.data, data).num_train
    sizes = [
        math.prod(row.output_shape)
        for layer, row in zip(config.model.layers, rows, strict=True)
        if not layer.works_in_place
    ]
    per_image = math.prod(data.image_shape) + sum(sizes) + max(sizes)
    in_step = min(training.batch_size, train_images) * per_image
    between = PREDICTION_BATCH * max(map(math.prod, (row.output_shape for row in rows)))
    value = _FLOAT if training.precision == "float32" else _FLOAT // 2
    return Need(
        images=(data.num_train + data.num_test) * (1 + in_memory),
        weights=_FLOAT * copies * sum(row.parameters for row in rows),
        activations=value * max(in_step, between),
    )


def optimizer_slots(optimizer: AnyOptimizer) -> int:
    """Return how many numbers an optimizer keeps for each weight."""
    options = optimizer.arguments()
    match optimizer.type:
        case "SGD":
            return int(options["momentum"] > 0)
        case "RMSprop":
            return 2 + int(options["momentum"] > 0 and options["centered"])
    return 2 + int(options["amsgrad"])


def _advice(experiment: Experiment, need: Need) -> str:
    if max(need.weights, need.activations) < _TENSORFLOW:
        return _MORE_MEMORY
    batch_size = experiment.config.training.batch_size
    if need.activations > need.weights:
        widest = max(experiment.rows, key=lambda row: math.prod(row.output_shape))
        return (
            f"lower training.batch_size, which is {batch_size:,}, or make the output "
            f"of layer {widest.index} {widest.name!r} smaller, {widest.output_shape}"
        )
    largest = max(experiment.rows, key=lambda row: row.parameters)
    return (
        f"make layer {largest.index} {largest.name!r} smaller, which has "
        f"{largest.parameters:,} parameters"
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"

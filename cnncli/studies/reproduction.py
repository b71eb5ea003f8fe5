"""A run trained again: whether it came out the same, or where it first differs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.config.flat import flattened
from cnncli.runs.differences import Difference, differences
from cnncli.studies.recorded import RecordedRun, conditions

if TYPE_CHECKING:
    from cnncli.modelfile.contents import Weight
    from cnncli.training.schedules import History

Row = Mapping[str, Any]


@dataclass(frozen=True)
class WeightsDifference:
    """Where the weights of two runs differ.

    Attributes:
        layer: The first layer of which a weight differs.
        differing: How many weights differ, in all layers.
        largest: The largest difference.
    """

    layer: str
    differing: int
    largest: float


@dataclass(frozen=True)
class PredictionsDifference:
    """Where the predictions of two runs differ.

    Attributes:
        differing: Of how many images anything differs.
        other_class: How many images are taken for another class.
    """

    differing: int
    other_class: int


@dataclass(frozen=True)
class Reproduction:
    """A run compared with the same trained again.

    Attributes:
        run: The run's folder.
        run_folder: That of the run trained again.
        epochs: How many epochs were trained now.
        weights: How many weights there are.
        predictions: How many images were predicted now.
        conditions: What decides a run's bits, and was different.
        epoch: The first epoch that differs, from 1; 0 if none does.
        history: Where its row differs first.
        weights_differ: Where the weights differ.
        metrics: Where ``metrics.json`` differs.
        predictions_differ: Where ``predictions.csv`` differs.
    """

    run: str
    run_folder: str
    epochs: int
    weights: int
    predictions: int
    conditions: tuple[Difference, ...]
    epoch: int
    history: Difference | None
    weights_differ: WeightsDifference | None
    metrics: tuple[Difference, ...]
    predictions_differ: PredictionsDifference | None

    @property
    def is_identical(self) -> bool:
        """Whether nothing that was computed differs."""
        return not (
            self.history
            or self.weights_differ
            or self.metrics
            or self.predictions_differ
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what ``reproduce --json`` says; the keys are in docs/json.md."""
        history = self.history and {"epoch": self.epoch, **self.history._asdict()}
        return {
            "schema": "cnncli.reproduction/1",
            "run": self.run,
            "run_folder": self.run_folder,
            "identical": self.is_identical,
            "epochs": self.epochs,
            "weights": self.weights,
            "predictions": self.predictions,
            "differences": {
                "conditions": [found._asdict() for found in self.conditions],
                "history": history,
                "weights": self.weights_differ and asdict(self.weights_differ),
                "metrics": [found._asdict() for found in self.metrics],
                "predictions": self.predictions_differ
                and asdict(self.predictions_differ),
            },
        }


def compare_runs(run: RecordedRun, again: RecordedRun) -> Reproduction:
    """Compare a run with the same trained again, value by value.

    Args:
        run: The run.
        again: The run trained again.
    """
    epoch, history = _history_difference(run.history, again.history)
    predictions = again.predictions()
    return Reproduction(
        str(run.folder.path),
        str(again.folder.path),
        len(again.history),
        sum(math.prod(weight.shape) for _, weight in _weights(again)),
        len(predictions),
        conditions(run, again.identity),
        epoch,
        history,
        _weights_difference(run, again),
        tuple(_differences(flattened(run.evaluation), flattened(again.evaluation))),
        _predictions_difference(run.predictions(), predictions),
    )


def _differences(before: Row, now: Row) -> Iterator[Difference]:
    """Find where two rows differ; a column that only one version writes is no such."""
    shared = before.keys() & now.keys() or before.keys() | now.keys()
    for difference in differences(before, now):
        if difference.key in shared:
            yield difference


def _history_difference(
    history: History, again: History
) -> tuple[int, Difference | None]:
    """Return the first epoch that differs, from 1, and where its row does so first."""
    none: Row = {}
    pairs = zip_longest(history, again, fillvalue=none)
    for epoch, (row, other) in enumerate(pairs, start=1):
        for difference in _differences(row, other):
            return epoch, difference
    return 0, None


def _weights(run: RecordedRun) -> list[tuple[str, Weight]]:
    """Return each array of weights with the name of its layer."""
    return [
        (layer, weight)
        for layer, weights in run.model.weights.items()
        for weight in weights
    ]


def _weights_difference(
    run: RecordedRun, again: RecordedRun
) -> WeightsDifference | None:
    """Compare the weights of the same network, bit by bit."""
    first, differing, largest = "", 0, 0.0
    for (layer, weight), (_, other) in zip(_weights(run), _weights(again), strict=True):
        before, now = (np.frombuffer(w.values, "<f4") for w in (weight, other))
        count = int((before.view("<u4") != now.view("<u4")).sum())
        if count:
            first = first or layer
            differing += count
            largest = max(largest, float(np.abs(before - now).max()))
    return WeightsDifference(first, differing, largest) if first else None


def _predictions_difference(
    predictions: Sequence[Row], again: Sequence[Row]
) -> PredictionsDifference | None:
    """Compare what was predicted of each image."""
    none: Row = {}
    pairs = zip_longest(predictions, again, fillvalue=none)
    differing = [{d.key for d in _differences(*pair)} for pair in pairs]
    count = sum(map(bool, differing))
    other_class = sum("predicted" in keys for keys in differing)
    return PredictionsDifference(count, other_class) if count else None

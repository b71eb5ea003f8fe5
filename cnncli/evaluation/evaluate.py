"""Evaluation: a network's one pass over labelled images, counted and scored."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cnncli.errors import TrainingError
from cnncli.evaluation.scores import (
    ClassScore,
    Confusion,
    class_scores,
    count_pairs,
    wilson_interval,
    worst_confusions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cnncli.backend.interface import Prediction
    from cnncli.data.images import Images, Pixels

SCHEMA = "cnncli.evaluation/1"


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of n labelled images.

    Attributes:
        split: Which images: "test", "validation", "train", or "data" for a folder's.
        indices: (n,) where each image stands in its file, from 0.
        digest: SHA-256 of the images and their labels.
        files: What the images are called, if they have names.
        true: (n,) each image's label, a class number.
        probabilities: (n, num_classes) float32, from 0 to 1.
        measures: Mean of the loss and of each metric over the images.
        classes: The score of each class.
        confusion_matrix: (num_classes, num_classes) counts; rows are the true
            classes, columns the predicted ones.
        confusions: The ten most frequent, or as many as there are.
    """

    split: str
    indices: np.ndarray
    digest: str
    files: Sequence[str]
    true: np.ndarray
    probabilities: NDArray[np.float32]
    measures: dict[str, float]
    classes: tuple[ClassScore, ...]
    confusion_matrix: np.ndarray
    confusions: tuple[Confusion, ...]

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """(n,) the class with the highest probability."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def probability(self) -> NDArray[np.float32]:
        """(n,) the probability of the predicted class."""
        return np.asarray(self.probabilities.max(axis=1))

    @cached_property
    def probability_of_true(self) -> NDArray[np.float32]:
        """(n,) the probability of the label."""
        return np.asarray(self.probabilities[np.arange(len(self.true)), self.true])

    def surest_first(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return images in the order of their probabilities.

        Where that of the predicted class is the same, the label's decides.

        Args:
            positions: Which of the images.
        """
        keys = self.probability_of_true[positions], -self.probability[positions]
        return positions[np.lexsort(keys)]

    @property
    def correct(self) -> int:
        """How many images have the highest probability at their label."""
        return int(self.confusion_matrix.trace())

    @property
    def incorrect(self) -> int:
        """How many have not."""
        return len(self.true) - self.correct

    @property
    def accuracy(self) -> float:
        """Share of the correct ones."""
        return self.correct / len(self.true)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy, lower and upper bound."""
        return wilson_interval(self.correct, len(self.true))

    def to_dict(self) -> dict[str, Any]:
        """Return what ``metrics.json`` and ``--json`` say; docs/json.md has the keys.

        A score that has no value is None.
        """
        return {
            "schema": SCHEMA,
            "split": self.split,
            "images": len(self.true),
            "images_sha256": self.digest,
            "correct": self.correct,
            "incorrect": self.incorrect,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
            **{key: value for key, value in self.measures.items() if key != "accuracy"},
            "classes": [
                {
                    "name": score.name,
                    "precision": _or_none(score.precision),
                    "recall": _or_none(score.recall),
                    "f1": _or_none(score.f1),
                    "images": score.images,
                }
                for score in self.classes
            ],
            "confusions": [asdict(confusion) for confusion in self.confusions],
            "confusion_matrix": self.confusion_matrix.tolist(),
        }


class Predicts(Protocol):
    """What can be evaluated."""

    def predict(self, pixels: Pixels, labels: NDArray[np.uint8]) -> Prediction:
        """Predict and measure every image; see ``Network`` of the backend."""


def evaluate(
    network: Predicts, images: Images, class_names: tuple[str, ...], *, split: str
) -> Evaluation:
    """Predict every image once and count.

    Args:
        network: A trained network, or a file that does the same.
        images: What to predict.
        class_names: The name of each class.
        split: What the images are called in the result.

    Raises:
        TrainingError: A probability is not finite.
    """
    prediction = network.predict(images.pixels, images.labels)
    probabilities = prediction.probabilities
    broken = len(images) - int(np.isfinite(probabilities).all(axis=1).sum())
    if broken:
        raise TrainingError(
            f"the network's probabilities are not finite for {broken:,} of the "
            f"{len(images):,} {split} images: its weights or its normalisation are far "
            "too large; train it again with a lower learning rate"
        )
    matrix = count_pairs(images.labels, probabilities.argmax(axis=1), len(class_names))
    return Evaluation(
        split=split,
        indices=images.indices,
        digest=images.digest(),
        files=[images.names[index] for index in images.indices] if images.names else (),
        true=images.labels,
        probabilities=probabilities,
        measures=prediction.means(),
        classes=class_scores(matrix, class_names),
        confusion_matrix=matrix,
        confusions=worst_confusions(matrix, class_names),
    )


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value

"""What a network gets right: counts, scores and the confusion matrix of one pass."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cnncli.backend.network import Network, mean
from cnncli.errors import TrainingError
from cnncli.plots.confusion_matrix import plot_confusion_matrix

if TYPE_CHECKING:
    from cnncli.data.dataset import Images

SCHEMA = "cnncli.evaluation/1"
_Z_95 = 1.959963984540054  # the normal distribution's 0.975 quantile


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told from the others.

    Attributes:
        name: The class.
        precision: Share of the images predicted as this class that are of it; NaN
            where none is predicted.
        recall: Share of this class's images that are predicted as it; NaN where
            there is none.
        f1: Harmonic mean of the two; NaN where both counts are zero.
        images: How many images are of this class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    images: int


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of a set of labelled images.

    Attributes:
        split: Which images: "test", "validation", "train", or a folder.
        correct: How many images have the highest probability at their label.
        incorrect: How many have not.
        accuracy: Share of the correct ones.
        interval: 95 % Wilson interval of the accuracy, lower and upper bound.
        measures: Mean of the loss and of each metric over the images.
        classes: The score of each class.
        confusion_matrix: (num_classes, num_classes) counts; rows are the true
            classes, columns the predicted ones.
        predictions: One row an image: index, true and predicted class by name, and
            the probability of the predicted one.
    """

    split: str
    correct: int
    incorrect: int
    accuracy: float
    interval: tuple[float, float]
    measures: dict[str, float]
    classes: tuple[ClassScore, ...]
    confusion_matrix: np.ndarray
    predictions: pd.DataFrame

    @property
    def counts(self) -> str:
        """The two lines of the course text."""
        return (
            f"Correct predicted classes: {self.correct}\n"
            f"Incorrect predicted classes: {self.incorrect}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what ``metrics.json`` and ``--json`` say; docs/json.md has the keys.

        A score that has no value is None.
        """
        return {
            "schema": SCHEMA,
            "split": self.split,
            "images": self.correct + self.incorrect,
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
            "confusion_matrix": self.confusion_matrix.tolist(),
        }


def evaluate(
    network: Network, images: Images, class_names: tuple[str, ...], *, split: str
) -> Evaluation:
    """Predict every image once and count.

    Args:
        network: A trained network.
        images: What to predict.
        class_names: The name of each class.
        split: What the images are called in the result.

    Raises:
        TrainingError: The network gives something else than probabilities.
    """
    probabilities, values = network.predict(images.pixels, images.labels)
    broken = len(images) - int(np.isfinite(probabilities).all(axis=1).sum())
    if broken:
        raise TrainingError(
            f"the network's probabilities are not finite for {broken:,} of the "
            f"{len(images):,} {split} images: its weights or its normalisation are far "
            "too large; train it again with a lower learning rate"
        )
    predicted = probabilities.argmax(axis=1)
    num_classes = len(class_names)
    pairs = images.labels.astype(np.int64) * num_classes + predicted
    matrix = np.bincount(pairs, minlength=num_classes**2)
    matrix = matrix.reshape(num_classes, num_classes)
    correct = int(matrix.trace())
    names = np.array(class_names, dtype=object)
    predictions = pd.DataFrame(
        {
            "index": images.indices,
            "true": names[images.labels],
            "predicted": names[predicted],
            "probability": probabilities.max(axis=1),
        }
    )
    return Evaluation(
        split=split,
        correct=correct,
        incorrect=len(images) - correct,
        accuracy=correct / len(images),
        interval=wilson_interval(correct, len(images)),
        measures={name: mean(measured) for name, measured in values.items()},
        classes=class_scores(matrix, class_names),
        confusion_matrix=matrix,
        predictions=predictions,
    )


def evaluation_files(evaluation: Evaluation) -> dict[str, bytes | str]:
    """Return the files that an evaluation makes, by their names."""
    names = [score.name for score in evaluation.classes]
    return {
        "metrics.json": json.dumps(evaluation.to_dict(), indent=2) + "\n",
        "predictions.csv": evaluation.predictions.to_csv(index=False),
        "confusion_matrix.png": plot_confusion_matrix(
            evaluation.confusion_matrix, names
        ),
    }


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, after Wilson (1927).

    Args:
        correct: How many are correct, 0 to ``images``.
        images: Out of how many, at least 1.

    Returns:
        Lower and upper bound, within 0 to 1. Unlike the normal approximation it is
        right for shares near 0 and 1.

    Reference: https://doi.org/10.1080/01621459.1927.10502953
    """
    share = correct / images
    shrink = 1 + _Z_95**2 / images
    centre = (share + _Z_95**2 / (2 * images)) / shrink
    spread = share * (1 - share) / images + _Z_95**2 / (4 * images**2)
    half = _Z_95 * math.sqrt(spread) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)


def class_scores(
    matrix: np.ndarray, class_names: tuple[str, ...]
) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of each class.

    Args:
        matrix: (num_classes, num_classes) counts, rows true, columns predicted.
        class_names: The name of each class.
    """
    scores = []
    for index, name in enumerate(class_names):
        hits = int(matrix[index, index])
        of_class, predicted = int(matrix[index].sum()), int(matrix[:, index].sum())
        precision = hits / predicted if predicted else math.nan
        recall = hits / of_class if of_class else math.nan
        f1 = 2 * hits / (of_class + predicted) if of_class + predicted else math.nan
        scores.append(ClassScore(name, precision, recall, f1, of_class))
    return tuple(scores)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value

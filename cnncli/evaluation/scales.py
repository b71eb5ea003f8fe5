"""The scale of the pixels that a network was trained on, found by trying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnncli.evaluation.evaluate import Evaluation, evaluate

if TYPE_CHECKING:
    from cnncli.backend.interface import ExplainingBackend
    from cnncli.data.images import Images
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.file import ModelFile


@dataclass(frozen=True)
class Trial:
    """What a network gets right with a normalisation.

    Attributes:
        normalization: The normalisation.
        evaluation: How well it does with it.
    """

    normalization: Normalization
    evaluation: Evaluation

    @property
    def loss(self) -> float:
        """The loss, which tells scales apart better than the accuracy does."""
        return self.evaluation.measures["loss"]


def try_scales(
    backend: ExplainingBackend,
    saved: ModelFile,
    images: Images,
    normalizations: Sequence[Normalization],
) -> list[Trial]:
    """Evaluate a network with normalisations of which one may be its own.

    Args:
        backend: Started for the network's config.
        saved: The network.
        images: Test images.
        normalizations: What to try, none of them twice.

    Returns:
        The trials, the lowest loss first.

    Raises:
        ModelFileError: The weights don't fit the network, or aren't finite.
        TrainingError: A probability is not finite.
    """
    trials = []
    for normalization in normalizations:
        network = backend.load(replace(saved, normalization=normalization))
        result = evaluate(network, images, saved.class_names, split="test")
        trials.append(Trial(normalization, result))
    return sorted(trials, key=lambda trial: trial.loss)

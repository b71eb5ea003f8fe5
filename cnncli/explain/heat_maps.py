"""Heat maps: what speaks for a class, for another, and for a network of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from cnncli.explain.precision import check_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.backend.interface import ExplainableNetwork

    Values = NDArray[np.float64]


class Method(Protocol):
    """A way to find what speaks for a class.

    Attributes:
        key: What to call it among arrays.
    """

    key: ClassVar[str]

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def heading(self) -> str:
        """What it shows and how it was made."""

    def example(self, image: NDArray[np.uint8]) -> tuple[str, str, NDArray[np.uint8]]:
        """Return an image that the network sees, its name, and what it is."""

    def maps(
        self,
        network: ExplainableNetwork,
        image: NDArray[np.uint8],
        classes: Sequence[int],
    ) -> list[Values]:
        """Return (height, width) for each class: at each pixel what speaks for it."""


@dataclass(frozen=True)
class HeatMap:
    """What speaks for a class, at each pixel of an image.

    Attributes:
        class_number: The class.
        logit: What the network's last layer gives for the class before its softmax.
        probability: What it gives after it.
        values: (height, width); below 0 is what speaks against the class.
    """

    class_number: int
    logit: float
    probability: float
    values: Values

    @property
    def peak(self) -> tuple[int, int]:
        """The first pixel with the highest value: its row and column, from 0."""
        row, column = np.unravel_index(self.values.argmax(), self.values.shape)
        return int(row), int(column)

    @property
    def finding(self) -> str:
        """Words for a map that no picture can show; empty for any other."""
        if not self.values.any():
            return "zero everywhere"
        low, high = self.values.min(), self.values.max()
        if high - low <= 1e-6 * max(high, -low):
            return f"{high:.3g} everywhere"
        return ""


@dataclass(frozen=True)
class Explanation:
    """What speaks for the class of an image, and what that must differ from.

    Attributes:
        class_number: The class.
        heat_maps: By each method: that of the class, that of the likeliest other class,
            that of the class for a network with random weights.
    """

    class_number: int
    heat_maps: list[tuple[HeatMap, HeatMap, HeatMap]]


def explain(
    trained: ExplainableNetwork,
    chance: ExplainableNetwork,
    image: NDArray[np.uint8],
    methods: Sequence[Method],
    class_number: int | None = None,
) -> Explanation:
    """Find what in an image speaks for a class.

    A map means little if it is the same for another class, or before training.
    Reference: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018,
    https://arxiv.org/abs/1810.03292

    Args:
        trained: The network.
        chance: The same network with random weights.
        image: (height, width, channels).
        methods: How to find it.
        class_number: The class; without one, the likeliest.

    Raises:
        TrainingError: A network gives values that are not finite.
    """
    order = np.argsort(-_logits(trained, image), kind="stable").tolist()
    chosen = order[0] if class_number is None else class_number
    other = next(number for number in order if number != chosen)
    found = []
    for method in methods:
        first, second = _heat_maps(method, trained, image, chosen, other)
        (third,) = _heat_maps(method, chance, image, chosen)
        found.append((first, second, third))
    return Explanation(chosen, found)


def _heat_maps(
    method: Method, network: ExplainableNetwork, image: NDArray[np.uint8], *classes: int
) -> list[HeatMap]:
    """Return a heat map of each class."""
    logits = _logits(network, image)
    shares = np.exp(logits - logits.max())
    probabilities = shares / shares.sum()
    return [
        HeatMap(number, float(logits[number]), float(probabilities[number]), values)
        for number, values in zip(
            classes, method.maps(network, image, classes), strict=True
        )
    ]


def _logits(network: ExplainableNetwork, image: NDArray[np.uint8]) -> Values:
    (logits,) = network.logits(image[np.newaxis])
    check_finite("the network", logits)
    exact: Values = logits.astype(np.float64)
    return exact

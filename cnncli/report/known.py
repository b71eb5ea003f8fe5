"""What may be known of a network that a report is written of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.architecture import Shape
    from cnncli.config.layers import Layer
    from cnncli.data.images import Images
    from cnncli.evaluation.evaluate import Evaluation


@dataclass(frozen=True)
class Trained:
    """How a network was trained.

    Attributes:
        name: What the run is called, any text.
        config: The resolved config, as YAML.
        history: One row an epoch, as in history.csv; there may be none.
        manifest: What manifest.json says.
    """

    name: str
    config: str = ""
    history: Sequence[Mapping[str, float]] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What a network made of images.

    Attributes:
        evaluation: What it got right.
        images: The images.
        layers: The network's, which fit each other.
        activations: What they make of the first image, (1, height, width, channels)
            or (1, units), each by its name; empty if that can't be seen.
    """

    evaluation: Evaluation
    images: Images
    layers: Sequence[Layer] = ()
    activations: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def image_shape(self) -> Shape:
        """(height, width, channels)."""
        height, width, channels = self.images.pixels.shape[1:]
        return height, width, channels

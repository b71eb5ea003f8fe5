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
        folder: The name of its folder, any text; empty if it has none.
        layers: The network's, which fit each other; none if they aren't known.
        image_shape: (height, width, channels) that it takes; None if that isn't known.
        config: The resolved config, as YAML.
        history: One row an epoch, as in history.csv; there may be none.
        seconds: How long each epoch took, as far as it is known.
        kept_epoch: The epoch, from 1, whose weights the network has.
        manifest: What manifest.json says, of perhaps unknown origin.
        go_on: The command that goes on with a run that isn't finished.
        notes: What is wrong with the run's files.
    """

    name: str
    folder: str = ""
    layers: Sequence[Layer] = ()
    image_shape: Shape | None = None
    config: str = ""
    history: Sequence[Mapping[str, float]] = ()
    seconds: Sequence[float] = ()
    kept_epoch: int | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    go_on: str = ""
    notes: Sequence[str] = ()

    @property
    def title(self) -> str:
        """Its name, and its folder's where that says more."""
        is_said = self.folder in ("", self.name)
        return self.name if is_said else f"{self.name}, {self.folder}"


@dataclass(frozen=True)
class Measurement:
    """What a network made of images.

    Attributes:
        evaluation: What it got right.
        images: The images.
        place: Where they are, if they aren't those of the run.
        activations: What the layers make of the first image, (1, height, width,
            channels) or (1, units), each by its name; empty if that can't be seen.
    """

    evaluation: Evaluation
    images: Images
    place: str = ""
    activations: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

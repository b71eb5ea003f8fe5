"""What can predict pictures: a run's model, or a file that was exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cnncli.commands.started import backend_started, native_stderr_watched
from cnncli.modelfile.place import is_exported

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.data.brightness import Brightness
    from cnncli.data.images import Images
    from cnncli.data.pictures import Fit
    from cnncli.evaluation.predict import Predicts
    from cnncli.modelfile.file import ModelFile


class Described(Protocol):
    """What is known of a model or an exported file."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""

    @property
    def image_shape(self) -> Shape:
        """(height, width, channels) that it takes."""

    @property
    def brightness(self) -> Brightness | None:
        """How light its training images are."""

    @property
    def fit(self) -> Fit:
        """How pictures are brought to its size."""


@dataclass(frozen=True)
class Opened:
    """A model, or an exported file, that isn't running yet.

    Attributes:
        path: Its file.
        described: What is known of it.
        started: Makes it run.
        load: Reads the test images of its own data set, or of another.
    """

    path: Path
    described: Described
    started: Callable[[], AbstractContextManager[Predicts]]
    load: Callable[[Path], Images]


@contextmanager
def opened_model(model: Path) -> Iterator[Opened]:
    """Open a run's model, or what ``cnncli export`` wrote.

    Yields:
        What is in it.
    """
    from cnncli.architecture.batches import SIDE_BY_SIDE
    from cnncli.evaluation.images import load_images_at
    from cnncli.experiment.memory import check_memory_to_predict
    from cnncli.modelfile.file import open_model

    if not is_exported(model):
        saved = open_model(model)
        check_memory_to_predict(saved, SIDE_BY_SIDE)
        yield Opened(
            saved.path,
            saved,
            partial(_started, saved),
            lambda data: load_images_at(data, "test", saved, saved.config.data.source),
        )
        return

    from cnncli.export.reading import open_exported

    with native_stderr_watched():
        network = open_exported(model)
        described = network.description
        yield Opened(
            model,
            described,
            lambda: nullcontext(network),
            lambda data: load_images_at(data, "test", described),
        )


@contextmanager
def _started(saved: ModelFile) -> Iterator[Predicts]:
    """Start the network of a model file."""
    with backend_started(saved.config) as backend:
        yield backend.load(saved)

"""The interface of a file format, and all formats there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from cnncli.errors import ConfigError
from cnncli.export.keras import KerasFile
from cnncli.export.litert import LiteRT
from cnncli.export.onnx import Onnx
from cnncli.export.saved_model import SavedModel

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.backend.interface import Network
    from cnncli.export.description import Description
    from cnncli.modelfile.file import ModelFile

Run = Callable[["NDArray[np.generic]"], "NDArray[np.float32]"]
"""Takes images as a file's description says, gives their probabilities."""


@dataclass(frozen=True)
class Trained:
    """A trained network that is to be written.

    Attributes:
        saved: Its model file.
        network: The network, computing in 32-bit floats.
        description: What the file says of itself.
        calibration: Images from which the range of each layer's values is taken, if
            they are to be 8-bit whole numbers.
    """

    saved: ModelFile
    network: Network
    description: Description
    calibration: NDArray[np.uint8] | None = None

    def inference_model(self) -> keras.Model:
        """Return the network without what only trains, with its normalisation."""
        from cnncli.backend.tensorflow.inference import inference_model

        return inference_model(
            self.network,
            self.saved,
            input_name=self.description.input_name,
            normalizes=self.description.preprocessing == "inside",
        )


class Format(Protocol):
    """A file format with a run time of its own.

    Attributes:
        suffix: How the name of a file ends; empty for a folder.
        needs: The modules that aren't installed with this program, by package.
        extra: The extra of this program that installs them.
        most_bytes: How many bytes of weights a file can hold, if there is a limit.
    """

    suffix: str
    most_bytes: int | None
    needs: Mapping[str, str]
    extra: str

    def write(self, trained: Trained, path: Path) -> None:
        """Write a network.

        Args:
            trained: The network.
            path: A file or folder that isn't there yet.

        Raises:
            ExportError: The network can't be written in this format.
        """

    def beside(self, description: Description, path: Path) -> dict[Path, str]:
        """Return the texts that go beside a file, by their paths."""

    def open(self, path: Path) -> Run:
        """Open a file with its own run time."""

    def lines(self, path: str) -> tuple[str, str, str]:
        """Return the three lines of Python that run a file on ``images``."""


FORMATS: dict[str, Format] = {
    "keras": KerasFile(),
    "saved-model": SavedModel(),
    "tflite": LiteRT(),
    "onnx": Onnx(),
}
"""All formats by the names that ``export --format`` has for them."""


def require(wanted: Format, wanted_by: str) -> None:
    """Check that what a format needs is installed.

    Args:
        wanted: The format.
        wanted_by: The option or file that it is needed for.

    Raises:
        ConfigError: Something is missing.
    """
    missing = [
        package for package, module in wanted.needs.items() if find_spec(module) is None
    ]
    if missing:
        raise ConfigError(
            f"{wanted_by}: needs {' and '.join(missing)}: "
            f"pip install 'cnncli[{wanted.extra}]'"
        )

"""``.keras``: a file of plain Keras, with a JSON file beside it that describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cnncli.export.labels import labels_beside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cnncli.export.description import Description
    from cnncli.export.formats import Run, Trained


class KerasFile:
    """See ``cnncli.export.formats.Format``."""

    suffix = ".keras"
    most_bytes: int | None = None
    needs: Mapping[str, str] = {}
    extra = ""

    def write(self, trained: Trained, path: Path) -> None:
        """Write a network that Keras's layers make up."""
        trained.inference_model().save(path)

    def beside(self, description: Description, path: Path) -> dict[Path, str]:
        """Return the description and the class names."""
        text = f"{json.dumps(description.to_json(), ensure_ascii=False, indent=2)}\n"
        return {
            path.with_name(f"{path.name}.json"): text,
            **labels_beside(description, path),
        }

    def open(self, path: Path) -> Run:
        """Open a file with plain Keras."""
        from cnncli.backend.tensorflow.inference import open_keras

        return open_keras(path)

    def lines(self, path: str) -> tuple[str, str, str]:
        """Return the three lines of Python that run a file."""
        return (
            "import keras",
            f"model = keras.models.load_model({path!r})",
            "probabilities = model.predict(images)",
        )

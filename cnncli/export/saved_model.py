"""SavedModel: TensorFlow's folder, with its description in ``assets.extra``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cnncli.export.labels import LABELS_NAME, labels_text
from cnncli.system.files import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cnncli.export.description import Description
    from cnncli.export.formats import Run, Trained

EXTRA = "assets.extra"
"""The folder that TensorFlow leaves to whoever writes a SavedModel."""


class SavedModel:
    """See ``cnncli.export.formats.Format``."""

    suffix = ""
    most_bytes: int | None = None
    needs: Mapping[str, str] = {}
    extra = ""

    def write(self, trained: Trained, path: Path) -> None:
        """Write a folder with one function, ``serve``, and its signature."""
        from cnncli.backend.tensorflow.inference import write_saved_model

        description = trained.description
        write_saved_model(trained.inference_model(), path, description.output_name)
        for name, text in (
            (
                "description.json",
                f"{json.dumps(description.to_json(), ensure_ascii=False, indent=2)}\n",
            ),
            (LABELS_NAME, labels_text(description)),
        ):
            write_file(path / EXTRA / name, text)

    def beside(self, description: Description, path: Path) -> dict[Path, str]:
        """Return nothing: all is in the folder."""
        return {}

    def open(self, path: Path) -> Run:
        """Open a folder with plain TensorFlow."""
        from cnncli.backend.tensorflow.inference import open_saved_model
        from cnncli.export.description import OUTPUT_NAME

        return open_saved_model(path, OUTPUT_NAME)

    def lines(self, path: str) -> tuple[str, str, str]:
        """Return the three lines of Python that run a folder."""
        return (
            "import tensorflow as tf",
            f"model = tf.saved_model.load({path!r})",
            "probabilities = model.serve(images)['probabilities']",
        )

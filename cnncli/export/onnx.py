"""ONNX: a graph that is written from config and weights, without TensorFlow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cnncli.system.processor import available_threads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnxruntime

    from cnncli.export.description import Description
    from cnncli.export.formats import Run, Trained


class Onnx:
    """See ``cnncli.export.formats.Format``."""

    suffix = ".onnx"
    most_bytes: int | None = 2**31 - 2**20
    needs: Mapping[str, str] = {"onnx": "onnx", "onnxruntime": "onnxruntime"}
    extra = "onnx"

    def write(self, trained: Trained, path: Path) -> None:
        """Write a graph, with the description in ``metadata_props``."""
        import onnx

        from cnncli.export.onnx_graph import build_graph

        model = build_graph(trained.saved, trained.description)
        onnx.helper.set_model_props(
            model,
            {
                key: value
                if isinstance(value, str)
                else json.dumps(value, ensure_ascii=False)
                for key, value in trained.description.to_json().items()
            },
        )
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)

    def beside(self, description: Description, path: Path) -> dict[Path, str]:
        """Return nothing: all is in the file."""
        return {}

    def open(self, path: Path) -> Run:
        """Open a file with ONNX Runtime."""
        import onnxruntime

        from cnncli.architecture import INPUT_NAME

        session = onnxruntime.InferenceSession(path, _options())
        return lambda images: session.run(None, {INPUT_NAME: images})[0]

    def describe(self, path: Path) -> Description:
        """Return the description in a file.

        Raises:
            ValueError: There is none.
        """
        import onnxruntime

        from cnncli.export.description import Description

        model = onnxruntime.InferenceSession(path, _options()).get_modelmeta()
        return Description.from_json(
            {
                key: json.loads(text) if text.startswith("[") else text
                for key, text in model.custom_metadata_map.items()
            }
        )

    def lines(self, path: str) -> tuple[str, str, str]:
        """Return the three lines of Python that run a file."""
        return (
            "import onnxruntime",
            f"session = onnxruntime.InferenceSession({path!r})",
            "probabilities = session.run(None, {'image': images})[0]",
        )


def _options() -> onnxruntime.SessionOptions:
    """Keep to the threads that this process may have, and say errors once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_threads()
    options.log_severity_level = 4
    return options

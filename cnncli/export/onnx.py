"""ONNX: a graph that is written from config and weights, without TensorFlow."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from cnncli.system.processor import available_threads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnx
    import onnxruntime

    from cnncli.export.description import Description
    from cnncli.export.formats import Run, Trained


_DIGEST = "graph_sha256"
"""The key of the digest of all that is computed."""


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
        texts = {
            key: value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False)
            for key, value in trained.description.to_json().items()
        }
        onnx.helper.set_model_props(model, texts | {_DIGEST: _digest(model)})
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
            ValueError: There is none, or the file has been changed.
        """
        import onnx

        from cnncli.export.description import Description, check_digest

        model = onnx.load(path)
        texts = {entry.key: entry.value for entry in model.metadata_props}
        digest = texts.pop(_DIGEST, None)
        description = Description.from_json(
            {
                key: json.loads(text) if text.startswith("[") else text
                for key, text in texts.items()
            }
        )
        check_digest(digest, _digest(model))
        return description

    def lines(self, path: str) -> tuple[str, str, str]:
        """Return the three lines of Python that run a file."""
        return (
            "import onnxruntime",
            f"session = onnxruntime.InferenceSession({path!r})",
            "probabilities = session.run(None, {'image': images})[0]",
        )


def _digest(model: onnx.ModelProto) -> str:
    """Return the SHA-256 of a model's graph, weights included."""
    content = model.graph.SerializeToString(deterministic=True)
    return hashlib.sha256(content).hexdigest()


def _options() -> onnxruntime.SessionOptions:
    """Keep to the threads that this process may have, and say errors once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_threads()
    options.log_severity_level = 4
    return options

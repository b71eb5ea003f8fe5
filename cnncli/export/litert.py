"""LiteRT, formerly TensorFlow Lite: ``.tflite``, with the description inside."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING

from cnncli.export.labels import LABELS_NAME, labels_beside, labels_text
from cnncli.system.files import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cnncli.export.description import Description
    from cnncli.export.formats import Run, Trained

DESCRIPTION_NAME = "description.json"
_DIGEST = "sha256.txt"
"""The file in the archive with the SHA-256 of what stands before it."""


class LiteRT:
    """See ``cnncli.export.formats.Format``."""

    suffix = ".tflite"
    most_bytes: int | None = 2**31 - 2**20
    needs: Mapping[str, str] = {"ai-edge-litert": "ai_edge_litert"}
    extra = "litert"

    def write(self, trained: Trained, path: Path) -> None:
        """Write a network of LiteRT's own operators, of whole numbers if calibrated."""
        from cnncli.backend.tensorflow.inference import write_litert
        from cnncli.export.litert_metadata import with_metadata

        description = trained.description
        write_litert(
            trained.inference_model(),
            path,
            description.output_name,
            None
            if trained.calibration is None
            else description.prepared(trained.calibration),
        )
        content = with_metadata(path.read_bytes(), description)
        write_file(path, _with_files(content, description))

    def beside(self, description: Description, path: Path) -> dict[Path, str]:
        """Return the class names, which are inside too."""
        return labels_beside(description, path)

    def open(self, path: Path) -> Run:
        """Open a file with LiteRT."""
        from ai_edge_litert.interpreter import Interpreter

        from cnncli.architecture import INPUT_NAME
        from cnncli.export.description import OUTPUT_NAME
        from cnncli.system.processor import available_threads

        interpreter = Interpreter(str(path), num_threads=available_threads())
        run = interpreter.get_signature_runner()
        return lambda images: run(**{INPUT_NAME: images})[OUTPUT_NAME]

    def describe(self, path: Path) -> Description:
        """Return the description in a file.

        Raises:
            ValueError: There is none, or the file has been changed.
        """
        from cnncli.export.description import Description, check_digest

        if not zipfile.is_zipfile(path):
            return Description.from_json(None)
        with zipfile.ZipFile(path) as archive:
            description = Description.from_json(
                json.loads(archive.read(DESCRIPTION_NAME))
            )
            names = archive.namelist()
            digest = archive.read(_DIGEST).decode() if _DIGEST in names else None
            start = min(member.header_offset for member in archive.infolist())
        network = path.read_bytes()[:start]
        check_digest(digest, hashlib.sha256(network).hexdigest())
        return description

    def lines(self, path: str) -> tuple[str, str, str]:
        """Return the three lines of Python that run a file."""
        return (
            "from ai_edge_litert.interpreter import Interpreter",
            f"run = Interpreter({path!r}).get_signature_runner()",
            "probabilities = run(image=images)['probabilities']",
        )


def _with_files(content: bytes, description: Description) -> bytes:
    """Append a zip archive, as LiteRT's metadata has its files."""
    text = json.dumps(description.to_json(), ensure_ascii=False, indent=2)
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS_NAME), labels_text(description))
        archive.writestr(zipfile.ZipInfo(DESCRIPTION_NAME), text)
        digest = hashlib.sha256(content).hexdigest()
        archive.writestr(zipfile.ZipInfo(_DIGEST), digest)
    return file.getvalue()

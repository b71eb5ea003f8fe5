"""What a model file says of itself, and a run's manifest of it; without TensorFlow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.architecture import trace_network
from cnncli.config import config_to_json
from cnncli.errors import ModelFileError
from cnncli.modelfile.check import file_digest, open_contents
from cnncli.modelfile.contents import RefusedError
from cnncli.modelfile.file import ModelFile, understood
from cnncli.modelfile.foreign import keras_version
from cnncli.modelfile.kinds import kind_of
from cnncli.modelfile.place import MODEL_NAME, find_model
from cnncli.runs.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.architecture import LayerRow
    from cnncli.modelfile.contents import Contents
    from cnncli.modelfile.foreign import KerasModel

SCHEMA = "cnncli.inspection/1"
_FIRST_TF_KERAS = 16
"""From this 2.x on, only tf-keras is of that version: Keras went on with 3.0."""

_NOTED = ("status", "started", "ended", "seconds", "kept_epoch", "python", "versions")


@dataclass(frozen=True)
class Inspection:
    """A model file, looked at from outside.

    Attributes:
        path: The file.
        num_bytes: Its size.
        sha256: Of its bytes.
        program: What wrote it: "cnncli", "Keras" or "tf-keras".
        version: Of that program; "" if it doesn't say.
        keras_version: The Keras that wrote it, or that cnncli wrote it with.
        backend: The Keras backend's name; "" if it doesn't say.
        model: What is in it; None if it can't be taken over.
        rows: Its layers.
        notes: What is different from what Keras describes.
        problems: Why it can't be taken over.
        run: What the manifest of its run folder says, if it is in one.
    """

    path: Path
    num_bytes: int
    sha256: str
    program: str
    version: str
    keras_version: str
    backend: str
    model: ModelFile | KerasModel | None
    rows: tuple[LayerRow, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    run: dict[str, Any] | None

    @property
    def own(self) -> ModelFile | None:
        """The model, if this program wrote the file."""
        return self.model if isinstance(self.model, ModelFile) else None

    @property
    def config_sha256(self) -> str | None:
        """The SHA-256 of the config that the file carries."""
        if self.own is None:
            return None
        return hashlib.sha256(config_to_json(self.own.config).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``inspect --json`` says; the keys are in docs/json.md."""
        own, model, rows = self.own, self.model, self.rows
        return {
            "schema": SCHEMA,
            "file": str(self.path),
            "bytes": self.num_bytes,
            "sha256": self.sha256,
            "written_by": self.program,
            "version": self.version or None,
            "keras_version": self.keras_version or None,
            "backend": self.backend or None,
            "name": own.config.name if own else None,
            "config_sha256": self.config_sha256,
            "image_shape": list(model.image_shape) if model else None,
            "normalization": own.normalization.to_dict() if own else None,
            "classes": list(own.class_names) if own else None,
            "fingerprints": own.fingerprints if own else None,
            "layers": [
                {
                    "name": row.name,
                    "type": row.type,
                    "output_shape": list(row.output_shape),
                    "parameters": row.parameters,
                }
                for row in rows
            ]
            if model
            else None,
            "parameters": sum(row.parameters for row in rows) if model else None,
            "trainable_parameters": sum(row.trainable_parameters for row in rows)
            if model
            else None,
            "notes": list(self.notes),
            "problems": list(self.problems),
            "run": self.run,
        }


def inspect_model(path: Path) -> Inspection:
    """Look at a model file of this program's or of Keras's.

    Args:
        path: A run folder, or a model file.

    Raises:
        ModelFileError: It is no model, or a damaged one; of Keras's, what can't be
            taken over is no error.
    """
    file = find_model(path)
    if kind := kind_of(file):
        raise ModelFileError(f"{file}: not a model but {kind}")
    contents = open_contents(file)
    model, problems = _understood(file, contents)
    program, version, keras = _writer(contents)
    return Inspection(
        file,
        file.stat().st_size,
        file_digest(file),
        program,
        version,
        keras,
        contents.attributes.get("backend", ""),
        model,
        trace_network(model.config.model.layers, model.image_shape) if model else (),
        tuple(_notes(model)),
        problems,
        _run_of(file),
    )


def _understood(
    file: Path, contents: Contents
) -> tuple[ModelFile | KerasModel | None, tuple[str, ...]]:
    """Return a model, or why it is none that can be taken over."""
    try:
        return understood(file, contents), ()
    except ModelFileError as error:
        if contents.is_ours:
            raise
        return None, tuple(p.removeprefix(f"{file}: ") for p in error.problems)


def _writer(contents: Contents) -> tuple[str, str, str]:
    """Return the program that wrote a file, its version, and Keras's."""
    try:
        keras = keras_version(contents)
    except RefusedError:  # then it can't be taken over either, which says why
        keras = ""
    if contents.is_ours:
        return "cnncli", contents.attributes.get("cnncli_version", ""), keras
    major, _, rest = keras.partition(".")
    minor = rest.partition(".")[0]
    is_tf_keras = major == "2" and minor.isdecimal() and int(minor) >= _FIRST_TF_KERAS
    return "tf-keras" if is_tf_keras else "Keras", keras, keras


def _notes(model: ModelFile | KerasModel | None) -> list[str]:
    if model is None or isinstance(model, ModelFile):
        return []
    notes = list(model.notes)
    if model.gives_logits:
        notes.append("it gives logits, of which its loss made probabilities")
    if model.takes_whole_numbers:
        notes.append("its input takes whole numbers")
    return notes


def _run_of(file: Path) -> dict[str, Any] | None:
    """Return what the manifest beside a model says of the run."""
    manifest = RunFolder(file.parent).manifest() if file.name == MODEL_NAME else {}
    return {key: manifest.get(key) for key in _NOTED} if manifest else None

"""The model that MODEL means: a file, or the one in a run folder.

Also the names of a run folder's files, for whoever writes or reads them.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from cnncli.errors import ModelFileError
from cnncli.system.files import read_json

MODEL_NAME = "model.h5"
MANIFEST_NAME = "manifest.json"
STATE_NAME = "state.npz"
CONFIG_NAME = "config.yaml"
HISTORY_NAME = "history.csv"
METRICS_NAME = "metrics.json"
REPORT_NAME = "report.html"
STUDY_NAME = "study.json"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""How a model file begins."""

EXPORTED_SUFFIXES = frozenset({".onnx", ".tflite"})
"""How the names of files end that ``cnncli export`` wrote and ``evaluate`` runs."""

_HEAD = 64
_GZIP = b"\x1f\x8b"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def find_model(path: Path) -> Path:
    """Return the model file that MODEL means: itself, or the one in a run folder.

    Raises:
        ModelFileError: The path is a URL, can't be read, or leads to a file for other
            programs, a folder without a model or with a run that isn't finished.
    """
    if is_url(path):
        raise ModelFileError(
            f"{path}: only local files are read; download the model and give its path"
        )
    if is_exported(path):
        raise ModelFileError(
            f"{path}: a file for other programs, which only evaluate and predict run; "
            "give the run folder or model file that it was exported from"
        )
    try:
        if not path.is_dir():
            return path
        has_model = (path / MODEL_NAME).exists()
    except OSError as error:
        raise ModelFileError(f"{path}: can't read it: {error.strerror}") from error
    is_run = is_finished_run(path)
    if not has_model:
        if (path / "saved_model.pb").exists():
            raise ModelFileError(
                f"{path}: a SavedModel of TensorFlow; save it with Keras, as one "
                ".keras or .h5 file"
            )
        what = "the run has lost its model" if is_run else "not a run folder"
        raise ModelFileError(f"{path}: {what}; it has no {MODEL_NAME}")
    return path / MODEL_NAME


def is_finished_run(folder: Path) -> bool:
    """Return whether a folder holds a run.

    Raises:
        ModelFileError: It holds one that isn't finished.
    """
    manifest = read_json(folder / MANIFEST_NAME)
    is_run = isinstance(manifest, dict) and "status" in manifest
    if is_run and manifest["status"] != "finished":
        raise ModelFileError(
            f"{folder}: the run isn't finished; go on with it with "
            f"'{resume_command(folder)}'"
        )
    return is_run


def is_study(path: Path) -> bool:
    """Tell the folder of several runs that were made together."""
    return read_json(path / STUDY_NAME) is not None


def is_url(path: Path) -> bool:
    """Tell what Keras or TensorFlow would fetch; ``Path`` made one slash of two."""
    return _URL.match(str(path)) is not None


def is_exported(path: Path) -> bool:
    """Tell a file for other programs by its name: ONNX files begin like no others."""
    return path.suffix.lower() in EXPORTED_SUFFIXES


def is_model(path: Path) -> bool:
    """Tell a model, whole or broken, from a config by its content.

    A folder is a model, and so is what has two zero bytes in a row near its start, as
    HDF5, zip and pickle files have, but no text, and gzip only by its date. An exported
    file is one by its name.
    """
    if is_exported(path):
        return True
    try:
        if not path.is_file():
            return path.is_dir()
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    is_gzip = head.startswith(_GZIP)
    return head.startswith(HDF5_SIGNATURE[:4]) or (b"\0\0" in head and not is_gzip)


def recorded_digest(path: Path) -> str | None:
    """Return the SHA-256 that the manifest beside a file records for it, if any."""
    match read_json(path.with_name(MANIFEST_NAME)):
        case {"files": {path.name: str(digest)}}:
            return digest
    return None


def resume_command(folder: Path) -> str:
    """Return the command that goes on with a folder's run, to be typed in a shell."""
    config = shlex.quote(str(folder / CONFIG_NAME))
    return f"cnncli train {config} --out {shlex.quote(str(folder))} --resume"

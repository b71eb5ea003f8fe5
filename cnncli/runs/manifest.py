"""``manifest.json``: what is known of a run when it begins, and when it has ended."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from cnncli import __version__
from cnncli.modelfile.check import file_digest
from cnncli.modelfile.place import MODEL_NAME

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.results import RunResult


def first_manifest(config: Config, runtime: dict[str, object]) -> dict[str, object]:
    """Return what is known before a run.

    Args:
        config: The run's.
        runtime: What the backend says of itself.
    """
    return {
        "cnncli": __version__,
        "name": config.name,
        "seed": config.seed,
        "precision": config.training.precision,
        "git_commit": _git_commit(),
        **runtime,
    }


def last_manifest(
    folder: RunFolder,
    result: RunResult,
    data: dict[str, Any],
    epoch_seconds: list[float],
    parameters: int,
) -> dict[str, object]:
    """Return what is known after a run, beside what was known before.

    Args:
        folder: The run's, with the model in it.
        result: How the run went.
        data: What is to be said of the images.
        epoch_seconds: How long each epoch took.
        parameters: How many the network has.
    """
    return {
        "seconds": result.seconds,
        "epoch_seconds": [round(second, 3) for second in epoch_seconds],
        "kept_epoch": result.kept_epoch,
        "parameters": parameters,
        "warnings": result.warnings,
        "data": data,
        "files": {MODEL_NAME: file_digest(folder / MODEL_NAME)},
    }


def _git_commit() -> str | None:
    """Return the commit that the working folder is at, if it is under git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()

"""A run folder: whose it is, what is in it, and what may be written there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cnncli.errors import OutputError
from cnncli.files import write_file

MANIFEST = "manifest.json"
LOG = "tensorflow.log"
SCHEMA = "cnncli.run/1"
FILES = (
    "config.yaml",
    MANIFEST,
    "model.h5",
    "history.csv",
    "history.png",
    "summary.txt",
    "metrics.json",
    "predictions.csv",
    "confusion_matrix.png",
    LOG,
)


class RunFolder:
    """The folder that a run leaves.

    Args:
        path: Where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def check_free(self, *, overwrite: bool) -> None:
        """Refuse a folder in which a new run would destroy or mix up anything.

        Args:
            overwrite: Whether the run in the folder may be replaced.

        Raises:
            OutputError: There is something else than a folder, a folder of something
                else, or a run that may not be replaced.
        """
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise OutputError(
                f"{self.path}: not a folder; choose another place with --out"
            )
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return
        status = self.manifest().get("status")
        if status is None:
            raise OutputError(
                f"{self.path}: the folder holds other files and no run; choose another "
                "place with --out"
            )
        if overwrite:
            return
        if status == "finished":
            raise OutputError(
                f"{self.path}: holds a finished run; look at it with 'cnncli evaluate "
                f"{self.path}', train into another folder with --out, or replace it "
                "with --overwrite"
            )
        raise OutputError(
            f"{self.path}: holds a run that did not finish; train into another folder "
            "with --out, or replace it with --overwrite"
        )

    def start(self, config: str, manifest: dict[str, Any]) -> None:
        """Make the folder, clear it of the run it held, and note the new run.

        Args:
            config: The resolved config.
            manifest: What is known of the run so far.

        Raises:
            OutputError: The folder can't be made or written.
        """
        for name in FILES:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{self.path / name}: can't replace it: {error.strerror}"
                ) from error
        self.note({"status": "running", "started": _now(), **manifest})
        write_file(self / "config.yaml", config)

    def finish(self, status: str, **more: Any) -> None:
        """Note in the manifest how the run ended.

        Args:
            status: "finished", "failed" or "stopped".
            more: What else is known now.
        """
        self.note({**self.manifest(), "status": status, "ended": _now(), **more})

    def note(self, manifest: dict[str, Any]) -> None:
        """Write the manifest."""
        text = json.dumps({"schema": SCHEMA, **manifest}, indent=2)
        write_file(self / MANIFEST, text + "\n")

    def manifest(self) -> dict[str, Any]:
        """Return the manifest; an empty one if there is none that can be read."""
        try:
            manifest = json.loads((self / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return {}
        is_ours = isinstance(manifest, dict) and manifest.get("schema") == SCHEMA
        return manifest if is_ours else {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

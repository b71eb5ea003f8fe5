"""A run folder: whose it is, what is in it, and what may be written there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.errors import ModelFileError, OutputError
from cnncli.modelfile.place import (
    CONFIG_NAME,
    HISTORY_NAME,
    MANIFEST_NAME,
    METRICS_NAME,
    MODEL_NAME,
    REPORT_NAME,
    STATE_NAME,
    resume_command,
)
from cnncli.system.files import is_temporary, read_json, sweep, write_file
from cnncli.system.lock import LOCK, locked, unwritable

if TYPE_CHECKING:
    from cnncli.experiment.measured import Measured

LOG = "tensorflow.log"
SCHEMA = "cnncli.run/1"
FILES = (
    CONFIG_NAME,
    MANIFEST_NAME,
    STATE_NAME,
    MODEL_NAME,
    HISTORY_NAME,
    "history.png",
    "summary.txt",
    METRICS_NAME,
    "predictions.csv",
    "confusion_matrix.png",
    REPORT_NAME,
    LOG,
)


class RunFolder:
    """The folder that a run leaves.

    Args:
        path: Where it is, or will be.
        command: What goes on with its run, to be typed in a shell, if it isn't
            ``cnncli train``.
    """

    def __init__(self, path: Path, command: str = "") -> None:
        self.path = path
        self._command = command

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.path.absolute().name

    @property
    def resume_command(self) -> str:
        """The command that goes on with the run, to be typed in a shell."""
        return self._command or resume_command(self.path)

    @contextmanager
    def claimed(
        self, *, overwrite: bool = False, resume: bool = False
    ) -> Iterator[None]:
        """Have the folder for this process alone, if it may be written to.

        Args:
            overwrite: Whether the run in the folder may be replaced.
            resume: Whether that run is to go on.

        Raises:
            ModelFileError: There is no run to go on with.
            OutputError: The folder may not be written to, as for ``check``, or another
                process has it.
        """
        self._check_kind()
        if resume:
            self._check_run()
        with locked(self.path):
            self.check(overwrite=overwrite, resume=resume)
            sweep(self.path, FILES)
            yield

    def check(self, *, overwrite: bool = False, resume: bool = False) -> None:
        """Refuse a folder in which a new run would destroy or mix up anything.

        Args:
            overwrite: Whether the run in the folder may be replaced.
            resume: Whether that run is to go on.

        Raises:
            ModelFileError: There is no run to go on with.
            OutputError: The path leads to no folder, to a folder of other files, or to
                a run that may not be replaced.
        """
        self._check_kind()
        if resume:
            self._check_run()
            return
        status = self.manifest().get("status")
        if status is None or overwrite or not self.holds_anything():
            return
        if status == "finished":
            raise OutputError(
                f"{self.path}: holds a finished run; look at it with 'cnncli evaluate "
                f"{self.path}', train into another folder with --out, or replace it "
                "with --overwrite"
            )
        raise OutputError(
            f"{self.path}: holds a run that did not finish; go on with it with "
            "--resume, train into another folder with --out, or replace it with "
            "--overwrite"
        )

    def start(self, config: str, manifest: dict[str, Any]) -> None:
        """Note a new run; what an earlier one left stays until it is replaced.

        Args:
            config: The resolved config, as YAML.
            manifest: The manifest's entries that are known so far.

        Raises:
            OutputError: The folder can't be written.
        """
        try:
            (self / STATE_NAME).unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._note({"status": "running", "started": _now(), **manifest})
        write_file(self / CONFIG_NAME, config)

    def go_on(
        self, config: str, measured: Measured, runtime: dict[str, object]
    ) -> None:
        """Note that the run in the folder goes on, perhaps for more epochs.

        Args:
            config: The resolved config, as YAML.
            measured: Which images it is measured on in the end.
            runtime: What it is computed with now.

        Raises:
            OutputError: The folder can't be written.
        """
        manifest = {**self.manifest(), **runtime}
        for key in ("ended", "files", "reason"):
            manifest.pop(key, None)
        changed = {"status": "running", "resumed": _now(), "measured": measured}
        self._note({**manifest, **changed})
        write_file(self / CONFIG_NAME, config)

    def finish(self, status: str, **more: Any) -> None:
        """Note in the manifest how the run ended.

        Args:
            status: "finished", "failed" or "stopped".
            more: The manifest's entries that are known now.

        Raises:
            OutputError: The folder can't be written.
        """
        self.add(status=status, ended=_now(), **more)

    def add(self, **more: Any) -> None:
        """Add entries to the manifest, or replace them.

        Raises:
            OutputError: The folder can't be written.
        """
        self._note({**self.manifest(), **more})

    @property
    def measured(self) -> Measured:
        """Which images the run in the folder is measured on in the end."""
        is_validated = self.manifest().get("measured") == "validation"
        return "validation" if is_validated else "test"

    def manifest(self) -> dict[str, Any]:
        """Return the manifest; an empty one if there is none that can be read."""
        manifest = read_json(self / MANIFEST_NAME)
        is_ours = isinstance(manifest, dict) and manifest.get("schema") == SCHEMA
        return manifest if is_ours else {}

    def _note(self, manifest: dict[str, Any]) -> None:
        """Write the manifest."""
        text = json.dumps({**manifest, "schema": SCHEMA}, indent=2)
        write_file(self / MANIFEST_NAME, text + "\n")

    def _check_kind(self) -> None:
        """Refuse what is no folder, or a folder that holds anything but a run."""
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise OutputError(
                f"{self.path}: not a folder; choose another place with --out"
            )
        if not self.path.is_dir() or self.manifest():
            return
        if any(
            path.name != LOCK and not is_temporary(path.name)
            for path in self.path.iterdir()
        ):
            raise OutputError(
                f"{self.path}: the folder holds other files and no run; choose another "
                "place with --out"
            )

    def holds_anything(self) -> bool:
        """Return whether a run got so far that starting anew would lose anything."""
        return any((self / name).exists() for name in (STATE_NAME, MODEL_NAME))

    def _check_run(self) -> None:
        if not self.manifest():
            raise ModelFileError(
                f"{self.path}: nothing to resume: there is no run; start it without "
                "--resume"
            )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

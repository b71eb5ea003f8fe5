"""A study's folder: the plan in ``study.json``, and a run folder for each member."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnncli.config.flat import flattened
from cnncli.errors import ConfigError, ModelFileError, OutputError
from cnncli.modelfile.place import STUDY_NAME
from cnncli.runs.differences import differences
from cnncli.runs.folder import RunFolder
from cnncli.system.files import is_temporary, read_json, sweep, write_file
from cnncli.system.lock import LOCK, locked, unwritable

RESULT_NAME = "result.json"
SCHEMA = "cnncli.study/1"
_LARGEST = 2**26  # bytes that a thousand runs never need
_MEMBER = re.compile(r"seed-[0-9]{1,10}|[0-9]{3,4}")


class StudyFolder:
    """The folder of a study.

    Args:
        path: Where it is, or will be.
        command: What goes on with the study, to be typed in a shell.
        own: The study's own files beside ``study.json``.
    """

    def __init__(self, path: Path, command: str, *own: str) -> None:
        self.path = path
        self.command = command
        self._files = (STUDY_NAME, RESULT_NAME, *own)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def member(self, name: str) -> RunFolder:
        """Return the run folder of a member."""
        return RunFolder(self.path / name)

    @contextmanager
    def claimed(
        self,
        kind: str,
        plan: dict[str, Any],
        *,
        overwrite: bool,
        resume: bool,
        growing: str = "",
    ) -> Iterator[None]:
        """Have the folder for this process alone, if this study may be done there.

        Args:
            kind: "seeds" or "sweep".
            plan: All that decides what is trained.
            overwrite: Whether the study in the folder may be replaced.
            resume: Whether that study is to go on.
            growing: A number in the plan that may be larger than it was.

        Raises:
            ConfigError: The study there is another one; it lists every difference.
            ModelFileError: There is no study to go on with.
            OutputError: The folder may not be written to, or another process has it.
        """
        self._check_kind()
        if (self / STUDY_NAME).exists() and not (self._noted() or overwrite):
            raise self._damaged()
        if resume and not self._noted():
            raise ModelFileError(
                f"{self.path}: nothing to resume: there is no study; start it without "
                "--resume"
            )
        with locked(self.path):
            now = json.loads(json.dumps({"kind": kind, "plan": plan}))
            noted = self._noted()
            if resume:
                self._check_same(noted, now, f"plan.{growing}")
                now = {**noted, **now}
            elif (self / STUDY_NAME).exists():
                self._clear(overwrite=overwrite)
            sweep(self.path, self._files)
            self._note({**now, "members": now.get("members", [])})
            yield

    def note_members(self, members: dict[str, dict[str, Any]]) -> None:
        """Note the settings of all members, by their names.

        Raises:
            OutputError: The folder can't be written.
        """
        listed = [{"folder": name, "settings": members[name]} for name in members]
        self._note({**self._noted(), "members": listed})

    def note_chosen(self, name: str) -> None:
        """Note which member was chosen; from then on the study is over.

        Raises:
            OutputError: The folder can't be written.
        """
        self._note({**self._noted(), "chosen": name})

    def members(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Return the settings of the members that are noted.

        Args:
            keys: Those that each sets.

        Raises:
            ModelFileError: They set other keys, so somebody has changed the file.
        """
        try:
            noted = [member["settings"] for member in self._noted()["members"]]
            return [{key: settings[key] for key in keys} for settings in noted]
        except (LookupError, TypeError) as error:
            raise self._damaged() from error

    def count_finished(self) -> int:
        """Return how many members are trained."""
        return sum(
            self.member(path.name).manifest().get("status") == "finished"
            for path in self.path.iterdir()
            if _MEMBER.fullmatch(path.name)
        )

    def chosen(self) -> str | None:
        """Return the member that was chosen, if the study is over."""
        chosen = self._noted().get("chosen")
        return chosen if isinstance(chosen, str) else None

    def _damaged(self) -> ModelFileError:
        return ModelFileError(
            f"{self / STUDY_NAME}: damaged; start the study anew with --overwrite"
        )

    def _noted(self) -> dict[str, Any]:
        noted = read_json(self / STUDY_NAME, _LARGEST)
        is_ours = isinstance(noted, dict) and noted.get("schema") == SCHEMA
        return noted if is_ours else {}

    def _note(self, study: dict[str, Any]) -> None:
        text = json.dumps({**study, "schema": SCHEMA}, indent=2)
        write_file(self / STUDY_NAME, text + "\n")

    def _check_kind(self) -> None:
        """Refuse what is no folder, or a folder that holds anything but a study."""
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise OutputError(
                f"{self.path}: not a folder; choose another place with --out"
            )
        if not self.path.is_dir() or (self / STUDY_NAME).exists():
            return
        if any(
            path.name != LOCK and not is_temporary(path.name)
            for path in self.path.iterdir()
        ):
            raise OutputError(
                f"{self.path}: the folder holds other files and no study; choose "
                "another place with --out"
            )

    def _check_same(
        self, noted: dict[str, Any], now: dict[str, Any], growing: str
    ) -> None:
        """Refuse to go on with a study that is another one."""
        had = flattened({key: noted.get(key) for key in now})
        has = flattened(now)
        if growing in had and growing in has:
            had[growing] = max(had[growing], has[growing])
        changed = [
            f"{self.path}: {key.removeprefix('plan.')}: the study has {before}, this "
            f"is {after}"
            for key, before, after in differences(had, has)
        ]
        if changed:
            raise ConfigError(
                *changed,
                f"{self.path}: can't go on with another study; choose another place "
                "with --out, or replace it with --overwrite",
            )

    def _clear(self, *, overwrite: bool) -> None:
        """Remove the runs of the study that is there, if it may be replaced."""
        names = [path.name for path in self.path.iterdir()]
        folders = [self.member(name) for name in names if _MEMBER.fullmatch(name)]
        if not overwrite and any(folder.holds_anything() for folder in folders):
            raise OutputError(
                f"{self.path}: holds a study; go on with it, or see its result again, "
                "with --resume; choose another place with --out, or replace it with "
                "--overwrite"
            )
        try:
            for folder in folders:
                if folder.manifest():
                    shutil.rmtree(folder.path)
            for name in self._files:
                (self / name).unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.path, error) from error

"""The command lines of the contestants."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.machine import Processor
    from benchmarks.tasks import Task
    from benchmarks.workers.turns import Mode

from benchmarks.tasks import CONFIG

SCRIPT_WITH_ONEDNN = "script with oneDNN"
_PROGRAMS = {
    "cnncli": "cnncli",
    "script": "script",
    SCRIPT_WITH_ONEDNN: "script",
    "PyTorch": "torch_loop",
    "Lightning": "torch_lightning",
    "limit": "limit",
}
_WITH_TORCH = ("PyTorch", "Lightning")


@dataclass(frozen=True)
class Commands:
    """The command lines.

    Args:
        torch_python: The interpreter that has PyTorch and Lightning; without it
            they don't take part.
        processor: What they run on.
    """

    torch_python: Path | None
    processor: Processor

    @property
    def rivals(self) -> tuple[str, ...]:
        """The contestants that train, apart from cnncli."""
        scripts = ["script"]
        if not self.processor.takes_onednn:
            scripts.append(SCRIPT_WITH_ONEDNN)
        return (*scripts, *(_WITH_TORCH if self.torch_python else ()))

    def job(self, contestant: str, task: Task, out: Path) -> list[str]:
        """Return the command that does a whole task and leaves its files in ``out``."""
        if contestant != "cnncli":
            module = f"benchmarks.{_PROGRAMS[contestant]}"
            return [
                *self._python(contestant, module),
                *task.arguments(),
                f"--out={out}",
            ]
        settings = [f"--set={setting}" for setting in task.settings()]
        return [*cnncli("train", str(CONFIG)), *settings, f"--out={out}"]

    def worker(self, contestant: str, task: Task, mode: Mode) -> list[str]:
        """Return the command that starts a worker."""
        module = f"benchmarks.workers.{_PROGRAMS[contestant]}"
        return [*self._python(contestant, module), mode, *task.arguments()]

    def _python(self, contestant: str, module: str) -> list[str]:
        other = self.torch_python if contestant in _WITH_TORCH else None
        return [*self._switch(contestant), str(other or sys.executable), "-m", module]

    def _switch(self, contestant: str) -> list[str]:
        """Return what tells a contestant what it doesn't find out by itself.

        TensorFlow about oneDNN, where the figures are those of a user who has set
        nothing, or has; NumPy's matrix product about a processor that it takes for an
        older one, or the limit would be none.
        """
        if contestant == "limit" and self.processor.is_wide:
            return ["env", "OPENBLAS_CORETYPE=SkylakeX"]
        if contestant == SCRIPT_WITH_ONEDNN:
            return ["env", "TF_ENABLE_ONEDNN_OPTS=1"]
        if contestant == "script" and self.processor.imitated:
            return ["env", "TF_ENABLE_ONEDNN_OPTS=0"]
        return []


def cnncli(*arguments: str) -> list[str]:
    """Return a cnncli command line as people type it."""
    return [str(Path(sys.executable).with_name("cnncli")), *arguments]

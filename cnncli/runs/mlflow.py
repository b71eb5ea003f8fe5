"""A run's config, figures and files, told to MLflow as the run goes on.

Nothing that goes wrong there costs a run that has begun.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cnncli.errors import OutputError
from cnncli.modelfile.place import MANIFEST_NAME, METRICS_NAME, REPORT_NAME, STATE_NAME
from cnncli.runs.folder import FILES
from cnncli.runs.mlflow_run import MLflowRun, apart, reason
from cnncli.runs.resume import config_values
from cnncli.system.files import read_json
from cnncli.training.progress import TrainingProgress
from cnncli.training.watchers import Watcher

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.runs.folder import RunFolder

_RUN_ID = "mlflow_run"
_LAST = (MANIFEST_NAME, REPORT_NAME)
"""The files that are written last, after all warnings."""
_STATUSES = {"finished": "FINISHED", "stopped": "KILLED"}


@contextmanager
def mlflow_told(
    config: Config,
    folder: RunFolder,
    manifest: Mapping[str, Any],
    watcher: Watcher,
    progress: TrainingProgress | None,
) -> Iterator[Watcher]:
    """Have MLflow keep a run, if its config says where; note there how it ended.

    Args:
        config: The run's.
        folder: The run's; its manifest gets MLflow's name for the run.
        manifest: What is known of the run so far.
        watcher: Is told what MLflow lacks.
        progress: Of a run that goes on.

    Yields:
        Who is to be told how the run goes as well.

    Raises:
        OutputError: MLflow can't keep runs there.
    """
    place = config.training.mlflow
    if place is None:
        yield Watcher()
        return
    watcher.status("connecting to MLflow")
    try:
        with apart():
            run = MLflowRun(place)
            if not run.find(manifest.get(_RUN_ID)):
                name = folder.path.absolute().name
                values = config_values(config)
                run.begin(str(config.name), name, values, _tags(manifest))
    except Exception as error:
        raise OutputError(
            f"training.mlflow: {place}: {reason(error)}; choose another place, or go "
            "without: --set training.mlflow=null"
        ) from error
    watcher.note(f"MLflow keeps the run in {place} as {run.run_id}")
    log = _Log(run, place, folder, watcher, progress or TrainingProgress())
    try:
        yield log
    finally:
        log.close()


class _Log(Watcher):
    """Tells MLflow how a run goes.

    Args:
        run: The run in MLflow.
        place: Where that is, for messages.
        folder: The run's.
        watcher: Is told what MLflow lacks.
        progress: How far training has come.
    """

    def __init__(
        self,
        run: MLflowRun,
        place: str,
        folder: RunFolder,
        watcher: Watcher,
        progress: TrainingProgress,
    ) -> None:
        self._run = run
        self._place = place
        self._folder = folder
        self._watcher = watcher
        self._progress = progress
        self._is_noted = self._is_down = self._has_warned = False

    def reached(self, progress: TrainingProgress) -> None:
        """Log the epochs that have ended, unless MLflow has failed before."""
        self._progress = progress
        if not self._is_down and (progress.step == 0 or not self._is_noted):
            with self._attempt(self._watcher.note, "tried again after training"):
                self._catch_up()

    def results_written(self) -> None:
        """Log what is missing, the scores of the test images, and the files."""
        with self._attempt(self._warn, "the run there is incomplete"):
            self._catch_up()
            history = self._progress.history
            metrics = read_json(self._folder / METRICS_NAME)
            names = ("loss", "accuracy", *history[-1])
            scores = {f"test_{n}": metrics[n] for n in names if n in metrics}
            self._run.log(scores, len(history))
            for name in FILES:
                if name not in (STATE_NAME, *_LAST):
                    self._run.keep(self._folder / name)

    def close(self) -> None:
        """Log how the run ended, as its manifest says it, and the manifest."""
        manifest = self._folder.manifest()
        has_begun = manifest.get(_RUN_ID) == self._run.run_id
        status = _STATUSES.get(manifest["status"], "FAILED") if has_begun else "FAILED"
        if self._is_down and status == "KILLED":
            return  # nobody waits for it
        with self._attempt(self._warn, "how the run ended isn't noted there"):
            self._run.end(status, _tags(manifest) if has_begun else {})
            # Of a run that didn't end well, the report there is an earlier one's.
            written = _LAST if status == "FINISHED" else _LAST[:has_begun]
            for name in written:
                self._run.keep(self._folder / name)

    def _catch_up(self) -> None:
        """Note that the run goes on, and log the epochs that are not there."""
        if not self._is_noted:
            self._folder.add(**{_RUN_ID: self._run.run_id})
            self._run.go_on()
            self._is_noted = True
        for row, seconds in zip(
            self._progress.history, self._progress.seconds, strict=True
        ):
            epoch = int(row["epoch"])
            if epoch > self._run.epochs:
                figures = {key: value for key, value in row.items() if key != "epoch"}
                self._run.log({**figures, "seconds": seconds}, epoch)
                self._run.epochs = epoch

    @contextmanager
    def _attempt(self, tell: Callable[[str], None], loss: str) -> Iterator[None]:
        """Do what may fail without harm to the run; tell why, and what is lost."""
        outer = sys.exception()
        try:
            with apart():
                yield
        except Exception as error:  # noqa: BLE001 -- MLflow raises whatever it likes
            self._is_down = True
            tell(f"training.mlflow: {self._place}: {reason(error, outer)}; {loss}")
        else:
            self._is_down = False

    def _warn(self, message: str) -> None:
        """Warn, once."""
        if not self._has_warned:
            self._watcher.warn(message)
        self._has_warned = True


def _tags(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what is said of a run beside its config; MLflow shows the commit."""
    fingerprints = manifest.get("data", {}).get("fingerprints", {})
    tags = {
        "cnncli.version": manifest["cnncli"],
        "mlflow.source.git.commit": manifest.get("git_commit"),
        **{f"cnncli.data.{part}": digest for part, digest in fingerprints.items()},
    }
    return {key: value for key, value in tags.items() if value}

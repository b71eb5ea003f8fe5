"""MLflow: a run's config, figures and files, kept where its config says.

Nothing that goes wrong there costs a run that has begun; see ``_attempt``.
"""

from __future__ import annotations

import io
import json
import os
import random
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.config.tracking import tracking_uri
from cnncli.errors import OutputError
from cnncli.modelfile.place import MANIFEST_NAME, STATE_NAME
from cnncli.runs.folder import FILES
from cnncli.runs.resume import config_values
from cnncli.system.files import read_json
from cnncli.training.progress import TrainingProgress
from cnncli.training.watchers import Watcher

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from cnncli.config import Config
    from cnncli.runs.folder import RunFolder

_RUN_ID = "mlflow_run"
_STATUSES = {"finished": "FINISHED", "stopped": "KILLED"}
_PARAMS_AT_ONCE = 100
_LONGEST_REASON = 200
_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",  # or it refuses folders since version 3.17
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# MLflow itself tries for minutes, and for as long as a server asks it to.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}


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
        folder: The run's; its manifest gets the number of MLflow's run.
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
    log = MLflowLog(place, folder, watcher, progress or TrainingProgress())
    log.open(config, manifest)
    try:
        yield log
    finally:
        log.close()


class MLflowLog(Watcher):
    """Logs a run to MLflow.

    Args:
        place: Where MLflow keeps runs, as a config says it.
        folder: The run's.
        watcher: Is told what MLflow lacks.
        progress: How far training has come.
    """

    _client: MlflowClient

    def __init__(
        self,
        place: str,
        folder: RunFolder,
        watcher: Watcher,
        progress: TrainingProgress,
    ) -> None:
        self._place = place
        self._folder = folder
        self._watcher = watcher
        self._progress = progress
        self._run_id = ""
        self._logged = 0
        self._is_noted = self._is_down = self._has_warned = False

    def open(self, config: Config, manifest: Mapping[str, Any]) -> None:
        """Find the run in MLflow, or begin one.

        Raises:
            OutputError: MLflow can't keep runs there.
        """
        try:
            with _apart():
                self._client = _client(tracking_uri(self._place))
                if not self._finds(manifest.get(_RUN_ID)):
                    self._begin(str(config.name), config, manifest)
        except Exception as error:
            raise OutputError(
                f"training.mlflow: {self._place}: {_reason(error)}; choose another "
                "place, or go without: --set training.mlflow=null"
            ) from error
        self._watcher.note(f"MLflow keeps it in {self._place} as run {self._run_id}")

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
            metrics = read_json(self._folder / "metrics.json")
            names = ("loss", "accuracy", *self._progress.history[-1])
            scores = {f"test_{n}": metrics[n] for n in names if n in metrics}
            self._log(scores, len(self._progress.history))
            for name in FILES:
                if name not in (STATE_NAME, MANIFEST_NAME):
                    self._upload(name)

    def close(self) -> None:
        """Log how the run ended, as its manifest says it."""
        from mlflow.entities import RunTag

        manifest = self._folder.manifest()
        is_ours = manifest.get(_RUN_ID) == self._run_id
        status = _STATUSES.get(manifest["status"], "FAILED") if is_ours else "FAILED"
        if self._is_down and status == "KILLED":
            return  # nobody waits for it
        with self._attempt(self._warn, "how the run ended isn't noted there"):
            if is_ours:
                self._upload(MANIFEST_NAME)
                tags = [RunTag(key, value) for key, value in _tags(manifest).items()]
                self._client.log_batch(self._run_id, tags=tags, synchronous=True)
            self._client.set_terminated(self._run_id, status)

    def _finds(self, run_id: str | None) -> bool:
        """Return whether a run is there; note it, and which epochs it has."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return False
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        if run.info.lifecycle_stage != "active":
            return False
        losses = self._client.get_metric_history(run_id, "loss")
        self._run_id, self._logged = run_id, max((m.step for m in losses), default=0)
        return True

    def _begin(self, name: str, config: Config, manifest: Mapping[str, Any]) -> None:
        """Begin a run in MLflow, in the experiment of a name."""
        from mlflow.entities import Param

        experiment = self._client.get_experiment_by_name(name)
        identifier = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(name)
        )
        run_name = self._folder.path.absolute().name
        run = self._client.create_run(
            identifier, tags=_tags(manifest), run_name=run_name
        )
        self._run_id = run.info.run_id
        params = [Param(k, _as_text(v)) for k, v in config_values(config).items()]
        for first in range(0, len(params), _PARAMS_AT_ONCE):
            batch = params[first : first + _PARAMS_AT_ONCE]
            self._client.log_batch(self._run_id, params=batch, synchronous=True)

    def _catch_up(self) -> None:
        """Note that the run goes on, and log the epochs that are not there."""
        if not self._is_noted:
            self._folder.add(**{_RUN_ID: self._run_id})
            self._client.update_run(self._run_id, status="RUNNING")
            self._is_noted = True
        history, seconds = self._progress.history, self._progress.seconds
        for row, took in list(zip(history, seconds, strict=True))[self._logged :]:
            figures = {key: value for key, value in row.items() if key != "epoch"}
            self._log({**figures, "seconds": took}, int(row["epoch"]))
            self._logged = int(row["epoch"])

    def _log(self, figures: Mapping[str, float], epoch: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, epoch) for key, value in figures.items()]
        self._client.log_batch(self._run_id, metrics=metrics, synchronous=True)

    def _upload(self, name: str) -> None:
        """Have MLflow keep a file of the run folder, if it is there."""
        if (self._folder / name).is_file():
            self._client.log_artifact(self._run_id, str(self._folder / name))

    @contextmanager
    def _attempt(self, tell: Callable[[str], None], loss: str) -> Iterator[None]:
        """Do what may fail without harm to the run; tell why, and what is lost."""
        outer = sys.exception()
        try:
            with _apart():
                yield
        except Exception as error:  # noqa: BLE001 -- it raises whatever it likes
            self._is_down = True
            tell(f"training.mlflow: {self._place}: {_reason(error, outer)}; {loss}")
        else:
            self._is_down = False

    def _warn(self, message: str) -> None:
        """Warn, once."""
        if not self._has_warned:
            self._watcher.warn(message)
        self._has_warned = True


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _client(uri: str) -> MlflowClient:
    """Import MLflow, which gets no word out, and have it look at a place."""
    os.environ.update(_ENVIRONMENT)
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    if uri.startswith("sqlite:"):
        # MLflow would try a file that can't be opened for 100 seconds.
        file = Path(uri.removeprefix("sqlite:///"))
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as database:
            database.execute("pragma schema_version")
    return MlflowClient(uri)


def _tags(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what is said of a run beside its config; MLflow shows the commit."""
    fingerprints = manifest.get("data", {}).get("fingerprints", {})
    tags = {
        "cnncli.version": manifest["cnncli"],
        "mlflow.source.git.commit": manifest.get("git_commit"),
        **{f"cnncli.data.{part}": digest for part, digest in fingerprints.items()},
    }
    return {key: value for key, value in tags.items() if value}


@contextmanager
def _apart() -> Iterator[None]:
    """Keep what libraries say from the screen, and the run's random numbers from them.

    For the number of an experiment MLflow may draw from those of which Keras makes the
    initial weights.
    """
    state = random.getstate()
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(state)


def _reason(error: BaseException, outer: BaseException | None = None) -> str:
    """Return what an error goes back to, in a short line.

    Args:
        error: The error.
        outer: One that was being handled when it came, and has nothing to do with it.
    """
    while (cause := error.__cause__ or error.__context__) and cause is not outer:
        error = cause
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).partition("\n")[0][:_LONGEST_REASON].rstrip(".")

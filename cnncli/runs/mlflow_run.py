"""A run as MLflow keeps it, and MLflow itself: silent, impatient, kept apart."""

from __future__ import annotations

import fcntl
import io
import json
import os
import random
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.config.tracking import tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

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


class MLflowRun:
    """A run in a place where MLflow keeps runs.

    All that is done with it belongs into ``apart``, and may raise whatever MLflow, its
    stores and the libraries that they use like to.

    Args:
        place: The place, as a config says it.

    Attributes:
        run_id: MLflow's name for the run, once it is found or begun.
        epochs: Up to which epoch it was logged.
    """

    def __init__(self, place: str) -> None:
        self._client = _client(tracking_uri(place))
        self.run_id = ""
        self.epochs = 0

    def find(self, run_id: str | None) -> bool:
        """Return whether a run is there, and be that one."""
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
        self.run_id = run_id
        self.epochs = max((metric.step for metric in losses), default=0)
        return True

    def begin(
        self,
        experiment: str,
        name: str,
        params: Mapping[str, Any],
        tags: dict[str, str],
    ) -> None:
        """Begin a run.

        Args:
            experiment: The name of the experiment that it belongs to.
            name: The run's.
            params: What is set in it, scalars of JSON by their names.
            tags: What else is to be said of it.
        """
        from mlflow.entities import Param

        found = self._client.get_experiment_by_name(experiment)
        number = (
            found.experiment_id if found else self._client.create_experiment(experiment)
        )
        run = self._client.create_run(number, tags=tags, run_name=name)
        self.run_id = run.info.run_id
        texts = [Param(key, _as_text(value)) for key, value in params.items()]
        for first in range(0, len(texts), _PARAMS_AT_ONCE):
            batch = texts[first : first + _PARAMS_AT_ONCE]
            self._client.log_batch(self.run_id, params=batch, synchronous=True)

    def go_on(self) -> None:
        """Note that the run is under way."""
        self._client.update_run(self.run_id, status="RUNNING")

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """Log figures of an epoch."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, epoch) for key, value in figures.items()]
        self._client.log_batch(self.run_id, metrics=metrics, synchronous=True)

    def keep(self, file: Path) -> None:
        """Keep a copy of a file, if there is one."""
        if file.is_file():
            self._client.log_artifact(self.run_id, str(file))

    def end(self, status: str, tags: Mapping[str, str]) -> None:
        """Note that the run is over, as "FINISHED", "FAILED" or "KILLED"."""
        from mlflow.entities import RunTag

        noted = [RunTag(key, value) for key, value in tags.items()]
        self._client.log_batch(self.run_id, tags=noted, synchronous=True)
        self._client.set_terminated(self.run_id, status)


@contextmanager
def apart() -> Iterator[None]:
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


def reason(error: BaseException, outer: BaseException | None = None) -> str:
    """Return what an error goes back to, in a short line.

    Args:
        error: The error.
        outer: One that was being handled when it came, and has nothing to do with it.
    """
    while (cause := error.__cause__ or error.__context__) and cause is not outer:
        error = cause
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).partition("\n")[0][:_LONGEST_REASON].rstrip(".")


def _client(uri: str) -> MlflowClient:
    """Import MLflow, and have it look at a place."""
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
        # Two at once would make its tables twice, and both fail.
        with file.open("rb") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            return MlflowClient(uri)
    return MlflowClient(uri)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

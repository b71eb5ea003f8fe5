"""What MLflow keeps of a run, read back as it reads it; and what it may not cost."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol
from unittest import mock

import pandas as pd
import pytest

from cnncli.config.tracking import tracking_uri
from cnncli.training.schedules import learning_rate
from tests.builders import CONFIG, dataset

if TYPE_CHECKING:
    from click.testing import Result
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from tests.conftest import Cli

pytestmark = pytest.mark.usefixtures("undrawn")

RUN = Path("runs/good")
THREE_EPOCHS = "--set=training.epochs=3"
FILES = {
    *("config.yaml", "confusion_matrix.png", "history.csv", "history.png"),
    *(
        "manifest.json",
        "metrics.json",
        "model.h5",
        "predictions.csv",
        "report.html",
        "summary.txt",
    ),
    "tensorflow.log",
}


class Store:
    """A place where MLflow keeps runs.

    Args:
        place: As a config says it.
    """

    def __init__(self, place: str = "mlruns") -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of SQLAlchemy
            from mlflow import MlflowClient

            self.client: MlflowClient = MlflowClient(tracking_uri(place))

    def runs(self) -> list[Run]:
        """Return the runs of the experiment."""
        experiment = self.client.get_experiment_by_name("good")
        assert experiment
        return list(self.client.search_runs([experiment.experiment_id]))

    def run(self) -> Run:
        """Return the only run."""
        (run,) = self.runs()
        return run

    def curve(self, name: str) -> list[tuple[int, float]]:
        """Return the steps and values of a metric of the only run."""
        found = self.client.get_metric_history(self.run().info.run_id, name)
        return [(metric.step, metric.value) for metric in found]

    def state(self) -> tuple[str, list[int]]:
        """Return the status of the only run, and of which epochs it has a loss."""
        return self.run().info.status, [epoch for epoch, _ in self.curve("loss")]


class Train(Protocol):
    """Trains a network of one layer on 20 images for two epochs."""

    def __call__(
        self, *options: str, place: str = "mlruns", exit_code: int = 0
    ) -> Result: ...


@pytest.fixture
def train(cli: Cli) -> Train:
    dataset("data")
    Path("good.yaml").write_text(CONFIG)

    def train(*options: str, place: str = "mlruns", exit_code: int = 0) -> Result:
        settings = ("--set=training.epochs=2", f"--set=training.mlflow={place}")
        return cli("train", "good.yaml", *settings, *options, exit_code=exit_code)

    return train


def in_epochs(actions: dict[int, Callable[[], object]]) -> Any:
    """Return a patch that does something when an epoch begins."""

    def rate(training: Any, epoch: int, history: Any) -> float:
        if epoch in actions:
            actions[epoch]()
        return learning_rate(training, epoch, history)

    return mock.patch("cnncli.training.fit.learning_rate", rate)


def stop() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def stopped(train: Train) -> Store:
    """Stop a run in its second epoch; return where it is kept."""
    with in_epochs({2: stop}):
        train("-q", exit_code=130)
    return Store()


@pytest.mark.parametrize(
    "place",
    ["mlruns", pytest.param("sqlite:///db/runs.db", marks=pytest.mark.slow)],
)
def test_keeps_config_curves_and_files(place: str, train: Train) -> None:
    result = train("-q", "--json", place=place)
    assert result.stderr == ""
    store = Store(place)
    run = store.run()
    assert (run.info.run_name, run.info.status) == ("good", "FINISHED")
    manifest = json.loads((RUN / "manifest.json").read_text())
    assert manifest["mlflow_run"] == run.info.run_id
    assert manifest["warnings"] == json.loads(result.stdout)["warnings"] == []

    params = run.data.params
    assert params["name"] == "good"
    assert params["data.split.train"] == "20"
    assert params["model.layers.1.Dense.activation"] == "softmax"
    assert params["model.layers.1.Dense.use_bias"] == "true"
    assert params["training.optimizer.RMSprop.learning_rate"] == "0.001"
    assert params["training.early_stopping"] == "null"
    assert params["training.mlflow"] == place

    history = pd.read_csv(RUN / "history.csv").set_index("epoch")
    for name in history.columns:
        assert store.curve(name) == list(history[name].items())
    assert [epoch for epoch, _ in store.curve("seconds")] == [1, 2]
    scores = json.loads((RUN / "metrics.json").read_text())
    assert store.curve("test_accuracy") == [(2, scores["accuracy"])]
    assert store.curve("test_loss") == [(2, scores["loss"])]

    assert run.data.tags["cnncli.version"] == manifest["cnncli"]
    for part, digest in manifest["data"]["fingerprints"].items():
        assert run.data.tags[f"cnncli.data.{part}"] == digest

    kept = Path(run.info.artifact_uri.removeprefix("file://"))
    assert {path.name for path in kept.iterdir()} == FILES
    for name in FILES:
        assert (kept / name).read_bytes() == (RUN / name).read_bytes()


@pytest.mark.slow
def test_says_where_and_changes_nothing(train: Train) -> None:
    train("--out=plain", place="null")
    drawn = "mlflow.store.tracking.file_store._generate_unique_integer_id"
    with (
        mock.patch("cnncli.runs.manifest._git_commit", return_value="1f" * 20),
        mock.patch(drawn, side_effect=lambda: random.randint(1, 9)),
    ):
        result = train()
    run = Store().run()
    where = f"MLflow keeps the run in mlruns as {run.info.run_id}"
    assert result.stderr.splitlines()[0] == where
    assert "mlruns" not in result.stdout
    for name in ("history.csv", "metrics.json", "predictions.csv"):
        assert (RUN / name).read_bytes() == (Path("plain") / name).read_bytes()
    assert run.data.tags["mlflow.source.git.commit"] == "1f" * 20


def test_stopped_run_goes_on_and_is_extended(train: Train, stopped: Store) -> None:
    seen = []
    assert stopped.state() == ("KILLED", [1])
    with in_epochs({2: lambda: seen.append(stopped.state())}):
        train("-q", "--resume")
    assert stopped.state() == ("FINISHED", [1, 2])
    with in_epochs({3: lambda: seen.append(stopped.state())}):
        train("-q", "--resume", THREE_EPOCHS)
    assert stopped.state() == ("FINISHED", [1, 2, 3])
    assert [epoch for epoch, _ in stopped.curve("test_loss")] == [2, 3]
    # What runs again is told when its first steps are done.
    assert seen == [("KILLED", [1]), ("FINISHED", [1, 2])]
    complete = train("--resume", THREE_EPOCHS)
    assert complete.stderr == "runs/good: complete after epoch 3; nothing to resume\n"


@pytest.mark.slow
def test_refused_resumption_leaves_what_was(train: Train, stopped: Store) -> None:
    with mock.patch("cnncli.runs.resume.__version__", "0.0.0"):
        train("--resume", exit_code=2)
    assert stopped.state() == ("KILLED", [1])


@pytest.mark.slow
def test_run_that_was_deleted_is_kept_anew(train: Train, stopped: Store) -> None:
    deleted = stopped.run().info.run_id
    stopped.client.delete_run(deleted)
    train("-q", "--resume")
    assert stopped.run().info.run_id != deleted
    assert stopped.state() == ("FINISHED", [1, 2])


@pytest.mark.slow
@pytest.mark.usefixtures("stopped")
def test_run_that_goes_on_elsewhere_is_there_as_a_whole(train: Train) -> None:
    train("-q", "--resume", place="null")
    train("-q", "--resume", THREE_EPOCHS, place="file:else%20where")
    assert Store("else where").state() == ("FINISHED", [1, 2, 3])


@pytest.mark.slow
def test_run_over_another_is_one_of_its_own(train: Train, stopped: Store) -> None:
    train("-q", "--overwrite")
    assert sorted(run.info.status for run in stopped.runs()) == ["FINISHED", "KILLED"]


@pytest.mark.slow
def test_epoch_whose_state_was_lost_is_logged_once(train: Train) -> None:
    from cnncli.runs.state import write_state

    def write(path: Path, state: Any) -> None:
        if len(state.progress.history) == 2:
            raise MemoryError
        write_state(path, state)

    with mock.patch("cnncli.runs.checkpoints.write_state", write):
        train("-q", exit_code=6)
    assert Store().state() == ("FAILED", [1, 2])
    train("-q", "--resume")
    assert Store().state() == ("FINISHED", [1, 2])


@pytest.mark.slow
def test_place_that_vanishes_costs_a_warning(train: Train, tmp_path: Path) -> None:
    with in_epochs({2: lambda: shutil.rmtree("mlruns")}):
        result = train("-q", "--json")
    warning = (
        f"training.mlflow: mlruns: '{tmp_path}/mlruns' does not exist; the run there "
        "is incomplete"
    )
    assert result.stderr == f"warning: {warning}\n"
    manifest = json.loads((RUN / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["warnings"] == json.loads(result.stdout)["warnings"] == [warning]


class Server(ThreadingHTTPServer):
    """Answers what a run asks of MLflow's server, and keeps what it is told.

    Attributes:
        told: The last word of each request's address, and its body.
        fault: "error" or "hang" where it is to fail, "files" to take no files.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.run_id = uuid.uuid4().hex  # MLflow remembers where a run's files go
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.fault = ""
        self.is_over = Event()

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *client: object) -> None:
        """Say nothing of who hasn't waited."""

    def fail(self, fault: str) -> None:
        self.fault = fault
        self.told.clear()

    def epochs(self) -> list[int]:
        """Return of which epochs a loss was logged."""
        return [
            metric["step"]
            for _, body in self.told
            for metric in body.get("metrics", ())
            if metric["key"] == "loss"
        ]

    def statuses(self) -> list[str]:
        """Return what the run was said to be, one after the other."""
        return [body["status"] for word, body in self.told if word == "update"]


class Answers(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"] or 0))
        word = self.path.partition("?")[0].rpartition("/")[2]
        is_file = self.command == "PUT"
        self.server.told.append((word, {} if is_file else json.loads(content or "{}")))
        if self.server.fault == "hang":
            self.server.is_over.wait(60)
        info = {"run_id": self.server.run_id, "artifact_uri": "mlflow-artifacts:/0/f"}
        answers: dict[str, dict[str, Any]] = {
            "get-by-name": {"experiment": {"experiment_id": "0", "name": "good"}},
            "create": {"run": {"info": info, "data": {}}},
            "get": {"run": {"info": info, "data": {}}},
            "update": {"run_info": info},
        }
        body = json.dumps(answers.get(word, {})).encode()
        is_refused = self.server.fault == "files" and is_file
        usual = 403 if is_refused else 200
        self.send_response(500 if self.server.fault == "error" else usual)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with Server() as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server
        server.is_over.set()
        server.shutdown()


@pytest.mark.slow
def test_server_is_told_the_same(train: Train, server: Server) -> None:
    result = train("-q", place=f"{server.place}/")
    assert result.stderr == ""
    assert server.epochs() == [1, 2]
    assert {word for word, _ in server.told} >= FILES
    assert server.statuses() == ["RUNNING", "FINISHED"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("error", "too many 500 error responses"), ("hang", "timed out")],
)
def test_server_that_fails_costs_a_warning_and_no_epoch(
    fault: str, reason: str, train: Train, server: Server
) -> None:
    with in_epochs({2: lambda: server.fail(fault)}):
        result = train("--json", "--set=training.epochs=4", place=server.place)
    failed = f"training.mlflow: {server.place}: {reason}; "
    printed = json.loads(result.stdout)
    assert printed["epochs"] == 4
    assert printed["warnings"] == [f"{failed}the run there is incomplete"]
    assert [line for line in result.stderr.splitlines() if reason in line] == [
        f"{failed}tried again after training",
        f"warning: {failed}the run there is incomplete",
    ]
    assert server.epochs() == [2, 2]


@pytest.mark.slow
def test_server_that_takes_no_files_has_the_rest(train: Train, server: Server) -> None:
    server.fail("files")
    result = train("--json", "-q", place=server.place)
    (warning,) = json.loads(result.stdout)["warnings"]
    assert warning.startswith(f"training.mlflow: {server.place}: 403 Client Error: ")
    assert warning.endswith("; the run there is incomplete")
    assert server.epochs() == [1, 2]
    assert server.statuses() == ["RUNNING", "FINISHED"]


@pytest.mark.slow
def test_what_a_server_missed_is_logged_at_the_end(
    train: Train, server: Server
) -> None:
    from cnncli.runs.reports import measure

    def mend_and_measure(*arguments: Any, **options: Any) -> Any:
        server.fail("")
        return measure(*arguments, **options)

    with (
        in_epochs({2: lambda: server.fail("error")}),
        mock.patch("cnncli.runs.run.measure", mend_and_measure),
    ):
        result = train("-q", THREE_EPOCHS, place=server.place)
    assert result.stderr == ""
    assert server.epochs() == [2, 3]
    assert server.statuses() == ["FINISHED"]


@pytest.mark.slow
def test_who_stops_waits_for_no_server(train: Train, server: Server) -> None:
    with in_epochs({2: lambda: server.fail("error"), 3: stop}):
        train("-q", THREE_EPOCHS, place=server.place, exit_code=130)
    assert [word for word, _ in server.told] == ["log-batch"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("http://127.0.0.1:9", "Connection refused"),
        ("good.yaml", "Not a directory"),
        ("sqlite:///good.yaml", "file is not a database"),
        ("sqlite:///runs", "unable to open database file"),
    ],
)
def test_place_where_nothing_can_be_kept_is_refused_before_training(
    place: str, reason: str, train: Train, finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / RUN)
    result = train("--overwrite", place=place, exit_code=5)
    assert result.stderr == (
        f"error: training.mlflow: {place}: {reason}; choose another place, or go "
        "without: --set training.mlflow=null\n"
    )
    for name in ("manifest.json", "state.npz", "model.h5"):
        assert (RUN / name).read_bytes() == (finished / name).read_bytes()


def test_without_mlflow_it_is_refused_before_training(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_spec(name: str) -> Any:
        return None if name == "mlflow" else importlib.util.find_spec(name)

    monkeypatch.setattr("cnncli.commands.trained.find_spec", find_spec)
    result = train(exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        "Error: training.mlflow needs MLflow: pip install 'cnncli[mlflow]'"
    )
    assert not Path("runs").exists()


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking_uri("my runs#1") == f"file://{tmp_path}/my%20runs%231"
    assert tracking_uri("file:my%20runs%231") == f"file://{tmp_path}/my%20runs%231"
    assert tracking_uri("file:///a/b") == tracking_uri("/a/b") == "file:///a/b"
    assert tracking_uri("sqlite:///a/b.db") == f"sqlite:///{tmp_path}/a/b.db"
    assert tracking_uri("sqlite:////a/b.db") == "sqlite:////a/b.db"
    assert tracking_uri("https://here:5000/mlflow/") == "https://here:5000/mlflow"
    assert tracking_uri("httpruns") == f"file://{tmp_path}/httpruns"

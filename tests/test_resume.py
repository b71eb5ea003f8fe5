"""A run that is stopped, refused, extended, or out of room, and goes on exactly."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest

from cnncli.errors import DataError
from tests.tiny import train_tiny, without_pictures

if TYPE_CHECKING:
    from tests.conftest import Cli

SAME = ("model.h5", "history.csv", "metrics.json", "predictions.csv", "config.yaml")
REPLACED = ("history.png", "confusion_matrix.png", "summary.txt", *SAME[:-1])
GO_ON = "cnncli train runs/tiny/config.yaml --out runs/tiny --resume"
OTHER = ("-q", "--set=seed=6")
FULL = OSError(errno.ENOSPC, "No space left on device")


pytestmark = pytest.mark.usefixtures("undrawn", "signals_as_in_a_terminal")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run of two epochs, in runs/tiny."""
    shutil.copytree(finished, tmp_path / "runs" / "tiny")
    return Path("runs/tiny")


def same_files(first: Path, second: Path) -> bool:
    return all((first / n).read_bytes() == (second / n).read_bytes() for n in SAME)


def at_call(number: int, action: Callable[[], None]) -> Any:
    """Return a patch that does something before the so-manieth call of the steps."""
    from cnncli.backend.tensorflow.steps import TensorFlowSteps

    run_steps = TensorFlowSteps.run
    calls = 0

    def patched(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            action()
        return run_steps(self, *arguments)

    return mock.patch.object(TensorFlowSteps, "run", patched)


def send(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.fixture
def one_step_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.agreement._SECONDS_BETWEEN_REPORTS", 0.0)


@pytest.mark.usefixtures("one_step_a_report")
@pytest.mark.parametrize(
    ("number", "exit_code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_signal_finishes_the_step_and_the_run_goes_on_exactly(
    number: signal.Signals, exit_code: int, finished: Path, config: str, cli: Cli
) -> None:
    before = signal.getsignal(number)
    with at_call(13, send(number)):
        result = cli("train", config, "-q", exit_code=exit_code)
    assert signal.getsignal(number) is before
    assert result.stdout == ""
    assert result.stderr == (f"stopped in epoch 2, after step 3; go on with: {GO_ON}\n")
    manifest = json.loads(Path("runs/tiny/manifest.json").read_text())
    assert manifest["status"] == "stopped"
    assert not Path("runs/tiny/model.h5").exists()
    first_epoch = (finished / "history.csv").read_text().splitlines()[:2]
    assert Path("runs/tiny/history.csv").read_text().splitlines() == first_epoch
    assert Path("runs/tiny/history.png").exists()
    result = cli("train", config, "--resume")
    assert result.stderr.startswith("going on in epoch 2, after step 3\nepoch 2/2  ")
    assert same_files(Path("runs/tiny"), finished)


@pytest.mark.usefixtures("one_step_a_report")
def test_what_a_stopped_run_is_measured_on_stays(config: str, cli: Cli) -> None:
    with at_call(3, send(signal.SIGINT)):
        cli("train", config, "-q", "--measure", "validation", exit_code=130)
    assert "validation  accuracy " in cli("train", config, "-q", "--resume").stdout


def test_signal_that_is_ignored_stays_ignored(config: str, cli: Cli) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with at_call(2, send(signal.SIGHUP)):
            cli("train", config, "-q")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_after_the_first_signal_the_second_is_not_caught(config: str, cli: Cli) -> None:
    handlers: list[Any] = []

    def interrupt_and_look() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        handlers.extend(map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)))

    with at_call(2, interrupt_and_look):
        cli("train", config, "-q", exit_code=143)
    assert handlers == [signal.SIG_DFL, signal.SIG_DFL]


@pytest.mark.slow
@pytest.mark.usefixtures("one_step_a_report")
def test_stopped_again_and_again(finished: Path, config: str, cli: Cli) -> None:
    options: tuple[str, ...] = ()
    for _ in range(4):
        with at_call(4, send(signal.SIGTERM)):
            cli("train", config, "-q", *options, exit_code=143)
        options = ("--resume",)
    cli("train", config, "-q", "--resume")
    assert same_files(Path("runs/tiny"), finished)


def test_stopped_before_the_first_step(finished: Path, config: str, cli: Cli) -> None:
    stop = mock.patch("cnncli.runs.run.fit", side_effect=KeyboardInterrupt)
    with stop:
        result = cli("train", config, "-q", exit_code=130)
    assert result.stderr == f"stopped; go on with: {GO_ON}\n"
    result = cli("train", config, "--resume")
    assert result.stderr.startswith("going on before epoch 1\nepoch 1/2  ")
    assert same_files(Path("runs/tiny"), finished)


def test_stopped_while_evaluating(finished: Path, config: str, cli: Cli) -> None:
    def stop(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with mock.patch("cnncli.runs.run.measure", side_effect=stop):
        result = cli("train", config, "-q", exit_code=143)
    assert result.stderr == f"stopped after epoch 2; go on with: {GO_ON}\n"


def test_stopped_while_writing(finished: Path, config: str, cli: Cli) -> None:
    with mock.patch(
        "cnncli.backend.tensorflow.backend.save_model", side_effect=KeyboardInterrupt
    ):
        result = cli("train", config, "-q", exit_code=130)
    assert result.stderr == f"stopped; go on with: {GO_ON}\n"
    result = cli("train", config, "--resume")
    assert result.stderr == "going on after epoch 2\n"
    assert same_files(Path("runs/tiny"), finished)


def test_complete_run_says_so(run: Path, config: str, cli: Cli) -> None:
    before = {path: path.read_bytes() for path in run.iterdir()}
    result = cli("train", config, "--resume")
    assert result.stderr == "runs/tiny: complete after epoch 2; nothing to resume\n"
    assert result.stdout.startswith("trained     2 epochs, weights of epoch 2, ")
    printed = json.loads(cli("train", config, "--resume", "--json").stdout)
    assert printed["schema"] == "cnncli.train/1"
    assert printed["epochs"] == len(printed["history"]) == 2
    assert printed["evaluation"] == json.loads((run / "metrics.json").read_text())
    after = {path: path.read_bytes() for path in run.iterdir()}
    del before[run / ".lock"], after[run / ".lock"]
    assert after == before


def test_complete_run_without_its_model_gets_it_again(
    run: Path, finished: Path, config: str, cli: Cli
) -> None:
    (run / "model.h5").unlink()
    cli("train", config, "--resume", "-q")
    assert same_files(run, finished)


@pytest.mark.parametrize(
    "options",
    [
        (),
        (
            "--set=training.weights={best: {monitor: val_loss}}",
            "--set=training.schedule={StepDecay: {epochs: 1, factor: 0.5}}",
        ),
    ],
    ids=["last", "best"],
)
def test_extended_run_is_the_longer_run(
    options: tuple[str, ...], run: Path, config: str, cli: Cli
) -> None:
    longer = "--set=training.epochs=3"
    cli("train", config, *options, longer, "-q", "--out=longer")
    if options:
        cli("train", config, *options, "-q", "--overwrite")
    result = cli("train", config, *options, longer, "--resume")
    assert result.stderr.startswith("going on after epoch 2\nepoch 3/3  ")
    assert same_files(Path("longer"), run)


def test_extending_warns_where_the_schedule_knows_the_end(
    config: str, cli: Cli
) -> None:
    cosine = "--set=training.schedule=CosineDecay"
    cli("train", config, cosine, "-q")
    result = cli("train", config, cosine, "-q", "--resume", "--set=training.epochs=3")
    assert result.stderr == (
        "warning: the epochs so far had the learning rates of a CosineDecay over 2; "
        "the result is not that of a run of 3 epochs from the start\n"
    )


def test_run_that_stopped_early_is_complete_whatever_epochs_says(
    config: str, cli: Cli
) -> None:
    early = (
        "--set=training.early_stopping={monitor: accuracy, patience: 1, min_delta: 1}"
    )
    cli("train", config, early, "-q")
    result = cli("train", config, early, "--resume", "--set=training.epochs=9")
    assert result.stderr == "runs/tiny: complete after epoch 2; nothing to resume\n"


def test_other_config_is_refused_with_every_difference(
    run: Path, config: str, cli: Cli
) -> None:
    before = {path: path.read_bytes() for path in run.iterdir()}
    options = ("--set=training.batch_size=64", "--set=training.optimizer=SGD")
    result = cli(
        "train", config, "--resume", *options, "--set=training.epochs=1", exit_code=2
    )
    none = "this is none"
    adam = "runs/tiny: training.optimizer.Adam"
    assert result.stderr == (
        f"{adam}.learning_rate: the run has 0.01, {none}\n"
        f"{adam}.weight_decay: the run has null, {none}\n"
        f"{adam}.clipnorm: the run has null, {none}\n"
        f"{adam}.clipvalue: the run has null, {none}\n"
        f"{adam}.global_clipnorm: the run has null, {none}\n"
        f"{adam}.beta_1: the run has 0.9, {none}\n"
        f"{adam}.beta_2: the run has 0.999, {none}\n"
        f"{adam}.epsilon: the run has 1e-07, {none}\n"
        f"{adam}.amsgrad: the run has false, {none}\n"
        "runs/tiny: training.batch_size: the run has 32, this is 64\n"
        "runs/tiny: training.epochs: the run has 2, this is 1\n"
        "runs/tiny: training.optimizer.SGD.learning_rate: the run has none, this is "
        "0.01\n"
        "runs/tiny: training.optimizer.SGD.weight_decay: the run has none, this is "
        "null\n"
        "runs/tiny: training.optimizer.SGD.clipnorm: the run has none, this is null\n"
        "runs/tiny: training.optimizer.SGD.clipvalue: the run has none, this is null\n"
        "runs/tiny: training.optimizer.SGD.global_clipnorm: the run has none, this is "
        "null\n"
        "runs/tiny: training.optimizer.SGD.momentum: the run has none, this is 0.0\n"
        "runs/tiny: training.optimizer.SGD.nesterov: the run has none, this is false\n"
        "runs/tiny: can't resume with what differs; to go on as the run was started: "
        f"{GO_ON}\n"
    )
    after = {path: path.read_bytes() for path in run.iterdir()}
    del before[run / ".lock"], after[run / ".lock"]
    assert after == before


@pytest.mark.usefixtures("run")
def test_other_versions_and_images_are_refused(config: str, cli: Cli) -> None:
    longer = ("--resume", "-q", "--set=training.epochs=3")
    with mock.patch("cnncli.runs.resume.__version__", "9.9.9"):
        result = cli("train", config, *longer, exit_code=2)
    last = (
        "runs/tiny: can't resume with what differs; to go on as the run was started: "
        f"{GO_ON}\n"
    )
    assert result.stderr == (
        f'runs/tiny: cnncli: the run has "0.1.0", this is "9.9.9"\n{last}'
    )
    with mock.patch("cnncli.data.dataset.indices_digest", return_value="0"):
        result = cli("train", config, *longer, exit_code=2)
    assert result.stderr.startswith('runs/tiny: split: the run has "')
    assert result.stderr.endswith(f'", this is "0"\n{last}')
    manifest = json.loads(Path("runs/tiny/manifest.json").read_text())
    assert manifest["status"] == "finished"


def test_crashed_run_stays_what_it_was_when_refused(
    run: Path, config: str, cli: Cli
) -> None:
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"finished"', '"running"'))
    before = manifest.read_bytes()
    with mock.patch("cnncli.runs.resume.__version__", "9.9.9"):
        cli("train", config, "--resume", exit_code=2)
    assert manifest.read_bytes() == before


def test_nothing_to_resume(config: str, cli: Cli) -> None:
    result = cli("train", config, "--resume", exit_code=4)
    message = "nothing to resume: there is no run; start it without --resume"
    assert result.stderr == f"error: runs/tiny: {message}\n"
    assert not Path("runs").exists()


def test_run_without_a_state_is_refused(run: Path, config: str, cli: Cli) -> None:
    (run / "state.npz").unlink()
    result = cli("train", config, "--resume", exit_code=4)
    assert result.stderr == (
        "error: runs/tiny: nothing to resume: there is no state.npz; start the run "
        "without --resume\n"
    )


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
def test_damaged_state_is_refused(
    damage: str, run: Path, config: str, cli: Cli
) -> None:
    state = bytearray((run / "state.npz").read_bytes())
    if damage == "flipped":
        state[len(state) // 2] ^= 1
    damaged: dict[str, bytes] = {
        "cut": bytes(state[:-9]),
        "flipped": bytes(state),
        "text": b"text",
        "empty": b"",
    }
    (run / "state.npz").write_bytes(damaged[damage])
    result = cli("train", config, "--resume", exit_code=4)
    assert result.stderr.startswith(
        "error: runs/tiny/state.npz: the state of the run is damaged: "
    )
    assert result.stderr.endswith("; start the run anew with --overwrite\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "change",
    [{"identity": {}}, {"identity": {"config": 1}}, {"history": 3}, {"step": None}],
)
def test_state_without_what_belongs_in_it_is_damaged(
    change: dict[str, Any], run: Path, config: str, cli: Cli
) -> None:
    with np.load(run / "state.npz") as file:
        arrays = dict(file)
    about = {**json.loads(str(arrays["about"])), **change}
    np.savez(run / "state.npz", **{**arrays, "about": np.array(json.dumps(about))})
    result = cli("train", config, "--resume", exit_code=4)
    assert result.stderr.startswith(
        "error: runs/tiny/state.npz: the state of the run is damaged: "
    )
    assert result.stderr.count("\n") == 1


def test_unfinished_run_is_not_started_anew_unasked(config: str, cli: Cli) -> None:
    with at_call(2, send(signal.SIGTERM)):
        cli("train", config, "-q", exit_code=143)
    result = cli("train", config, exit_code=5)
    assert result.stderr == (
        "error: runs/tiny: holds a run that did not finish; go on with it with "
        "--resume, train into another folder with --out, or replace it with "
        "--overwrite\n"
    )
    cli("train", config, "-q", "--overwrite")


@pytest.mark.parametrize("options", [[], ["--resume"], ["--overwrite"]], ids=str)
def test_second_run_in_a_folder_is_refused(
    options: list[str], run: Path, config: str, cli: Cli
) -> None:
    with (
        mock.patch("cnncli.system.lock._SECONDS_TO_DIE", 0.0),
        (run / ".lock").open("r+") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate()
        lock.write("4711\n")
        lock.flush()
        result = cli("train", config, *options, exit_code=5)
    assert result.stderr == (
        "error: runs/tiny: in use by process 4711, which trains into it; wait for it, "
        "or choose another place with --out\n"
    )


def test_what_a_killed_run_left_half_written_is_swept(
    run: Path, config: str, cli: Cli
) -> None:
    ours, others = ".0123abcd.tmp.state.npz", ".0123abcd.tmp.thesis.txt"
    for name in (ours, others):
        (run / name).write_text("half")
    cli("train", config, "-q", "--resume")
    assert not (run / ours).exists()
    assert (run / others).read_text() == "half"


def test_folder_in_which_a_run_was_killed_at_once_is_free(
    config: str, cli: Cli
) -> None:
    Path("runs/tiny").mkdir(parents=True)
    Path("runs/tiny/.lock").write_text("1\n")
    Path("runs/tiny/.0123abcd.tmp.manifest.json").write_text("{")
    cli("train", config, "-q")


def test_run_that_failed_before_its_first_state_is_in_nobody_s_way(
    config: str, cli: Cli
) -> None:
    with mock.patch("cnncli.runs.run.load_splits", side_effect=DataError("damaged")):
        cli("train", config, exit_code=3)
    manifest = json.loads(Path("runs/tiny/manifest.json").read_text())
    assert manifest["status"] == "failed"
    cli("train", config, "-q")


def test_lock_that_is_a_symlink_is_not_followed(config: str, cli: Cli) -> None:
    Path("runs/tiny").mkdir(parents=True)
    Path("precious").write_text("mine")
    Path("runs/tiny/.lock").symlink_to(Path("precious").absolute())
    result = cli("train", config, exit_code=5)
    assert result.stderr == (
        "error: runs/tiny: can't write there: Too many levels of symbolic links; "
        "choose another place with --out\n"
    )
    assert Path("precious").read_text() == "mine"


def test_too_little_room_is_found_before_training(config: str, cli: Cli) -> None:
    usage = mock.Mock(free=1_000_000)
    with mock.patch("shutil.disk_usage", return_value=usage), at_call(1, pytest.fail):
        result = cli("train", config, "-q", exit_code=5)
    assert result.stderr == (
        "error: runs/tiny: the run needs 4.6 MB there, 1.0 MB are free; make room, or "
        "choose another place with --out\n"
    )


def test_limit_on_file_sizes_is_found_before_training(config: str, cli: Cli) -> None:
    get_limit = resource.getrlimit

    def limited(what: int) -> tuple[int, int]:
        return (1_000, -1) if what == resource.RLIMIT_FSIZE else get_limit(what)

    with mock.patch("resource.getrlimit", limited):
        result = cli("train", config, "-q", exit_code=5)
    assert result.stderr == (
        "error: runs/tiny: the run needs to write a file of 0.0 MB, but this process "
        "may write no larger ones than 0.0 MB; raise the limit with 'ulimit -f'\n"
    )


def fail_at_flush(number: int) -> Any:
    """Return a patch of the so-manieth flush to the disk, and those after it."""
    flush, calls = os.fsync, 0

    def patched(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= number:
            raise FULL
        flush(descriptor)

    return mock.patch("os.fsync", patched)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run that every one of those with a full disk has to become."""
    folder = tmp_path_factory.mktemp("whole")
    with without_pictures():
        train_tiny(folder, *OTHER)
    return folder / "runs" / "tiny"


def check_full_disk(number: int, run: Path, whole: Path, config: str, cli: Cli) -> bool:
    """Fill the disk at a write of a new run over an old one; return if it failed.

    Every file of the old run stays whole until the new one's replaces it, whole, and
    once there is room the new run goes on to its end.
    """
    from click.testing import CliRunner

    from cnncli.cli import cli as group

    old = {name: (run / name).read_bytes() for name in REPLACED}
    options = ["train", config, *OTHER]
    with fail_at_flush(number):
        result = CliRunner().invoke(group, [*options, "--overwrite"])
    if result.exit_code == 0:
        return False
    assert result.exit_code == 5, result.output
    assert "No space left on device" in result.stderr
    assert result.stderr.count("\n") == 1
    for name, content in old.items():
        new = (whole / name).read_bytes()
        assert (run / name).read_bytes() in (content, new), name
    if (run / "state.npz").exists():
        assert result.stderr.endswith(f"make room, then go on with: {GO_ON}\n")
        cli(*options, "--resume")
    else:
        cli(*options, "--overwrite")
    return True


@pytest.mark.parametrize("number", [1, 6, 8, 11, 20])
def test_full_disk_loses_nothing(
    number: int, run: Path, whole: Path, config: str, cli: Cli
) -> None:
    assert check_full_disk(number, run, whole, config, cli)
    assert same_files(run, whole)


@pytest.mark.slow
def test_disk_full_at_any_write(
    finished: Path, run: Path, whole: Path, config: str, cli: Cli
) -> None:
    number = 1
    while check_full_disk(number, run, whole, config, cli):
        assert same_files(run, whole)
        shutil.rmtree(run)
        shutil.copytree(finished, run)
        number += 1
    assert number > 25

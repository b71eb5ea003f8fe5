"""How much memory training takes, and how much there is: refused before it is tried."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cnncli.experiment import memory
from cnncli.experiment.load import load_experiment
from cnncli.studies import jobs
from tests.builders import CONFIG, dataset

if TYPE_CHECKING:
    from tests.conftest import Cli

GB = 10**9


def test_of_the_documented_network() -> None:
    need = memory.need_to_train(load_experiment(None))
    assert need.images == 26_000 * (28 * 28 + 1)
    # The weight, RMSprop's two slots, and the same again while the state is written.
    assert need.weights == 203_898 * 4 * 6
    # Training on 32 images takes more than predicting 64: the image, the output of
    # each layer that doesn't work in place, and the gradient of the largest.
    outputs = 2 * 28 * 28 * 16 + 14 * 14 * 16 + 64 + 10
    assert need.activations == 32 * (28 * 28 + outputs + 28 * 28 * 16) * 4


def test_of_a_large_batch() -> None:
    need = memory.need_to_train(load_experiment(None, ["training.batch_size=1024"]))
    outputs = 2 * 28 * 28 * 16 + 14 * 14 * 16 + 64 + 10
    assert need.activations == 1024 * 4 * (28 * 28 + outputs + 28 * 28 * 16)


def test_of_half_precision() -> None:
    settings = ["training.batch_size=1024", "training.precision=mixed_bfloat16"]
    half, whole = (
        memory.need_to_train(load_experiment(None, settings[:n])) for n in (2, 1)
    )
    assert half.activations * 2 == whole.activations
    assert half.weights == whole.weights


def test_a_batch_has_no_more_images_than_there_are() -> None:
    settings = ["training.batch_size=10000", "data.split.train=300"]
    need = memory.need_to_train(load_experiment(None, settings))
    settings[0] = "training.batch_size=300"
    assert need == memory.need_to_train(load_experiment(None, settings))


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        ("SGD", 0),
        ("{SGD: {momentum: 0.9}}", 1),
        ("RMSprop", 2),
        ("{RMSprop: {momentum: 0.9, centered: true}}", 3),
        ("Adam", 2),
        ("{AdamW: {amsgrad: true}}", 3),
    ],
)
def test_slots_are_those_of_keras(optimizer: str, slots: int) -> None:
    import keras

    from cnncli.backend.tensorflow.optimizer import build_fast_optimizer

    experiment = load_experiment(None, [f"training.optimizer={optimizer}"])
    training = experiment.config.training
    assert memory.optimizer_slots(training.optimizer) == slots
    built = build_fast_optimizer(training)
    weight = keras.Variable([[1.0, 2.0, 3.0]])
    built.build([weight])
    assert sum(v.shape == weight.shape for v in built.variables) == slots


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("settings", "free", "exit_code", "message"),
    [
        (
            ["model.layers.4.Dense.units=500000"],
            9 * GB,
            6,
            "the network needs about 38.2 GB of memory to train, 9.0 GB are free; make "
            "layer 4 'dense' smaller, which has 1,568,500,000 parameters",
        ),
        (
            ["training.batch_size=8192"],
            GB,
            6,
            "the network needs about 1.6 GB of memory to train, 1.0 GB are free; lower "
            "training.batch_size, which is 8,192, or make the output of layer 0 'cv1' "
            "smaller, (28, 28, 16)",
        ),
        (
            [],
            200_000_000,
            6,
            "the network needs about 281 MB of memory to train, 200 MB are free; stop "
            "other programs, or allow this one more memory",
        ),
    ],
    ids=["weights", "activations", "TensorFlow"],
)
def test_a_network_that_does_not_fit_is_refused(
    settings: list[str],
    free: int,
    exit_code: int,
    message: str,
    options: list[str],
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    changes = [word for setting in settings for word in ("--set", setting)]
    result = cli("train", *changes, *options, exit_code=exit_code)
    assert result.stderr == f"error: {message}\n"
    assert list(Path().iterdir()) == []


def test_images_that_do_not_fit_are_refused(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 400_000_000)
    Path("good.yaml").write_text(CONFIG)
    dataset("data")
    claim = b"\0\0\x08\x03" + b"\0\1\0\0" + b"\0\0\0\x40" * 2
    Path("data/train-images-idx3-ubyte").write_bytes(claim)
    Path("data/train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + b"\0\1\0\0")
    Path("data/t10k-images-idx3-ubyte").write_bytes(claim)
    Path("data/t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + b"\0\1\0\0")
    result = cli("train", "good.yaml", exit_code=3)
    assert result.stderr == (
        "error: data: the images take 537 MB of memory, 400 MB "
        "are free; use fewer of them\n"
    )


@pytest.mark.parametrize("free", [None, 300_000_000])
def test_what_fits_or_cannot_be_known_is_allowed(
    free: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    memory.check_memory(load_experiment(None))


def test_a_limit_of_the_process_counts(tmp_path: Path) -> None:
    """As ``ulimit -v`` sets it, in KiB."""
    program = f"{sys.executable} -m cnncli train --set model.layers.4.Dense.units=90000"
    result = subprocess.run(
        ["sh", "-c", f"ulimit -v 4000000; exec {program}"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
    )
    assert (result.returncode, result.stdout) == (6, "")
    assert re.fullmatch(
        r"error: the network needs about 7\.1 GB of memory to train, 2\.\d GB are "
        r"free; make layer 4 'dense' smaller, which has 282,330,000 parameters\n",
        result.stderr,
    )


@pytest.mark.parametrize(
    ("threads", "free", "expected"),
    [(2, None, 2), (8, 6.1, 2), (2, 5.9, 1), (1, 100, 1)],
)
def test_two_runs_at_a_time_where_there_is_room(
    threads: int, free: float | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiments = [
        load_experiment(None, [f"training.batch_size={size}"]) for size in (32, 1024)
    ]
    largest = max(memory.need_to_train(each).total for each in experiments)
    room = None if free is None else int(free * largest)
    monkeypatch.setattr(jobs, "available_threads", lambda: threads)
    monkeypatch.setattr(jobs, "free_memory", lambda: room)
    assert jobs.fitting_jobs(experiments) == expected

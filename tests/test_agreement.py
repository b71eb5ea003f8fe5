"""What processes that train together agree on; they are played by threads."""

from __future__ import annotations

import signal
import socket
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from cnncli.backend.interface import Prediction
from cnncli.data.normalization import Normalization
from cnncli.errors import ConfigError, DataError, ProcessesError
from cnncli.experiment.load import load_experiment
from cnncli.processes.group import ALONE
from cnncli.runs.alike import check_alike, config_to_compare, told_by_first
from cnncli.system.signals import StopRequest
from cnncli.training.agreement import Pace, SharedNetwork, shared_network
from tests.companies import LONG, Company

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnncli.backend.interface import TrainingSteps
    from cnncli.processes.group import Group

HERE = socket.gethostname()


def in_company(count: int, work: Callable[[Group], object]) -> list[Any]:
    """Have so many processes do the same work; return what each makes of it."""
    if count == 1:
        return [work(ALONE)]
    with Company(count) as company:
        return [future.result(LONG) for future in company.all_join(work)]


def errors_of(
    count: int, kind: type[Exception], work: Callable[[Group], object]
) -> list[str]:
    """Have so many processes do the same work; return the error of each."""

    def failing(group: Group) -> str:
        with pytest.raises(kind) as caught:
            work(group)
        return str(caught.value)

    return in_company(count, failing)


# Predictions


class Counting:
    """A network that predicts of an image what its first pixel and label say.

    Attributes:
        asked: How many images it was asked for, each time.
    """

    def __init__(self) -> None:
        self.model: Any = None
        self.normalization = Normalization((0.0,), (1.0,))
        self.asked: list[int] = []

    def predict(self, pixels: Any, labels: Any) -> Prediction:
        assert len(pixels) == len(labels) > 0
        self.asked.append(len(labels))
        values = pixels.reshape(len(labels), -1).astype(np.float32)
        measures = {"loss": values[:, 0] / 7, "accuracy": labels.astype(np.float32)}
        return Prediction(values, measures)

    def activations(self, pixels: Any, layers: Any = None) -> list[Any]:
        return [pixels, layers]


def images(number: int) -> tuple[np.ndarray, np.ndarray]:
    values = np.arange(number)
    pixels = np.stack([values // 256, values % 256], axis=1).astype(np.uint8)
    return pixels.reshape(number, 1, 2, 1), (values % 10).astype(np.uint8)


@pytest.mark.parametrize("number", [1, 64, 65, 128, 129, 192, 700])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_each_process_predicts_a_share(count: int, number: int) -> None:
    pixels, labels = images(number)
    networks = [Counting() for _ in range(count)]

    def work(group: Group) -> Prediction:
        network = SharedNetwork(networks[group.index], group, LONG)
        return network.predict(pixels, labels)

    alone = Counting().predict(pixels, labels)
    for found in in_company(count, work):
        np.testing.assert_array_equal(found.probabilities, alone.probabilities)
        assert found.probabilities.dtype == np.float32
        assert list(found.measures) == ["loss", "accuracy"]
        for name, values in alone.measures.items():
            np.testing.assert_array_equal(found.measures[name], values)
        assert found.means() == alone.means()
    asked = [size for network in networks for size in network.asked]
    assert sum(asked) == number
    assert all(size % 64 == 0 for size in asked[:-1])
    batches = -(-number // 64)
    assert all(size <= 64 * -(-batches // count) for size in asked)


def test_activations_are_those_of_the_process_itself() -> None:
    network = SharedNetwork(Counting(), ALONE, LONG)
    pixels, _ = images(3)
    assert network.activations(pixels, ["a"])[1] == ["a"]
    assert network.normalization == Normalization((0.0,), (1.0,))


def test_one_process_keeps_its_network() -> None:
    network = Counting()
    assert shared_network(network, ALONE) is network


# Pace


def test_all_take_the_steps_that_process_0_has_time_for() -> None:
    def work(group: Group) -> list[int]:
        pace = Pace(group, StopRequest(), 100)
        chunks = []
        for seconds in (0.1, 0.1, 0.1):
            assert pace.agree("in epoch 1")
            chunks.append(pace.chunk)
            pace.took(pace.chunk, seconds * (group.index + 1))
        return chunks

    assert in_company(3, work) == [[1, 4, 16]] * 3


@pytest.mark.parametrize(
    ("most", "chunk", "seconds", "expected"),
    [
        (100, 1, 0.001, 4),
        (3, 1, 0.001, 3),
        (100, 1, 4.0, 1),
        (100, 8, 0.4, 8),
        (100, 8, 0.8, 4),
        (100, 8, 0.2, 16),
        (20, 8, 0.1, 20),
    ],
)
def test_a_chunk_takes_as_long_as_a_report_is_due(
    most: int, chunk: int, seconds: float, expected: int
) -> None:
    pace = Pace(ALONE, StopRequest(), most)
    pace.chunk = chunk
    pace.took(chunk, seconds)
    assert pace.chunk == expected


def test_the_limit_follows_from_the_longest_chunk() -> None:
    pace = Pace(ALONE, StopRequest(), 100)
    assert pace.limit == 600
    pace.took(1, 0.1)
    assert pace.limit == 60
    pace.took(1, 50.0)
    pace.took(1, 1.0)
    assert pace.limit == 1000


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_signal_to_one_stops_all(asked: int) -> None:
    def work(group: Group) -> tuple[bool, bool, bool, int]:
        request = StopRequest()
        pace = Pace(group, request, 100)
        before = pace.agree("in epoch 1")
        if group.index == asked:
            request.signal = signal.SIGTERM
        after = pace.agree("in epoch 1, after step 1")
        return before, after, pace.is_stopped, request.signal

    assert in_company(3, work) == [(True, False, True, signal.SIGTERM)] * 3


def test_of_two_signals_all_take_the_same() -> None:
    numbers = [0, signal.SIGHUP, signal.SIGTERM]

    def work(group: Group) -> int:
        request = StopRequest()
        request.signal = numbers[group.index]
        assert not Pace(group, request, 100).agree("in epoch 1")
        return request.signal

    assert in_company(3, work) == [signal.SIGHUP] * 3


def test_steps_are_watched_with_the_limit() -> None:
    watched: list[tuple[str, float]] = []

    def steps(doing: str, limit: float) -> AbstractContextManager[None]:
        watched.append((doing, limit))
        return nullcontext()

    pace = Pace(cast("Group", SimpleNamespace(steps=steps)), StopRequest(), 100)
    with pace.watched("in epoch 1"):
        pace.took(1, 100.0)  # it was compiled
    with pace.watched("in epoch 2"):
        pass
    assert watched == [("in epoch 1", 600.0), ("in epoch 2", 300.0)]


def steps_with(*values: Any) -> TrainingSteps:
    variables = [
        (f"{number}", np.asarray(value)) for number, value in enumerate(values)
    ]
    return cast("TrainingSteps", SimpleNamespace(variables=lambda: variables))


def test_weights_that_differ_are_found() -> None:
    def work(group: Group) -> None:
        pace = Pace(group, StopRequest(), 100)
        pace.check_alike(steps_with(np.ones((2, 3)), 1), 1)
        value = np.ones((2, 3), np.float32)
        if group.index == 1:
            value[1, 2] = np.nextafter(np.float32(1), np.float32(2))
        pace.check_alike(steps_with(value, 1), 2)

    assert (
        errors_of(3, ProcessesError, work)
        == [
            f"epoch 2: the weights of process 1 on {HERE} are not those of process 0 "
            f"on {HERE}; one of the machines computes otherwise: another processor, "
            "GPU or version"
        ]
        * 3
    )


# Configs and images


def test_what_is_alike_is_not_refused() -> None:
    assert in_company(3, lambda group: check_alike(group, {"a": 1}, "a")) == [None] * 3


@pytest.mark.parametrize("kind", [ConfigError, DataError])
def test_every_difference_is_listed_alike(kind: type[Exception]) -> None:
    values: list[dict[str, Any]] = [
        {"same": 1, "seed": 1, "name": "ä"},
        {"same": 1, "seed": 2, "name": "ä", "more": None},
        {"same": 1, "seed": 1, "name": "b"},
    ]

    def work(group: Group) -> None:
        check_alike(group, values[group.index], "configs", cast("Any", kind))

    has = f"process 0 on {HERE} has"
    assert (
        errors_of(3, kind, work)
        == [
            f"configs differ: seed: {has} 1, process 1 on {HERE} has 2\n"
            f"configs differ: more: {has} none, process 1 on {HERE} has null\n"
            f'configs differ: name: {has} "ä", process 2 on {HERE} has "b"'
        ]
        * 3
    )


def test_all_hear_what_process_0_says() -> None:
    def work(group: Group) -> bytes:
        return told_by_first(group, lambda: b"%d" % group.index, "measuring")

    assert in_company(3, work) == [b"0"] * 3


def test_where_things_are_is_not_compared() -> None:
    def compared(*settings: str) -> dict[str, Any]:
        return config_to_compare(load_experiment(None, settings).config)

    here = compared("training.tensorboard=true", "training.mlflow=mlruns")
    assert here == compared()
    assert compared("seed=2") != here
    assert compared("training.epochs=2") != here
    assert compared("data.split.train=100") != here
    assert not any(key.endswith(("path", "mlflow", "tensorboard")) for key in here)
    assert {"seed", "training.epochs", "data.split.train"} <= here.keys()

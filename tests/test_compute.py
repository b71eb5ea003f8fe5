"""The options that say what a run is computed with, where they are refused."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import click
import pytest

from cnncli.commands.compute import Compute, chosen_compute
from cnncli.processes.place import Place

if TYPE_CHECKING:
    from tests.conftest import Cli

PLACE = ("--coordinator=host:1", "--num-processes=2", "--process-id=0")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--processes=2",), "--processes needs --backend jax"),
        (("--start-timeout=3",), "--start-timeout needs --backend jax"),
        (PLACE, "--coordinator needs --backend jax"),
        (("--num-processes=2",), "--num-processes needs --backend jax"),
        (("--process-id=0",), "--process-id needs --backend jax"),
        (("--backend=tensorflow", "--processes=1"), "--processes needs --backend jax"),
        (
            ("--backend=jax", "--processes=2", "--coordinator=host:1"),
            "--processes and --coordinator exclude each other",
        ),
        (
            ("--backend=jax", "--processes=1", "--process-id=0"),
            "--processes and --process-id exclude each other",
        ),
        (
            ("--backend=jax", "--seeds=2"),
            "--seeds and --backend exclude each other",
        ),
        (
            ("--backend=jax", "--dry-run"),
            "--dry-run and --backend exclude each other",
        ),
        (
            ("--backend=jax", "--devices=0"),
            "Invalid value for '--devices': 0 is not in the range 1<=x<=1024.",
        ),
        (
            ("--backend=jax", "--processes=65"),
            "Invalid value for '--processes': 65 is not in the range 1<=x<=64.",
        ),
        (
            ("--backend=torch",),
            "Invalid value for '--backend': 'torch' is not one of 'tensorflow', 'jax'.",
        ),
    ],
)
def test_options_that_are_refused(
    options: tuple[str, ...], words: str, config: str, cli: Cli
) -> None:
    result = cli("train", config, *options, exit_code=2)
    assert result.stdout == ""
    usage = (
        "Usage: cnncli train [OPTIONS] [CONFIG]\nTry 'cnncli train --help' for help."
    )
    assert result.stderr == f"{usage}\n\nError: {words}\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--processes=3",),
            "training.batch_size: 32 images can't be shared out equally to 3 devices; "
            "try 30 or 33",
        ),
        (
            ("--devices=5",),
            "training.batch_size: 32 images can't be shared out equally to 5 devices; "
            "try 30 or 35",
        ),
        (
            ("--processes=2", "--devices=3"),
            "training.batch_size: 32 images can't be shared out equally to 6 devices; "
            "try 30 or 36",
        ),
        (
            ("--coordinator=host:1", "--num-processes=3", "--process-id=2"),
            "training.batch_size: 32 images can't be shared out equally to 3 devices; "
            "try 30 or 33",
        ),
        (
            ("--coordinator=host", "--num-processes=2", "--process-id=1"),
            "--coordinator 'host': expected HOST:PORT, such as node1:1234",
        ),
    ],
)
def test_what_cannot_be_computed(
    options: tuple[str, ...], words: str, config: str, cli: Cli
) -> None:
    result = cli("train", config, "--backend=jax", *options, exit_code=2)
    assert (result.stdout, result.stderr) == ("", f"{words}\n")


def test_jax_is_not_installed(
    config: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "cnncli.commands.compute.find_spec",
        lambda name: None if name == "jax" else find(name),
    )
    result = cli("train", config, "--backend=jax", exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        "Error: --backend jax needs JAX: pip install 'cnncli[jax]'"
    )


NOTHING = {
    "backend": None,
    "devices": None,
    "processes": None,
    "start_timeout": None,
    "coordinator": None,
    "num_processes": None,
    "process_id": None,
}
RECORDED = {"backend": "jax", "processes": 2, "devices": ["cpu"] * 4}


@pytest.mark.parametrize(
    ("recorded", "given", "expected"),
    [
        ({}, {}, Compute()),
        ({}, {"backend": "tensorflow"}, Compute()),
        ({}, {"backend": "jax"}, Compute("jax")),
        ({}, {"backend": "jax", "processes": 4}, Compute("jax", None, 4)),
        ({}, {"backend": "jax", "devices": 4}, Compute("jax", 4)),
        (RECORDED, {}, Compute("jax", 2, 2)),
        (RECORDED, {"processes": 1}, Compute("jax", 4, 1)),
        (RECORDED, {"processes": 4}, Compute("jax", 1, 4)),
        (RECORDED, {"processes": 3}, Compute("jax", None, 3)),
        (RECORDED, {"devices": 1}, Compute("jax", 1, 2)),
        ({**RECORDED, "devices": ["H100"] * 2}, {}, Compute("jax", None, 2)),
        (
            RECORDED,
            {"coordinator": "a:1", "num_processes": 4, "process_id": 3},
            Compute("jax", 1, 1, Place("a:1", 4, 3, "")),
        ),
    ],
)
def test_what_a_run_is_computed_with(
    recorded: dict[str, object],
    given: dict[str, object],
    expected: Compute,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.environ", {})
    found = chosen_compute(recorded, **{**NOTHING, **given})  # type: ignore[arg-type]
    assert found == expected


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_run_stays_on_its_backend(backend: str) -> None:
    (begun_on,) = {"jax", "tensorflow"} - {backend}
    with pytest.raises(click.UsageError) as caught:
        chosen_compute(
            {"backend": begun_on},
            **{**NOTHING, "backend": backend},  # type: ignore[arg-type]
        )
    assert caught.value.message == (
        f"--backend {backend}: the run was begun on {begun_on}; leave it out"
    )


def test_how_many_devices_share_a_batch_at_the_least() -> None:
    assert Compute("jax").fewest_devices == 1
    assert Compute("jax", 2, 3).fewest_devices == 6
    assert Compute("jax", None, 1, Place("a:1", 4, 3, "")).fewest_devices == 4

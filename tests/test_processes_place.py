"""A process finds its place on the command line or in what started it."""

from __future__ import annotations

import os
import socket
from unittest import mock

import pytest

from cnncli.errors import ConfigError
from cnncli.processes.place import Place, find_place

SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NODELIST": "node[003-005,9],other",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
}
POD = {"JOB_COMPLETION_INDEX": "3"}


def found(
    environ: dict[str, str],
    coordinator: str | None = None,
    count: int | None = None,
    index: int | None = None,
) -> Place | None:
    return find_place(coordinator, count, index, environ)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {**SLURM, "SLURM_STEP_NUM_TASKS": "1"},
        # A script that sbatch has started, not srun.
        {name: SLURM[name] for name in SLURM if "STEP" not in name},
        {**OPEN_MPI, "OMPI_COMM_WORLD_SIZE": "1"},
        POD,
        {"CNNCLI_JOB": "a"},
    ],
)
def test_one_process_is_alone(environ: dict[str, str]) -> None:
    assert found(environ) is None


@pytest.mark.parametrize("coordinator", ["host:1", "[::1]:65535", "127.0.0.1:1234"])
def test_all_is_given(coordinator: str) -> None:
    assert found({}, coordinator, 4, 3) == Place(coordinator, 4, 3, "")
    assert found({"CNNCLI_JOB": "a"}, coordinator, 1, 0) == Place(
        coordinator, 1, 0, "a"
    )


def test_all_is_given_within_a_job() -> None:
    """Steps of one job may be what trains together; their numbers would differ."""
    environ = {**SLURM, "SLURM_STEP_NUM_TASKS": "1"}
    assert found(environ, "host:1", 2, 1) == Place("host:1", 2, 1, "")


def test_slurm() -> None:
    assert found(SLURM) == Place("node003:62055", 4, 3, "4711.2")
    assert found(SLURM, "host:1") == Place("host:1", 4, 3, "4711.2")
    assert found({**SLURM, "CNNCLI_JOB": "a"}, "host:1", 8, 7) == Place(
        "host:1", 8, 7, "a"
    )
    assert found({**SLURM, "JAX_COORDINATOR_PORT": "99"}) == Place(
        "node003:99", 4, 3, "4711.2"
    )


def test_slurm_that_counts_the_tasks_of_the_job_only() -> None:
    environ = {name: SLURM[name] for name in SLURM if name != "SLURM_STEP_NUM_TASKS"}
    assert found(environ) == Place("node003:62055", 4, 3, "4711.2")


def test_open_mpi() -> None:
    assert found(OPEN_MPI) == Place("10.96.0.1:62624", 4, 2, "1531576320")
    assert found({**SLURM, **OPEN_MPI}) == found(OPEN_MPI)
    uri = "1314521088.0;tcp6://[fe80::b9b:ac5d:9cf0:b858,2620::2]:43370"
    assert found({**OPEN_MPI, "OMPI_MCA_orte_hnp_uri": uri}) == Place(
        "[fe80::b9b:ac5d:9cf0:b858]:62880", 4, 2, "1314521088"
    )


def test_open_mpi_that_names_no_address() -> None:
    environ = {name: OPEN_MPI[name] for name in OPEN_MPI if "uri" not in name}
    environ["PMIX_NAMESPACE"] = "prterun-host-12@1"
    assert found(environ, "host:1") == Place("host:1", 4, 2, "prterun-host-12@1")
    with pytest.raises(ConfigError) as caught:
        found(environ)
    assert str(caught.value) == (
        "Open MPI doesn't say --coordinator: expected on the command line"
    )


def test_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = "jobs.team.svc.cluster.local"
    monkeypatch.setattr(socket, "getfqdn", lambda: f"my-job-3.{domain}")
    assert found(POD, count=4) == Place(f"my-job-0.{domain}:55527", 4, 3, "")
    assert found(POD, "host:1", 4) == Place("host:1", 4, 3, "")


def test_pod_without_a_full_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "my-job-3")
    with pytest.raises(ConfigError) as caught:
        found(POD, count=4)
    assert str(caught.value) == (
        "this pod's full name is 'my-job-3': expected one such as "
        "job-3.service.namespace.svc.cluster.local; give the job's pods a subdomain "
        "with a headless service, or give --coordinator"
    )


ALL_THREE = (
    "expected all three where neither Open MPI nor Slurm nor Kubernetes has started "
    "the process as one of several"
)


@pytest.mark.parametrize(
    ("coordinator", "count", "index", "words"),
    [
        (
            None,
            2,
            None,
            f"--num-processes without --coordinator and --process-id: {ALL_THREE}",
        ),
        (
            None,
            2,
            0,
            f"--num-processes and --process-id without --coordinator: {ALL_THREE}",
        ),
        (
            "host:1",
            None,
            None,
            f"--coordinator without --num-processes and --process-id: {ALL_THREE}",
        ),
        ("host:1", 4, 4, "--process-id 4 of --num-processes 4: expected 0 to 3"),
        ("host:1", 4, -1, "--process-id -1 of --num-processes 4: expected 0 to 3"),
        ("host:1", 0, 0, "--num-processes 0: expected 1 or more"),
        *(
            (coordinator, 2, 0, f"--coordinator {coordinator!r}: expected {expected}")
            for coordinator, expected in (
                ("host", "HOST:PORT, such as node1:1234"),
                (":1", "HOST:PORT, such as node1:1234"),
                ("host:", "HOST:PORT, such as node1:1234"),
                ("host:0", "a port from 1 to 65535"),
                ("host:65536", "a port from 1 to 65535"),
                ("host:x", "a port from 1 to 65535"),
                ("[host]:1", "an IPv6 address in the brackets"),
                (
                    "::1:1234",
                    "HOST:PORT; write an IPv6 address in brackets, as in [::1]:1234",
                ),
            )
        ),
    ],
)
def test_what_makes_no_place(
    coordinator: str | None, count: int | None, index: int | None, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        found({}, coordinator, count, index)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"SLURM_PROCID": "x"}, "SLURM_PROCID is 'x': expected a number from 0"),
        (
            {"SLURM_STEP_NODELIST": ",a"},
            "SLURM_STEP_NODELIST is ',a': expected hosts, such as node[1-4]",
        ),
        (
            {"SLURM_PROCID": "4"},
            "--process-id 4 of --num-processes 4: expected 0 to 3 (as Slurm says, "
            "where it isn't given)",
        ),
        (
            {"JAX_COORDINATOR_PORT": "x"},
            "--coordinator 'node003:x': expected a port from 1 to 65535",
        ),
    ],
)
def test_variables_that_are_wrong(changed: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        found({**SLURM, **changed})
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "environ",
    [
        OPEN_MPI,
        {**SLURM, **OPEN_MPI},
        {**OPEN_MPI, "JAX_COORDINATOR_PORT": "99"},
        {**SLURM, "JAX_COORDINATOR_PORT": "99"},
        *(
            {**SLURM, "SLURM_STEP_NODELIST": nodes}
            for nodes in (
                "node001",
                "node001,host2",
                "node[001-0015],host2",
                "node[001,007-015],host2",
                "a-1-[3,4]",
            )
        ),
    ],
)
def test_places_are_those_that_jax_finds(environ: dict[str, str]) -> None:
    clusters = pytest.importorskip("jax._src.clusters")
    with mock.patch.dict(os.environ, environ, clear=True):
        address, count, index, _ = (
            clusters.ClusterEnv.auto_detect_unset_distributed_params(
                None, None, None, None, None, None
            )
        )
    place = found(environ)
    assert place
    assert (place.coordinator, place.count, place.index) == (address, count, index)

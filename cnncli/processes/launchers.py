"""What Open MPI, Slurm and Kubernetes tell a process that they start as one of several.

The variables, hosts and ports are those that JAX goes by. The first that knows wins,
in JAX's order: within a Slurm job ``mpirun`` may start the processes.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from cnncli.errors import ConfigError
from cnncli.processes.address import with_port

JOB = "CNNCLI_JOB"
"""The variable that says which job a process belongs to, whoever started it."""

_PORT = "JAX_COORDINATOR_PORT"
_PORTS = 2**12
_FIRST_PORT = 65536 - _PORTS
_KUBERNETES_PORT = 55527

_SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_PROCID")
_FIRST_HOST = re.compile(r"([^,\[]+)(?:\[([^,\-\]]+))?")
_ORTE_URI = re.compile(r"(\d+)\..*?(?:tcp://([^,:]+)|tcp6://\[([^,\]]+))")
_POD = re.compile(r"(?P<job>.+)-(?P<index>\d+)\.(?P<domain>.+)")


@dataclass(frozen=True)
class Launched:
    """What is known of a process's place; None is unknown.

    Attributes:
        launcher: Who says so.
        job: What the launcher calls the job.
        coordinator: ``HOST:PORT``.
        count: How many processes there are.
        index: The number of this one.
    """

    launcher: str
    job: str
    coordinator: str | None
    count: int | None
    index: int | None


def launched(environ: Mapping[str, str], given: Launched) -> Launched | None:
    """Return what the environment says of this process's place.

    Args:
        environ: The environment.
        given: What is known already, and needn't be found.

    Returns:
        It; None where the process was started alone.

    Raises:
        ConfigError: A variable is not what it should be.
    """
    return _by_open_mpi(environ) or _by_slurm(environ) or _by_kubernetes(environ, given)


def _by_open_mpi(environ: Mapping[str, str]) -> Launched | None:
    count = _number(environ, "OMPI_COMM_WORLD_SIZE")
    if count is None or count == 1:
        return None
    index = _number(environ, "OMPI_COMM_WORLD_RANK")
    uri = _ORTE_URI.match(environ.get("OMPI_MCA_orte_hnp_uri", ""))
    if uri is None:
        job = environ.get("PMIX_NAMESPACE", "")
        return Launched("Open MPI", job, None, count, index)
    job, ipv4, ipv6 = uri.groups()
    # Open MPI's numbers of jobs are multiples of 4096.
    port = _port(environ, _FIRST_PORT + int(job) // _PORTS % _PORTS)
    return Launched("Open MPI", job, with_port(ipv4 or ipv6, port), count, index)


def _by_slurm(environ: Mapping[str, str]) -> Launched | None:
    if not all(environ.get(name) for name in _SLURM):
        return None
    count = _number(environ, "SLURM_STEP_NUM_TASKS")
    if count is None:
        count = _number(environ, "SLURM_NTASKS")
    job = _number(environ, "SLURM_JOB_ID")
    if count is None or count == 1 or job is None:
        return None
    step = environ.get("SLURM_STEP_ID", "")
    return Launched(
        "Slurm",
        f"{job}.{step}" if step else str(job),
        with_port(
            _first_host(environ["SLURM_STEP_NODELIST"]),
            _port(environ, _FIRST_PORT + job % _PORTS),
        ),
        count,
        _number(environ, "SLURM_PROCID"),
    )


def _first_host(nodes: str) -> str:
    """Return the first of ``node1,node2`` or ``node[001-015,018],other``."""
    first = _FIRST_HOST.match(nodes)
    if first is None:
        raise ConfigError(
            f"SLURM_STEP_NODELIST is {nodes!r}: expected hosts, such as node[1-4]"
        )
    return "".join(part or "" for part in first.groups())


def _by_kubernetes(environ: Mapping[str, str], given: Launched) -> Launched | None:
    """Return the place in an indexed job whose pods are said to belong together.

    Those of many such jobs have nothing to do with each other, so that the number of
    processes must be given, and be more than one.
    """
    index = _number(environ, "JOB_COMPLETION_INDEX")
    if index is None or given.count is None or given.count == 1:
        return None
    coordinator = given.coordinator or with_port(
        _first_pod(socket.getfqdn()), _port(environ, _KUBERNETES_PORT)
    )
    return Launched("Kubernetes", "", coordinator, None, index)


def _first_pod(name: str) -> str:
    """Return the full name of pod 0 of the job that a pod belongs to."""
    pod = _POD.fullmatch(name)
    if pod is None:
        raise ConfigError(
            f"this pod's full name is {name!r}: expected one such as "
            "job-3.service.namespace.svc.cluster.local; give the job's pods a "
            "subdomain with a headless service, or give --coordinator"
        )
    return f"{pod['job']}-0.{pod['domain']}"


def _port(environ: Mapping[str, str], usual: int) -> int | str:
    return environ.get(_PORT) or usual


def _number(environ: Mapping[str, str], name: str) -> int | None:
    """Return the number that a variable holds, if it is there."""
    text = environ.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"{name} is {text!r}: expected a number from 0")
    return int(text)

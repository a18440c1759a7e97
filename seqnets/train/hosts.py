"""Joins several processes that train one model."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Literal, get_args

from seqnets.errors import UserError

Hosts = Literal["none", "env", "auto"]
HEARTBEAT_S = 10  # seconds of silence after which a process is considered dead and the others end

_OF_OTHERS = ("Gloo", "NCCL", "oordination", "istributed", "Socket closed", "onnection")  # XLA's messages about lost processes
_NAMES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


class Alone(RuntimeError):
    """The other processes of the run cannot be reached, or are gone.

    Attributes:
        exit_code: 1; all of them can be started again.
    """

    exit_code = 1


def join_hosts(hosts: Hosts = "env", environment: Mapping[str, str] = os.environ) -> int:
    """Join the other processes of the run, if there are any, and return how many there are; before JAX is used.

    Args:
        hosts: "env" joins where JAX_COORDINATOR_ADDRESS (host:port of the first process), JAX_NUM_PROCESSES and JAX_PROCESS_ID
            are set; "auto" asks SLURM, Open MPI, Kubernetes or the TPU's metadata; "none" joins no process.
        environment: where "env" looks.

    Raises:
        UserError: only some of the three are set, or one is not a valid number.
        Alone: the others cannot be reached.

    Example:
        >>> join_hosts("env", {})
        1
        >>> join_hosts("env", {"JAX_PROCESS_ID": "0"})
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: JAX_PROCESS_ID is set and JAX_COORDINATOR_ADDRESS is not; several processes need all three of
        JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES, JAX_PROCESS_ID, one process none of them
    """
    if hosts not in get_args(Hosts):
        raise UserError(f"hosts must be one of {', '.join(get_args(Hosts))}, not {hosts!r}")
    if hosts == "none" or (hosts == "env" and not _told(environment)):
        return 1
    import jax

    jax.config.update("jax_cpu_enable_async_dispatch", False)  # two programs at once would mix up their messages
    given = {} if hosts == "auto" else _given(environment)
    try:
        jax.distributed.initialize(**given, heartbeat_timeout_seconds=HEARTBEAT_S, shutdown_timeout_seconds=HEARTBEAT_S)
    except (RuntimeError, ValueError) as error:
        raise Alone(f"the other processes of the run cannot be joined: {_first_line(error)}") from None
    return given.get("num_processes") or jax.process_count()


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Turn XLA's errors about a lost process into one sentence.

    Raises:
        Alone: another process is gone.

    Example:
        >>> with joined():
        ...     raise ValueError("UNKNOWN: Gloo all-reduce failed: Connection reset by peer")
        Traceback (most recent call last):
        ...
        seqnets.train.hosts.Alone: another process of the run is gone: UNKNOWN: Gloo all-reduce failed: Connection reset by peer
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if isinstance(error, UserError) or not any(word in str(error) for word in _OF_OTHERS):
            raise
        raise Alone(f"another process of the run is gone: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _told(environment: Mapping[str, str]) -> bool:
    there, missing = [n for n in _NAMES if environment.get(n)], [n for n in _NAMES if not environment.get(n)]
    if there and missing:
        raise UserError(
            f"{there[0]} is set and {missing[0]} is not; several processes need all three of {', '.join(_NAMES)}, one process "
            "none of them"
        )
    return bool(there)


def _given(environment: Mapping[str, str]) -> dict:
    address, count, number = (environment[name] for name in _NAMES)
    if not (count.isdigit() and number.isdigit() and int(number) < int(count)):
        raise UserError(f"JAX_PROCESS_ID ({number!r}) must be a number from 0 to JAX_NUM_PROCESSES ({count!r}) minus one")
    named = {"coordinator_address": address, "num_processes": int(count), "process_id": int(number)}
    # SLURM's or Kubernetes' own variables are not used: JAX would then take one device per process
    return {**named, "cluster_detection_method": "deactivate"}

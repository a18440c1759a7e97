"""Settings of the command line's own process before JAX starts: compilation cache, XLA options, threads, memory, logs.

The library never does any of this. Your own program may: call `seqnets.cli.runtime.prepare()` before JAX is imported.
"""

import ctypes
import gc
import hashlib
import math
import os
import platform
import sys
from collections.abc import Mapping, MutableMapping
from importlib.metadata import version
from pathlib import Path

from seqnets.errors import UserError
from seqnets.machine import processor
from seqnets.places import is_usable, user_cache

# Unknown names with the prefix xla_ are ignored by XLA, so that this never stops an older, newer or GPU build from starting.
_CPU_OPTIONS = "xla_cpu_use_multi_output_fusion"  # writes several results in one pass: 1.1 to 1.2 times the training speed
_MALLOPT = {-4: 0, -1: 1 << 30, -2: 1 << 26}  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD of malloc.h
_RESERVED, _RESERVED_BY_A_THREAD = 1_400_000_000, 20_000_000  # bytes of addresses, of which a tenth is used
_CACHE_OFF = ("0", "off", "no", "false", "none")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def prepare(environment: MutableMapping[str, str] | None = None) -> None:
    """Fill in the environment variables that JAX and XLA read when they start; variables that are set stay as they are.

    The process's own environment is not changed once JAX is imported: it would be too late, and may not be our process.

    Args:
        environment: the mapping to fill in; the process's own environment by default.

    Example:
        >>> environment = {"SEQNETS_COMPILATION_CACHE": "off"}
        >>> prepare(environment)
        >>> environment["JAX_ENABLE_COMPILATION_CACHE"]
        'false'
    """
    if environment is None and "jax" in sys.modules:
        return
    if environment is None:
        _keep_memory()
        environment = os.environ
    defaults = {**_quiet(), **_threads(), **_compilation_cache(environment)}
    for name, value in defaults.items():
        environment.setdefault(name, value)
    environment["XLA_FLAGS"] = xla_flags(environment.get("XLA_FLAGS", ""))


def start() -> None:
    """Load JAX and Flax after the command line is parsed; this takes most of the time before the first result.

    Raises:
        UserError: the process may not reserve the memory that JAX needs; it would abort later.
    """
    if "jax" in sys.modules:
        return
    _check_address_space()
    collects = gc.isenabled()
    gc.disable()  # imports make no garbage; looking for it would take a tenth of the time
    try:
        import flax.nnx  # noqa: F401
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def _check_address_space() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    asked = os.environ.get("NPROC", "")
    threads = int(asked) if asked.isdigit() else os.cpu_count() or 1
    needed = _RESERVED + threads * _RESERVED_BY_A_THREAD
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise UserError(
            f"this process may reserve {limit / 1e9:.2g} GB of memory (`ulimit -v`), and JAX reserves {needed / 1e9:.2g} GB; "
            "raise the limit, with `ulimit -v unlimited` for example"
        )


def xla_flags(given: str) -> str:
    """Return the XLA flags with those that help on a CPU; given flags of the same name win.

    Example:
        >>> xla_flags("--xla_dump_to=/tmp/dump")
        '--xla_dump_to=/tmp/dump --xla_backend_extra_options=xla_cpu_use_multi_output_fusion'
        >>> xla_flags("--xla_backend_extra_options=xla_cpu_other")
        '--xla_backend_extra_options=xla_cpu_other'
    """
    if "--xla_backend_extra_options" in given:
        return given
    return f"{given} --xla_backend_extra_options={_CPU_OPTIONS}".strip()


def _keep_memory() -> None:
    """Let glibc keep freed memory: XLA asks for the same buffers at every step, and fresh pages cost a tenth of its time."""
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    allocator = ctypes.CDLL(None)
    for parameter, value in _MALLOPT.items():
        allocator.mallopt(parameter, value)


def _quiet() -> dict[str, str]:
    return {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3", "GRPC_VERBOSITY": "ERROR", "ABSL_MIN_LOG_LEVEL": "3"}


def _threads() -> dict[str, str]:
    """Return the container's quota of cores, which XLA ignores: more threads than that only wait for each other."""
    try:
        quota, period = _CPU_QUOTA.read_text("utf-8").split()
        return {"NPROC": str(max(1, math.ceil(int(quota) / int(period))))}
    except (OSError, ValueError):  # no cgroup, or no quota ("max")
        return {}


def _compilation_cache(environment: Mapping[str, str]) -> dict[str, str]:
    if environment.get("SEQNETS_COMPILATION_CACHE", "").lower() in _CACHE_OFF:
        return {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    folder = user_cache(environment) / "compiled" / f"{version('jaxlib')}-{hashlib.sha256(processor().encode()).hexdigest()[:12]}"
    if not is_usable(folder):  # a read-only home: compile again each time
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }

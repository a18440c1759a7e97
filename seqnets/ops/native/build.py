"""Compile the native kernels for this machine at first use, and keep the library in the user's cache folder."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import jax

from seqnets.machine import processor
from seqnets.places import cache_folder

SOURCES = Path(__file__).parent
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC", "-pthread", "-w")
TIMEOUT_SECONDS = 300


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, or None if they are not available; reports once, in one line on stderr.

    The environment variable `SEQNETS_NATIVE=0` turns them off, `CXX` names the compiler.

    Example:
        >>> library() is library()
        True
    """
    if os.environ.get("SEQNETS_NATIVE") == "0":
        return None
    try:
        return ctypes.CDLL(str(_compiled()))
    except (OSError, subprocess.SubprocessError) as failure:
        tell(f"no native kernels, so the portable backend is used ({_reason(failure)})")
        return None


def is_compiled() -> bool:
    """Return whether the kernels are there without compiling them now.

    Example:
        >>> found = library()  # compiles them
        >>> is_compiled() or found is None
        True
    """
    try:
        return _target(_compiler()).exists()
    except (OSError, subprocess.SubprocessError):
        return False


def _target(compiler: str) -> Path:
    return cache_folder("native").absolute() / f"{_fingerprint(compiler)}.so"


def _compiled() -> Path:
    compiler = _compiler()
    target = _target(compiler)
    if not target.exists():
        tell(f"compiling the native kernels for this machine, once, into {target.parent}")
        _compile(compiler, target)
    return target


def _compiler() -> str:
    candidates = (os.environ["CXX"],) if "CXX" in os.environ else COMPILERS
    for name in candidates:
        if found := shutil.which(name):
            return found
    raise OSError(f"no C++ compiler: looked for {', '.join(candidates)}")


def _compile(compiler: str, target: Path) -> None:
    # Another process may do the same: each writes its own file and renames it atomically.
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        command = [compiler, *_flags(), str(SOURCES / "ffi.cc"), "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        made.replace(target)


def _flags() -> list[str]:
    # On x86 all compilers have -march=native; on Arm -mcpu names the processor.
    processor = "-march=native" if platform.machine().lower() in ("x86_64", "amd64") else "-mcpu=native"
    return [*FLAGS, processor, "-I", jax.ffi.include_dir()]


def _fingerprint(compiler: str) -> str:
    version = subprocess.run([compiler, "--version"], check=True, capture_output=True, timeout=TIMEOUT_SECONDS).stdout
    digest = hashlib.sha256(version)
    for source in sorted(SOURCES.glob("*.h")) + sorted(SOURCES.glob("*.cc")):
        digest.update(source.read_bytes())
    digest.update("\n".join([compiler, *_flags(), jax.lib.__version__, processor()]).encode())
    return digest.hexdigest()[:24]


def _reason(failure: Exception) -> str:
    if isinstance(failure, subprocess.CalledProcessError):
        return f"{failure.cmd[0]} failed: {(failure.stderr or 'without a message').strip().splitlines()[0]}"
    return str(failure)


def tell(message: str) -> None:
    """Print a sentence for the user."""
    print(f"seqnets: {message}", file=sys.stderr)

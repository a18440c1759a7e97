"""Fixtures and settings shared by all tests, the examples in docstrings included."""

import gc
import os
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Two thirds of the suite's time were LLVM's, polishing programs that run once. `XLA_FLAGS= pytest` tests what users run.
# Later versions have only the emitters that take twice as long to compile, and refuse the flag that chooses.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
    + (" --xla_cpu_use_fusion_emitters=false" if version("jaxlib").startswith("0.10.") else ""),
)
# Equal programs are compiled once, by all workers, the processes that tests start, and later runs; --cache-clear forgets them.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent / ".pytest_cache" / "d" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax

MAPS, MOST_MAPS = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
SHARED_DATA = Path(os.environ.get("SEQNETS_SHARED_DATA", Path(__file__).parents[1] / "shared" / "data"))


def pytest_configure(config):
    """Empties the folder of compiled programs when it has grown large, and collects garbage less often."""
    gc.set_threshold(100_000, 20, 50)  # a tenth of the time was the search for cycles among the objects of compiled programs
    folder = Path(__file__).parent / ".pytest_cache" / "d" / "compiled"
    if not hasattr(config, "workerinput") and sum(file.stat().st_size for file in folder.glob("*")) > 2e9:
        shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def _strict_jax():
    jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session", autouse=True)
def _native_kernels():
    from seqnets.ops.native import build

    build.library()  # once for all tests, before any of them has a cache folder of its own


@pytest.fixture(scope="module", autouse=True)
def _room_for_programs():
    """Drops compiled programs before their memory maps, about six each, reach the limit of Linux: there XLA crashes."""
    if MAPS.exists() and 2 * MAPS.read_bytes().count(b"\n") > int(MOST_MAPS.read_text()):
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real texts, photographs and weights; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no verification data at {SHARED_DATA}")
    return SHARED_DATA

"""Break the product on purpose, one line at a time, and see whether the tests notice.

`mutations.toml` beside this file lists the mutations: the file, a snippet that occurs in it once, what takes its place, and the
tests that ought to fail. The tree is copied to a scratch folder; the checkout itself is never changed. The tests run first on
the copy as it is, since a test that fails anyway notices nothing.

    python scripts/check_mutations.py                   # all of them: about half an hour
    python scripts/check_mutations.py --only 'lstm-*'   # some of them
    python scripts/check_mutations.py --list

The exit code is 1 if a mutation survives, no longer applies, or names tests that cannot run.
"""

import argparse
import fnmatch
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import Queue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("mutations.toml")
KILLED, SURVIVED, STALE, BROKEN = "killed", "survived", "does not apply", "tests cannot run"
_PASSED, _FAILED, _COLLECTION_FAILED = 0, 1, 2  # exit codes of pytest; beyond them it could not run


@dataclass(frozen=True)
class Mutation:
    """One change of one place, and the tests that should fail by it."""

    name: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]

    def refusal(self, root: Path) -> str:
        """Say why the mutation does not apply to a tree, or nothing."""
        path = root / self.file
        count = path.read_text("utf-8").count(self.find) if path.is_file() else 0
        if count != 1:
            return f"{self.file} has the snippet {count} times, not once" if path.is_file() else f"there is no {self.file}"
        return "" if self.find != self.replace else "it changes nothing"

    def applied(self, root: Path) -> str:
        """Return the text of the file with the change in it."""
        return (root / self.file).read_text("utf-8").replace(self.find, self.replace)


class Verdict(NamedTuple):
    """What became of one mutation."""

    name: str
    verdict: str
    seconds: float
    detail: str = ""


def read_table(path: Path = TABLE) -> list[Mutation]:
    """Read all mutations, in the order of the file."""
    entries = tomllib.loads(path.read_text("utf-8"))["mutation"]
    return [Mutation(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def copy_tree(target: Path) -> Path:
    """Copy what git knows, or would know, of this checkout, as it is on the disk."""
    shutil.rmtree(target, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def run_tests(tree: Path, tests: Sequence[str], cache: Path, timeout: float) -> tuple[int | None, str]:
    """Run tests on a copy; return pytest's exit code, or None when the time is up, and its last lines."""
    log = cache.with_name(f"{tree.name}.log")
    process = _PREPARED.Process(target=_pytest, args=(tree, list(tests), cache, log))
    process.start()
    process.join(timeout)
    if process.is_alive() and process.pid:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return None, f"longer than {timeout:.0f} s"
    return process.exitcode, "\n".join(log.read_text("utf-8", "replace").strip().splitlines()[-15:])


# processes that have imported already what most tests import, which takes longer than most of the tests
_PREPARED = multiprocessing.get_context("forkserver")
_PREPARED.set_forkserver_preload(["flax.nnx", "jax.numpy", "jax.test_util", "numpy", "optax", "PIL.Image", "pytest"])


def _pytest(tree: Path, tests: list[str], cache: Path, log: Path) -> None:
    os.setsid()
    with open(log, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    # what mutated code leaves in caches must not meet that of others; bytecode could be older than a change within a second
    os.environ |= {"PYTHONPATH": str(tree), "XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    os.environ.pop("SEQNETS_CACHE", None)
    sys.dont_write_bytecode = True
    sys.path[:] = [str(tree), *(path for path in sys.path if Path(path).resolve() != ROOT)]
    os.chdir(tree)
    import pytest

    os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))


def judge(mutation: Mutation, tree: Path, cache: Path, timeout: float) -> Verdict:
    """Apply a mutation to a copy, run its tests, and take it back."""
    begin, file = time.perf_counter(), tree / mutation.file
    if refusal := mutation.refusal(tree):
        return Verdict(mutation.name, STALE, 0.0, refusal)
    before, after = file.read_text("utf-8"), mutation.applied(tree)
    try:
        file.write_text(after, "utf-8")
        code, said = run_tests(tree, mutation.tests, cache, timeout)
    finally:
        file.write_text(before, "utf-8")
    # a test that hangs or a process that dies by a signal has noticed, too
    noticed = code is None or code < 0 or code in (_FAILED, _COLLECTION_FAILED)
    verdict = KILLED if noticed else SURVIVED if code == _PASSED else BROKEN
    return Verdict(mutation.name, verdict, time.perf_counter() - begin, "" if verdict == KILLED and code is not None else said)


def judged(mutations: Sequence[Mutation], scratch: Path, jobs: int, timeout: float) -> Iterator[Verdict]:
    """Judge mutations, several at once, each on a copy of its own; in their order."""
    trees: Queue[Path] = Queue()
    for number in range(jobs):
        trees.put(copy_tree(scratch / f"tree{number}"))

    def on_a_tree(mutation: Mutation) -> Verdict:
        tree = trees.get()
        try:
            return judge(mutation, tree, scratch / "cache", timeout)
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(on_a_tree, mutations)


@contextmanager
def scratch_folder(given: str | None) -> Iterator[Path]:
    """Give a folder to work in, which is kept only if it was named."""
    if given:
        Path(given).mkdir(parents=True, exist_ok=True)
        yield Path(given).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="seqnets-mutations-") as folder:
        yield Path(folder)


def main() -> int:
    """Judge what was asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="only these, by name or pattern")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many at once [1]")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="for the tests of one mutation [300]")
    parser.add_argument("--scratch", metavar="DIR", help="folder to work in, kept afterwards [a temporary one]")
    parser.add_argument("--trust", action="store_true", help="do not run the tests on the unchanged tree first")
    parser.add_argument("--list", action="store_true", help="print the names and leave")
    parser.add_argument("--json", action="store_true", help="write the verdicts as a JSON list")
    found = parser.parse_args()
    mutations = [m for m in read_table() if not found.only or any(fnmatch.fnmatch(m.name, name) for name in found.only)]
    if not mutations:
        parser.error(f"no mutation is called {' or '.join(found.only)}; see --list")
    if found.list:
        print("\n".join(f"{m.name:40} {m.file}" for m in mutations))
        return 0
    with scratch_folder(found.scratch) as scratch:
        if not found.trust:
            check_unchanged(mutations, scratch, found.timeout)
        verdicts = list(reported(judged(mutations, scratch, found.jobs, found.timeout), len(mutations)))
    if found.json:
        print(json.dumps([verdict._asdict() for verdict in verdicts], indent=1))
    return int(any(verdict.verdict != KILLED for verdict in verdicts))


def check_unchanged(mutations: Sequence[Mutation], scratch: Path, timeout: float) -> None:
    """Leave unless all tests of these mutations pass on the tree as it is."""
    tests = dict.fromkeys(chain.from_iterable(mutation.tests for mutation in mutations))
    print(f"the {len(tests)} tests without a mutation ...", file=sys.stderr, flush=True)
    code, said = run_tests(copy_tree(scratch / "tree0"), list(tests), scratch / "cache", timeout * len(mutations))
    if code != _PASSED:
        raise SystemExit(f"{said}\nthe tests do not pass without a mutation; mend them first, or pass --trust")


def reported(verdicts: Iterable[Verdict], total: int) -> Iterator[Verdict]:
    """Print each verdict as it comes, and the sum at the end."""
    killed = 0
    for number, verdict in enumerate(verdicts, start=1):
        killed += verdict.verdict == KILLED
        print(f"{number:3}/{total} {verdict.verdict:16} {verdict.name} ({verdict.seconds:.0f} s)", file=sys.stderr, flush=True)
        if verdict.detail:
            print("\n".join(f"      {line}" for line in verdict.detail.splitlines()), file=sys.stderr, flush=True)
        yield verdict
    print(f"{killed} of {total} mutations killed", file=sys.stderr)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sys.exit(main())

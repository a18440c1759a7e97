"""Measure the pages of character models: their size, what rounding costs, how fast they run, how long they take, what they find.

    python scripts/measure_pages.py sizes runs/kernel --text held-out.c
    python scripts/measure_pages.py steps
    python scripts/measure_pages.py open runs/kernel --text a-megabyte.c
    python scripts/measure_pages.py neurons runs/kernel --text held-out.c

Each prints a table as Markdown. RUN is a run folder or a name; `2x512`, given for it, is an LSTM of two layers of 512 units with
random weights and the vocabulary of the text. `steps` needs node. Times are of the processor, of all threads, where other
programs would change those of the clock.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from flax import nnx

import seqnets as sn
from seqnets.inspect import detectors, surprise
from seqnets.web import document, held_out
from seqnets.web.documents import as_json
from seqnets.web.network import as_the_page_computes, network

WIDE = "2x512"
CELLS, SIZES, TOKENS = ("lstm", "gru", "vanilla", "highway", "mingru", "minlstm"), (128, 256, 512), 2_000
LETTERS = "".join(map(chr, range(32, 97)))
PROGRAM = """
const fs = require("node:fs"), vm = require("node:vm");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
vm.runInThisContext(given.code + "; globalThis.page = { Network, unpackAll };");
const network = new page.Network(page.unpackAll(given.network));
const rate = () => {
  let state = network.start();
  const begun = process.cpuUsage();
  for (let i = 0; i < given.tokens; i++) state = network.step(i % given.letters, state).state;
  const { user, system } = process.cpuUsage(begun);
  return given.tokens / (user + system) * 1e6;
};
console.log(Math.max(rate(), rate(), rate()));
"""


def main() -> None:
    """Run the measurement that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=MEASUREMENTS)
    parser.add_argument("run", nargs="*")
    parser.add_argument("--text", help="a text that the models did not learn from")
    found = parser.parse_args()
    headings, rows = MEASUREMENTS[found.what](found)
    print(table(headings, rows))


def sizes(found: argparse.Namespace) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    """Return how large pages are, and what their rounded weights cost."""

    def rows() -> Iterator[Sequence[Any]]:
        for name in found.run:
            with folder_of(name, found.text) as folder:
                run = sn.load(folder)
                tokens, _ = held_out(run, found.text)
            exact = surprise(run.model, tokens).nats
            without = len(document(run, tokens)) - len(as_json(network(run.model)))  # pages differ in their weights alone
            for precision in ("float32", "float16", "int8"):
                size = without + len(as_json(network(run.model, precision)))
                lost = surprise(as_the_page_computes(run.model, precision), tokens).nats - exact
                yield name, precision, f"{size / 1e6:.2f}", f"{exact:.4f}", f"{lost:+.6f}"

    return ("model", "weights", "page, MB", "nats", "lost by rounding"), rows()


def steps(found: argparse.Namespace) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    """Return how many characters a second of one processor the page's step takes."""
    page, node = files("seqnets.web") / "page", shutil.which("node") or "node"
    code = "\n".join((page / f"{name}.js").read_text("utf-8").replace('"use strict";', "") for name in ("arrays", "network"))

    def rate(cell: str, size: int) -> str:
        model = sn.CharLM(sn.Vocabulary.from_text(LETTERS), cell=cell, hidden_features=size, rngs=nnx.Rngs(0))
        given = {"code": code, "network": network(model), "tokens": TOKENS, "letters": len(LETTERS)}
        done = subprocess.run([node, "-e", PROGRAM], input=json.dumps(given), capture_output=True, text=True, check=True)
        return f"{float(done.stdout):,.0f}"

    headings = ("characters/s", *(f"{size} units" for size in SIZES))
    return headings, ((cell, *(rate(cell, size) for size in SIZES)) for cell in CELLS)


def opening(found: argparse.Namespace) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    """Return how long it takes from the command to a file, and to the page of the server, and how much memory."""

    def rows() -> Iterator[Sequence[Any]]:
        for name in found.run:
            with folder_of(name, found.text) as folder:
                yield name, *written(folder, found.text), *served(folder, found.text)

    megabytes = f"{Path(found.text).stat().st_size / 1e6:.1f} MB of text"
    timed = ("file: clock, s", "file: processor, s", "file: memory, MB", "server: address, s", "server: page, s")
    return (f"model, {megabytes}", *timed), rows()


def written(folder: str, text: str) -> tuple[str, str, str]:
    """Return the time and memory of `seqnets show --html` in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*SHOW, folder, "--text", text, "--html", str(Path(scratch, "page.html"))], stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit("seqnets show failed")
    return f"{time.perf_counter() - begun:.1f}", f"{used.ru_utime + used.ru_stime:.1f}", f"{used.ru_maxrss / 1024:,.0f}"


def served(folder: str, text: str) -> tuple[str, str]:
    """Return the seconds by the clock until `seqnets show` prints its address, and until the page is there."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*SHOW, folder, "--text", text, "--no-browser"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        address = process.stdout.readline().strip() if process.stdout else ""
        printed = time.perf_counter() - begun
        with urllib.request.urlopen(address, timeout=300) as answer:
            answer.read()
        return f"{printed:.1f}", f"{time.perf_counter() - begun:.1f}"
    finally:
        process.terminate()
        process.wait()


def neurons(found: argparse.Namespace) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    """Return the unit that follows each thing best, beside a network with random weights."""
    run = sn.load(found.run[0])
    tokens, _ = held_out(run, found.text)
    ranked = sorted(detectors(run.model, tokens), key=lambda one: -one.score)
    headings = ("what", "unit", "score", "random weights", "measure", "found")
    return headings, ((one.mark, one.index, f"{one.score:.3f}", f"{one.random:.3f}", one.measure, one.verdict) for one in ranked)


@contextmanager
def folder_of(name: str, text: str) -> Iterator[str]:
    """Yield a run's folder or name; that of a large model with random weights for `2x512`."""
    if name != WIDE:
        yield name
        return
    vocabulary = sn.Vocabulary.from_text(Path(text).read_text("utf-8"))
    model = sn.CharLM(vocabulary, cell="lstm", hidden_features=512, layers=2, rngs=nnx.Rngs(0))
    with tempfile.TemporaryDirectory() as scratch:
        yield str(sn.train.save_run(model, Path(scratch, WIDE)).directory)


def table(headings: Sequence[str], rows: Iterator[Sequence[Any]]) -> str:
    """Return rows as a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


SHOW = [sys.executable, "-m", "seqnets.cli", "show"]
MEASUREMENTS = {"sizes": sizes, "steps": steps, "open": opening, "neurons": neurons}

if __name__ == "__main__":
    main()

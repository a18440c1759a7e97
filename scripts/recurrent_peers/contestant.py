"""One process of the benchmark: prepare a piece of work, and do it when asked."""

import importlib
import sys
import time

from racing.worker import serve
from recurrent_peers.sizes import SIZES
from seqnets.cli import runtime


def main(peer: str, backend: str, size: str, cell: str, work: str) -> None:
    if peer == "seqnets":
        runtime.prepare()  # as `seqnets train` does, before JAX starts
    module = importlib.import_module(f"recurrent_peers.{peer}_peer")
    begin = time.perf_counter()
    run = module.work(SIZES[size], cell, work, backend)
    run()
    first_call = time.perf_counter() - begin
    run()
    serve(run, steps=getattr(run, "calls", 1), first_call=first_call)


if __name__ == "__main__":
    main(*sys.argv[1:])

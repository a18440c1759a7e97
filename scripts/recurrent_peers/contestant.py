"""One process of the benchmark: prepare a piece of work, do it as often as each line on stdin says, answer in JSON."""

import importlib
import json
import resource
import sys
import time

from recurrent_peers.sizes import SIZES
from seqnets.cli import runtime


def main(peer: str, backend: str, size: str, cell: str, work: str) -> None:
    if peer == "seqnets":
        runtime.prepare()  # as `seqnets train` does, before JAX starts
    module = importlib.import_module(f"recurrent_peers.{peer}_peer")
    begin = time.perf_counter()
    run = module.work(SIZES[size], cell, work, backend)
    run()
    _answer(first_call=time.perf_counter() - begin, calls=getattr(run, "calls", 1))
    run()
    for line in sys.stdin:
        begin = time.perf_counter()
        for _ in range(int(line)):
            run()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _answer(seconds=time.perf_counter() - begin, megabytes=memory)


def _answer(**values: float) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One process of the benchmark: prepare a piece of work, do it as often as each line on stdin says, answer in JSON."""

import importlib
import json
import resource
import sys
import time

import numpy as np

from image_peers.works import WORKS
from seqnets.cli import runtime


def main(peer: str, variant: str, work: str, weights: str) -> None:
    if peer == "seqnets":
        runtime.prepare()  # as the command line does, before JAX starts
    module = importlib.import_module(f"image_peers.{peer}_peer")
    begin = time.perf_counter()
    run = module.work(WORKS[work], variant, weights)
    results = [np.asarray(run(), np.float64).ravel()[:4000].tolist()]
    first_call = time.perf_counter() - begin
    results.append(np.asarray(run(), np.float64).ravel()[:4000].tolist())
    _answer(first_call=first_call, results=results)
    for line in sys.stdin:
        begin, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            run()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _answer(seconds=time.perf_counter() - begin, cpu=time.process_time() - cpu, megabytes=memory)


def _answer(**values: object) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

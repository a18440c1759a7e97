"""One process of the benchmark: prepare a piece of work, say what it computes, and do it when asked."""

import importlib
import sys
import time

import numpy as np

from image_peers.works import WORKS
from racing.worker import serve
from seqnets.cli import runtime


def main(peer: str, variant: str, work: str, weights: str) -> None:
    if peer == "seqnets":
        runtime.prepare()  # as the command line does, before JAX starts
    module = importlib.import_module(f"image_peers.{peer}_peer")
    begin = time.perf_counter()
    run = module.work(WORKS[work], variant, weights)
    results = [_numbers(run())]
    first_call = time.perf_counter() - begin
    results.append(_numbers(run()))
    serve(run, first_call=first_call, results=results)


def _numbers(result: object) -> list[float]:
    return np.asarray(result, np.float64).ravel()[:4000].tolist()


if __name__ == "__main__":
    main(*sys.argv[1:])

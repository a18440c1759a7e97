"""A contestant of a benchmark, seen from inside: do the work as often as each line on stdin says, answer in JSON."""

import json
import resource
import sys
import time
from collections.abc import Callable


def serve(run: Callable[[], object], steps: int = 1, **begun: object) -> None:
    """Answer what has begun, then work until stdin ends.

    Args:
        run: the work; one call takes `steps` steps.
        steps: how many.
        **begun: what else the benchmark wants to know beforehand.
    """
    _answer(steps=steps, **begun)
    for line in sys.stdin:
        begin, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            run()
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        _answer(seconds=seconds, cpu=cpu, megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _answer(**values: object) -> None:
    print(json.dumps(values), flush=True)

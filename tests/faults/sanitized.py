"""Makes mistakes against native kernels that the address sanitizer watches; `test_shape_mistakes` runs it with its library loaded first.

usage: python sanitized.py SEED MISTAKES
"""

import sys

import numpy as np

from seqnets.ops.native import build

build.FLAGS = (*(flag for flag in build.FLAGS if flag != "-O3"), "-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer")

from faults.ffi_mistakes import calls, refuses
from faults.shape_mistakes import WAYS, draw, draw_entry


def main(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    if not build.library() or not hasattr(build.library(), "__asan_init"):
        sys.exit("the kernels were not built with the sanitizer")
    for _ in range(count // 2):
        way = WAYS[rng.integers(len(WAYS))]
        draw(rng, draw_entry(rng, way))
    for _ in range(count - count // 2):
        call = calls()[rng.integers(len(calls()))]
        if not refuses(rng, call):
            sys.exit(f"{call.target} took arrays that do not fit")
    print(f"clean: {count} mistakes")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

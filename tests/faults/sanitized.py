"""Makes mistakes against native kernels that the address sanitizer watches.

usage: python sanitized.py SEED MISTAKES, with libasan.so in LD_PRELOAD; test_shape_mistakes.py does so.
"""

import sys

import numpy as np

from faults.ffi_mistakes import calls, refuses
from faults.shape_mistakes import WAYS, draw, draw_entry
from seqnets.ops.native import build

SANITIZER = ("-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer")


def main(seed: int, count: int) -> None:
    build.FLAGS = (*(flag for flag in build.FLAGS if flag != "-O3"), *SANITIZER)
    if not hasattr(build.library(), "__asan_init"):
        sys.exit("the kernels were not built with the sanitizer")
    rng = np.random.default_rng(seed)
    for _ in range(count // 2):
        draw(rng, draw_entry(rng, WAYS[rng.integers(len(WAYS))]))
    for _ in range(count - count // 2):
        call = calls()[rng.integers(len(calls()))]
        if not refuses(rng, call):
            sys.exit(f"{call.target} took arrays that do not fit")
    print(f"clean: {count} mistakes")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

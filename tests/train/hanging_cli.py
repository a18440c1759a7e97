"""`seqnets`, whose text stops coming after a number of steps, as on a broken network drive; once, if a file is named for it."""

import os
import sys
import time
from pathlib import Path

from seqnets.cli import restarts
from seqnets.cli.main import main
from seqnets.data.text.streams import Windows

HANG_AFTER, ONCE = int(os.environ.get("HANG_AFTER", 0)), os.environ.get("HANG_ONCE")
batch, run = Windows.batch, restarts._run


def hanging(self, step):
    if step >= HANG_AFTER and not (ONCE and Path(ONCE).exists()):
        if ONCE:
            Path(ONCE).touch()
        time.sleep(1e6)
    return batch(self, step)


if __name__ == "__main__":
    Windows.batch = hanging
    restarts._run = lambda command: run([sys.executable, __file__, *command[3:]])  # starts what hangs, too
    sys.exit(main(sys.argv[1:]))

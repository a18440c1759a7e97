"""`python -m seqnets.cli`, the same as `seqnets`."""

import sys

from seqnets.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m seqnets.cli`: the same as `seqnets`."""

from seqnets.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())

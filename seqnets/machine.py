"""The processor of this machine."""

import platform
from functools import cache
from pathlib import Path

_TELLING = ("model name", "flags", "Features")  # lines of /proc/cpuinfo


@cache
def processor() -> str:
    """Return the kind of processor in words: programs compiled for it may not run on another that shares the home folder.

    Example:
        >>> processor() == processor()
        True
    """
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = dict.fromkeys(line for line in lines if line.startswith(_TELLING))
    return "\n".join([platform.machine(), *(named or [platform.processor()])])

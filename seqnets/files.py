"""Files that are found whole or not at all, JSON, and checksums of arrays."""

import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.errors import UserError


def replace_file(path: Path, content: bytes | str) -> None:
    """Write a file so that whoever reads it finds the old content or the new, never half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def json_text(value: Any) -> str:
    """Return JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises:
        UserError: it cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"'{path}' cannot be read: {error}") from None


def checksum(array: np.ndarray) -> str:
    """Return a checksum of an array's bytes, shape and dtype.

    Example:
        >>> checksum(np.zeros(2, np.float32)) == checksum(np.zeros(2, np.int32))
        False
    """
    # CRC-32 finds every burst of up to 32 flipped bits, at several times the speed of SHA-256
    return f"{zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data):08x} {array.dtype} {list(array.shape)}"

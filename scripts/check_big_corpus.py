"""Show that a text larger than memory is encoded and read in little host memory.

Generates a text, encodes it into a memory-mapped file, walks windows over all of it, and prints the peak resident
memory; leaves with exit code 1 if that is above the limit. Everything is written to a temporary folder and deleted.

    python scripts/check_big_corpus.py --gigabytes 2
"""

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from seqnets.data import Corpus, TextConfig, VocabularyKind, Windows, read_text

_ALPHABET = "abcdefghijklmnopqrstuvwxyz   ,.\néü—😀"
_PIECE = 1 << 20


def generate(path: Path, size: int) -> None:
    """Write random text of one to four bytes a character, without line structure, until it has `size` bytes."""
    random, letters = np.random.default_rng(0), np.array(list(_ALPHABET))
    pieces = ["".join(random.choice(letters, _PIECE)).encode() for _ in range(8)]
    with open(path, "wb") as file:
        while file.tell() < size:
            file.write(pieces[random.integers(8)])


def peak_bytes() -> int:
    """Return the peak resident memory of this process, mapped file pages included."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def walk_epoch(corpus: Corpus, batch_size: int, window: int) -> float:
    """Read every window of one epoch and return the tokens read a second."""
    windows, begin = Windows(corpus.train, batch_size=batch_size, window=window, seed=0), time.perf_counter()
    for step in range(windows.windows_per_epoch):
        windows.batch(step)
    return windows.windows_per_epoch * batch_size * window / (time.perf_counter() - begin)


def check_held_out(corpus: Corpus, path: Path) -> None:
    """Compare the last tokens and the digest of the whole with the file itself."""
    text = _tail(path)
    decoded = corpus.vocabulary.decode(corpus.validation.read(len(corpus.validation) - 100, len(corpus.validation)))
    if not text.decode("utf-8", "ignore").endswith(decoded.lstrip("\ufffd")):
        raise SystemExit("the last tokens are not the end of the file")
    if corpus.vocabulary.kind == "bytes" and corpus.fingerprint()["text"] != _sha256(path):
        raise SystemExit("the encoded text is not the file")


def _tail(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(-1000, 2)
        return file.read()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, kind: VocabularyKind, folder: Path) -> None:
    """Encode the text, open it again from the cache, read an epoch, and print what each took."""
    config, begin = TextConfig(vocabulary=kind, cache_directory=str(folder)), time.perf_counter()
    read_text(path, config=config)
    encoded, begin = time.perf_counter() - begin, time.perf_counter()
    corpus = read_text(path, config=config)
    opened = time.perf_counter() - begin
    check_held_out(corpus, path)
    rate = walk_epoch(corpus, batch_size=64, window=256)
    print(
        f"{kind:5}  {path.stat().st_size / 1e9:.2f} GB, {len(corpus):,} tokens of {corpus.tokens.itemsize} byte: encoded at "
        f"{path.stat().st_size / 1e6 / encoded:.0f} MB/s, opened again in {opened * 1e3:.0f} ms, "
        f"read at {rate / 1e6:.0f} M tokens/s; peak resident memory {peak_bytes() / 1e6:,.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--limit-megabytes", type=float, default=1500.0)
    parser.add_argument("--folder", default=None, help="where to put the text (about three times its size is needed)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "big.txt")
        generate(path, int(options.gigabytes * 1e9))
        kinds: tuple[VocabularyKind, ...] = ("chars", "bytes")
        for kind in kinds:
            check(path, kind, Path(folder))
    sys.exit(peak_bytes() > options.limit_megabytes * 1e6)


if __name__ == "__main__":
    main()

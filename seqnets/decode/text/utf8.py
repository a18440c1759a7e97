"""Which bytes may follow in UTF-8, so that a model whose tokens are bytes never writes a broken character."""

from functools import cache

import numpy as np

from seqnets.decode.text.automata import over_pieces

START, BROKEN = 0, -1

# state: (first byte, last byte, next state) for every allowed byte (The Unicode Standard, table 3-7).
# States 1 to 3 want that many continuation bytes; 4 to 7 are the lead bytes whose next byte is restricted.
_RANGES = {
    0: [
        (0x00, 0x7F, 0),
        (0xC2, 0xDF, 1),
        (0xE0, 0xE0, 4),
        (0xE1, 0xEC, 2),
        (0xED, 0xED, 5),
        (0xEE, 0xEF, 2),
        (0xF0, 0xF0, 6),
        (0xF1, 0xF3, 3),
        (0xF4, 0xF4, 7),
    ],
    1: [(0x80, 0xBF, 0)],
    2: [(0x80, 0xBF, 1)],
    3: [(0x80, 0xBF, 2)],
    4: [(0xA0, 0xBF, 1)],
    5: [(0x80, 0x9F, 1)],
    6: [(0x90, 0xBF, 2)],
    7: [(0x80, 0x8F, 2)],
}


@cache
def transitions() -> np.ndarray:
    """Return the table `(8, 256)` of the state after each byte; `BROKEN` where the byte is not allowed.

    Example:
        >>> state = START
        >>> for byte in "é".encode():
        ...     state = transitions()[state, byte]
        >>> int(state), int(transitions()[START, 0xFF])
        (0, -1)
    """
    table = np.full((len(_RANGES), 256), BROKEN, np.int32)
    for state, ranges in _RANGES.items():
        for first, last, after in ranges:
            table[state, first : last + 1] = after
    return table


@cache
def piece_transitions(pieces: tuple[bytes, ...]) -> np.ndarray:
    """Return the table `(8, V)` of the state after each token; `BROKEN` where one of its bytes is not allowed.

    Args:
        pieces: the bytes of each token.

    Example:
        >>> piece_transitions((b"a", "é".encode(), "é".encode()[:1]))[START].tolist()
        [0, 0, 1]
    """
    broken = np.full((1, 256), BROKEN, np.int32)
    return over_pieces(np.concatenate([transitions(), broken]), pieces)[:-1]  # row -1 is the last


def state_after(text: bytes) -> int:
    """Return the state of the decoder after a text: `START` unless it ends inside a character.

    Example:
        >>> state_after(b"ab"), state_after("é".encode()[:1])
        (0, 1)
    """
    state = START
    for byte in text:
        after = int(transitions()[state, byte])
        # an invalid byte ends the character and may begin another
        state = after if after != BROKEN else max(START, int(transitions()[START, byte]))
    return state

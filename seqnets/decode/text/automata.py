"""Automata that read bytes, made to read whole tokens."""

from collections.abc import Sequence
from functools import cache

import numpy as np


def over_pieces(table: np.ndarray, pieces: Sequence[bytes]) -> np.ndarray:
    """Return the states after each token: a table over bytes `(S, 256)` becomes one over tokens `(S, V)`.

    Args:
        table: the state after each byte; -1 is the last state.
        pieces: the bytes of each token.

    Example:
        >>> parity = np.array([[n % 2 for n in range(256)], [1 - n % 2 for n in range(256)]])
        >>> over_pieces(parity, [b"1", b"11", b""]).tolist()
        [[1, 0, 0], [0, 1, 1]]
    """
    lengths = np.array([len(piece) for piece in pieces])
    letters = np.zeros((len(pieces), max(1, lengths.max(initial=0))), np.uint8)
    for row, piece in enumerate(pieces):
        letters[row, : len(piece)] = np.frombuffer(piece, np.uint8)
    states = np.repeat(np.arange(len(table))[:, None], len(pieces), 1)
    for place in range(letters.shape[1]):
        states = np.where(place < lengths, table[states, letters[:, place]], states)
    return states.astype(np.int32)


@cache
def search_states(wanted: bytes, pieces: tuple[bytes, ...]) -> np.ndarray:
    """Return the states `(S + 1, V)` of a search for S bytes: how many of them the text so far ends with, S once they came.

    Args:
        wanted: the bytes to find.
        pieces: the bytes of each token; the last byte may come in the middle of one.

    Example:
        >>> search_states(b"ab", (b"a", b"b", b"xaby")).tolist()
        [[1, 0, 2], [1, 2, 2], [2, 2, 2]]

    References:
        Knuth, Morris, Pratt, "Fast pattern matching in strings", 1977.
    """
    table = np.zeros((len(wanted) + 1, 256), np.int64)
    back = 0  # the state after all but the first byte
    for state, byte in enumerate(wanted):
        table[state] = table[back]
        table[state, byte] = state + 1
        back = table[back, byte] if state else 0
    table[len(wanted)] = len(wanted)
    return over_pieces(table, pieces)

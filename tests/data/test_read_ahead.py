"""Reading ahead keeps the order, bounds what waits, and stops when nobody listens."""

import threading
import time

import pytest

from seqnets.data.read_ahead import read_ahead


def test_results_come_in_order_whoever_is_quicker():
    assert list(read_ahead(lambda n: time.sleep(0.01 * (n % 3)) or n, range(20), ahead=7, threads=4)) == list(range(20))


def test_no_more_is_read_than_was_allowed():
    begun = []
    results = read_ahead(begun.append, range(100), ahead=5, threads=2)
    for used in range(1, 20):
        next(results)
        assert len(begun) <= used + 5


def test_an_error_comes_at_its_turn_and_the_threads_end():
    def read(item):
        if item == 3:
            raise ValueError("three")
        return item

    before, got = threading.active_count(), []
    with pytest.raises(ValueError, match="three"):
        got += read_ahead(read, range(100), ahead=10, threads=4)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before

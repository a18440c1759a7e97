"""Batches of pictures: every result in its place, whatever is damaged."""

import itertools

import pytest

from seqnets.decode.pictures import by_batches
from seqnets.errors import UserError


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("damaged", list(itertools.product([False, True], repeat=5)))
def test_results_and_errors_stand_where_their_items_do(damaged, batch):
    items = [UserError(str(number)) if bad else number for number, bad in enumerate(damaged)]
    sizes = []

    def run(number, usable):
        sizes.append(len(usable))
        assert usable[0] // batch == number
        return (10 * item for item in usable)

    found = list(by_batches(iter(items), batch, run))
    assert found == [item if isinstance(item, UserError) else 10 * item for item in items]
    assert len(set(sizes)) <= 1  # one program


def test_what_fills_a_batch_up_is_not_asked_for():
    asked = []

    def run(number, usable):
        for item in usable:
            asked.append(item)
            yield item

    assert list(by_batches([1, 2, 3], 16, run)) == asked == [1, 2, 3]


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_nothing_is_refused(batch):
    with pytest.raises(UserError, match="batch must be at least 1"):
        list(by_batches([1], batch, lambda number, items: items))

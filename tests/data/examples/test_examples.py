"""Batches of examples: what is in them, in which order, and that nothing is lost."""

import numpy as np
import pytest

from seqnets.data.examples.examples import Column, Examples, Ragged, ShuffledBatches, column, in_order
from seqnets.data.examples.held_out import held_out
from seqnets.errors import UserError


def numbered(count):
    return Examples({"row": np.arange(count), "steps": Column(Ragged.of([range(n) for n in range(count)], np.int32), 4, fill=-1)})


def test_rows_are_cut_and_filled_to_one_width():
    batch = numbered(7).rows(np.array([6, 2, 0]))
    assert batch["steps"].tolist() == [[0, 1, 2, 3], [0, 1, -1, -1], [-1, -1, -1, -1]]
    assert batch["steps_lengths"].tolist() == [4, 2, 0]


def test_shared_rows_stand_for_what_they_point_to():
    pictures = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    batch = Examples({"image": np.array([2, 0, 2])}, shared={"image": pictures}).rows(np.array([0, 2]))
    np.testing.assert_array_equal(batch["image"], pictures[[2, 2]])


def test_every_epoch_draws_each_example_once_in_another_order():
    batches = ShuffledBatches(numbered(10), 4, seed=3)
    drawn = np.concatenate([batches.batch(step)["row"] for step in range(5)])
    first, second = drawn[:10], drawn[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()


def test_a_batch_depends_on_its_number_and_the_seed_alone():
    late = ShuffledBatches(numbered(10), 4, seed=3)
    np.testing.assert_array_equal(late.batch(8)["row"], ShuffledBatches(numbered(10), 4, seed=3).batch(8)["row"])
    orders = {tuple(ShuffledBatches(numbered(10), 4, seed).batch(0)["row"]) for seed in range(8)}
    assert len(orders) > 4


def test_a_batch_larger_than_the_data_holds_several_epochs():
    drawn = ShuffledBatches(numbered(3), 9, seed=0).batch(0)["row"]
    assert sorted(drawn) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_in_order_gives_every_example_once():
    rows = [row for batch, count in in_order(numbered(10), 4) for row in batch["row"][:count]]
    assert rows == list(range(10))
    assert {len(batch["row"]) for batch, _ in in_order(numbered(10), 4)} == {4}


def test_the_digest_tells_any_change():
    def digest(values, width=4):
        return Examples({"steps": Column(Ragged.of(values, np.int32), width)}).digest()

    assert digest([[1, 2], [3]]) == digest([[1, 2], [3]])
    assert len({digest([[1, 2], [3]]), digest([[1], [2, 3]]), digest([[1, 2], [4]]), digest([[1, 2], [3]], width=5)}) == 4


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(UserError, match="the same length"):
        Examples({"a": np.arange(2), "b": np.arange(3)})
    with pytest.raises(UserError, match="no sequences called 'row'"):
        column(numbered(2), "row")


def test_what_is_held_out_depends_on_the_content_alone():
    contents = [f"text {n}" for n in range(200)]
    held = held_out(contents, 0.2)
    assert held.sum() == 40
    order = np.random.default_rng(0).permutation(200)
    np.testing.assert_array_equal(held_out([contents[i] for i in order], 0.2), held[order])


def test_equal_contents_fall_on_one_side():
    contents = [f"text {n % 20}" for n in range(200)]
    held = held_out(contents, 0.3)
    assert not {c for c, out in zip(contents, held) if out} & {c for c, out in zip(contents, held) if not out}
    assert 0 < held.sum() < 200


def test_too_few_different_contents_cannot_be_split():
    with pytest.raises(UserError, match="1 different examples cannot be split"):
        held_out(["a", "a"], 0.5)
    assert not held_out(["a", "a"], 0.0).any()


def test_an_epoch_is_shuffled_once_for_all_of_its_batches(monkeypatch):
    drawn = []
    generator = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed) or generator(seed))
    batches = ShuffledBatches(Examples({"label": np.arange(100)}), batch_size=10, seed=123_456)
    found = [batches.batch(step)["label"] for step in range(30)]
    assert drawn == [[123_456, 0], [123_456, 1], [123_456, 2]]
    expected = [generator([123_456, epoch]).permutation(100) for epoch in range(3)]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))

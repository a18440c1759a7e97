"""Windows against naive slices of a list."""

import mmap

import numpy as np
import pytest

from seqnets.data import TokenStream, Windows, bytes_vocabulary
from seqnets.data.text import streams as streams_module
from seqnets.errors import UserError

SHAPES = [(1000, 4, 10), (1000, 1, 10), (1001, 7, 13), (40, 4, 10), (11, 4, 10), (12, 1, 10), (21, 2, 10), (500, 32, 7)]
SHAPES += [(2, 1, 1), (2, 3, 1), (97, 1, 96), (300, 3, 99)]


def naive_epoch(tokens, windows, epoch):
    """Each stream of an epoch as one list of inputs and one of targets."""
    count = windows.windows_per_epoch
    batches = [windows.batch(step) for step in range(epoch * count, (epoch + 1) * count)]
    inputs = np.concatenate([batch.inputs for batch in batches], axis=1)
    targets = np.concatenate([batch.targets for batch in batches], axis=1)
    return inputs, targets


@pytest.mark.parametrize(("size", "batch_size", "window"), SHAPES)
@pytest.mark.parametrize("seed", [0, 1, -5])
def test_streams_are_contiguous_slices_that_cover_the_text(size, batch_size, window, seed):
    tokens = list(range(size))  # each token is its own position
    windows = Windows(np.array(tokens), batch_size=batch_size, window=window, seed=seed)
    length = windows.windows_per_epoch * window
    for epoch in range(3):
        inputs, targets = naive_epoch(tokens, windows, epoch)
        starts = inputs[:, 0].tolist()
        for b, start in enumerate(starts):
            assert inputs[b].tolist() == tokens[start : start + length]
            assert targets[b].tolist() == tokens[start + 1 : start + 1 + length]
        assert starts == sorted(starts)
        assert starts[0] == windows.offset(epoch)
        read = {position for row in inputs.tolist() for position in row}
        # no gap inside, and fewer than two windows (one if there are several streams) left out at the ends
        assert read == set(range(min(read), max(read) + 1))
        assert size - 1 - len(read) < (2 * window if batch_size == 1 else window)


def test_streams_hardly_overlap_in_a_long_text():
    windows = Windows(np.arange(100_000), batch_size=8, window=50, seed=3)
    inputs, _ = naive_epoch(None, windows, 0)
    assert inputs.size - len(np.unique(inputs)) < 8 * 50


def test_dtypes_and_shapes():
    batch = Windows(np.arange(200, dtype=np.uint8), batch_size=3, window=8, seed=0).batch(5)
    assert [part.shape for part in batch] == [(3, 8)] * 3
    assert [part.dtype for part in batch] == [np.int32, np.int32, bool]


def test_only_the_first_window_of_an_epoch_resets_without_a_separator():
    windows = Windows(np.zeros(1000, np.uint8), batch_size=4, window=10, seed=0)
    for step in range(3 * windows.windows_per_epoch):
        expected = np.zeros((4, 10), bool)
        expected[:, 0] = step % windows.windows_per_epoch == 0
        assert np.array_equal(windows.batch(step).resets, expected)


def test_a_batch_depends_on_its_step_alone():
    tokens = np.random.default_rng(0).integers(0, 9, 5000).astype(np.uint8)
    one = Windows(tokens, batch_size=4, window=16, seed=7)
    straight = [one.batch(step) for step in range(300)]
    other = Windows(tokens, batch_size=4, window=16, seed=7)
    for step in (299, 3, 150, 0, 77):
        for mine, theirs in zip(straight[step], other.batch(step)):
            assert np.array_equal(mine, theirs)


def test_offsets_move_with_epoch_and_seed_and_reach_every_place():
    windows = Windows(np.arange(1000), batch_size=4, window=10, seed=0)
    offsets = [windows.offset(epoch) for epoch in range(500)]
    assert set(offsets) == set(range(10))
    assert max(map(offsets.count, set(offsets))) < 2.0 * 500 / 10
    other = Windows(np.arange(1000), batch_size=4, window=10, seed=1)
    assert offsets != [other.offset(epoch) for epoch in range(500)]


def test_every_token_is_read_in_some_epoch():
    for batch_size in (1, 4):
        windows = Windows(np.arange(203), batch_size=batch_size, window=10, seed=0)
        read = {int(x) for step in range(80 * windows.windows_per_epoch) for x in windows.batch(step).inputs.ravel()}
        assert read == set(range(202))


def naive_resets(text, separator):
    """True at the last character of every (overlapping) occurrence of the separator."""
    return [text[: i + 1].endswith(separator) for i in range(len(text))]


@pytest.mark.parametrize("separator", ["\n", "\n\n", "<|end|>"])
def test_separators_reset_the_carry_before_their_last_token(separator):
    documents = ["first", "", "second one", "x\ny", "last", "\n", "<|end|"] * 9
    text = separator.join(documents) + separator
    marks = bytes_vocabulary().encode(separator).tolist()
    expected = naive_resets(text, separator)
    stream = TokenStream(np.frombuffer(text.encode(), np.uint8), tuple(marks))
    assert stream.document_starts(np.arange(len(text))).tolist() == expected
    windows = Windows(stream, batch_size=3, window=11, seed=0)
    for step in range(2 * windows.windows_per_epoch):
        epoch, k = divmod(step, windows.windows_per_epoch)
        resets = windows.batch(step).resets
        for b in range(3):
            start = int(windows._starts[b]) + windows.offset(epoch) + k * 11
            row = expected[start : start + 11]
            row[0] = row[0] or k == 0
            assert resets[b].tolist() == row


def test_a_separator_is_target_of_one_document_and_input_of_the_next():
    stream = TokenStream(np.array([5, 6, 0, 7, 8, 0, 9]), (0,))
    batch = Windows(stream, batch_size=1, window=6, seed=0).batch(0)
    pairs = list(zip(batch.inputs[0].tolist(), batch.targets[0].tolist(), batch.resets[0].tolist()))
    assert pairs == [(5, 6, True), (6, 0, False), (0, 7, True), (7, 8, False), (8, 0, False), (0, 9, True)]


def test_mapped_tokens_give_the_same_batches_and_their_pages_are_handed_back(tmp_path, monkeypatch):
    tokens = np.random.default_rng(0).integers(0, 200, 1 << 16).astype(np.uint8)
    tokens.tofile(tmp_path / "tokens")
    mapped = np.memmap(tmp_path / "tokens", np.uint8, "r")
    monkeypatch.setattr(streams_module, "_RELEASE_BYTES", 1 << 19)
    advice = []

    class Watched:
        def madvise(self, option):
            advice.append(option)

    windows = Windows(mapped, batch_size=4, window=32, seed=0)
    assert isinstance(windows.stream._map, mmap.mmap)
    windows.stream._map = Watched()
    plain = Windows(tokens, batch_size=4, window=32, seed=0)
    for step in range(50):
        for mine, theirs in zip(windows.batch(step), plain.batch(step)):
            assert np.array_equal(mine, theirs)
    assert advice
    assert set(advice) == {mmap.MADV_DONTNEED}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"batch_size": 0, "window": 4}, "batch_size must be"),
        ({"batch_size": 2, "window": 0}, "window must be"),
        ({"batch_size": 2, "window": 2.5}, "window must be"),
        ({"batch_size": 2, "window": 10}, "10 tokens are too few for one window of 10, which needs 11"),
    ],
)
def test_impossible_sizes_are_refused(sizes, message):
    with pytest.raises(UserError, match=message):
        Windows(np.arange(10), seed=0, **sizes)


def test_wrong_tokens_and_steps_are_refused():
    with pytest.raises(UserError, match="shape"):
        Windows(np.zeros((3, 4), int), batch_size=1, window=1)
    with pytest.raises(UserError, match="integers"):
        TokenStream(np.zeros(4))
    with pytest.raises(UserError, match="step"):
        Windows(np.arange(10), batch_size=1, window=2).batch(-1)

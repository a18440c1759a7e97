"""Texts of items against plain Python lists."""

import collections
import itertools
import re

import numpy as np
import pytest

import seqnets as sn
from seqnets.data import TextConfig, Windows, read_text
from seqnets.data.text.items import Items, ItemStream, item_blocks, item_hash, read_known
from seqnets.data.text.streams import TokenStream
from seqnets.errors import UserError

NAMES = [f"{first}{last}" for first in ("an", "bea", "clé", "do") for last in ("na", "ro", "x", "lia-may", "o b", "tta", "rix")]
POEM = "A line,\n  and one more.\n\n\n\nSecond.\n \t\nThird\nwith a tail.  \n"


def cut(text: str, places: list[int]) -> list[str]:
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)])]


@pytest.mark.parametrize(
    ("kind", "text", "items"),
    [
        ("lines", "emma\r\n\n olivia \t\n\n\nava", ["emma", "olivia", "ava"]),
        ("lines", "\n\n", []),
        ("lines", "one\u2028line\x85too\n", ["one\u2028line\x85too"]),
        ("paragraphs", POEM, ["A line,\n  and one more.", "Second.", "Third\nwith a tail."]),
        ("paragraphs", "\r\n\r\na\r\nb\r\n\r\nc", ["a\nb", "c"]),
    ],
)
def test_items_are_those_of_the_text_wherever_its_blocks_are_cut(kind, text, items):
    separator = {"lines": "\n", "paragraphs": "\n\n"}[kind]
    expected = "".join(item + separator for item in items)
    for step in (1, 2, 3, 7, 1000):
        assert "".join(item_blocks(cut(text, list(range(step, len(text), step))), kind)) == expected


@pytest.fixture(scope="module", params=["chars", "bytes"])
def corpus(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("items") / "names.txt"
    rng = np.random.default_rng(0)
    words = [NAMES[i] for i in rng.integers(0, len(NAMES), 400)]
    path.write_text("\n".join(words) + "\n\n", "utf-8")
    config = TextConfig(items="lines", window=8, vocabulary=request.param, test_fraction=0.1)
    return read_text(path, config=config), words


def words_of(corpus, split):
    stream = corpus.splits[split]
    text = corpus.vocabulary.decode(stream.read(0, len(stream)))
    assert text[0] == text[-1] == "\n"
    return text[1:-1].split("\n")


def test_every_item_is_in_one_split_and_equal_items_in_the_same(tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES * 3))
    corpus = read_text(tmp_path / "names.txt", config=TextConfig(items="lines", window=8, test_fraction=0.2))
    parts = {split: words_of(corpus, split) for split in ("train", "validation", "test")}
    assert collections.Counter(itertools.chain.from_iterable(parts.values())) == collections.Counter(NAMES * 3)
    different = {split: set(words) for split, words in parts.items()}
    assert sum(map(len, different.values())) == len(NAMES)
    assert {split: len(words) for split, words in different.items()} == {"train": 19, "validation": 3, "test": 6}


def test_each_epoch_has_all_items_in_another_order(tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    train = read_text(tmp_path / "names.txt", config=TextConfig(items="lines", window=8, validation_fraction=0.0)).train
    orders = [train.of_epoch(3, epoch).tokens.tolist() for epoch in range(4)]
    assert len({tuple(order) for order in orders}) == 4
    assert orders[0] == train.of_epoch(3, 0).tokens.tolist()
    assert orders[0] != train.of_epoch(4, 0).tokens.tolist()
    assert len({tuple(sorted(order)) for order in orders}) == 1


@pytest.mark.parametrize("items", ["lines", "paragraphs"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_what_a_model_reads_between_resets_is_one_item_from_its_beginning(tmp_path, items, batch_size):
    names = NAMES if items == "lines" else [f"{name}\n  {name}" for name in NAMES]
    separator = "\n" if items == "lines" else "\n\n"
    (tmp_path / "items.txt").write_text("".join(name + separator for name in names), "utf-8")
    corpus = read_text(tmp_path / "items.txt", config=TextConfig(items=items, window=7, validation_fraction=0.0))
    windows = Windows(corpus.train, batch_size=batch_size, window=7, seed=1)
    seen, allowed = set(), {"\n" + name + separator for name in names}
    for epoch in range(3):
        steps = range(epoch * windows.windows_per_epoch, (epoch + 1) * windows.windows_per_epoch)
        batches = [windows.batch(step) for step in steps]
        inputs, targets, resets = (np.concatenate([batch[part] for batch in batches], axis=1) for part in range(3))
        for row in range(batch_size):
            assert resets[row, 0]
            begins = [*np.flatnonzero(resets[row]).tolist(), inputs.shape[1]]
            for begin, end in itertools.pairwise(begins):
                piece = corpus.vocabulary.decode([inputs[row, begin], *targets[row, begin:end]])
                assert piece in allowed or end == inputs.shape[1]
                assert any(item.startswith(piece) for item in allowed)  # the last one of a stream is cut
                seen.add(piece)
    assert allowed <= seen


def test_the_score_of_items_is_the_sum_over_items_alone(corpus):
    """Oracle: each item is read on its own, from the first state, in float64 sums."""
    from flax import nnx

    from seqnets.decode import score

    corpus, _ = corpus
    model = sn.CharLM(corpus.vocabulary, hidden_features=8, rngs=nnx.Rngs(0))
    found = score(model, corpus.validation, streams=4, chunk=16)
    total, count = 0.0, 0
    for item in words_of(corpus, "validation"):
        tokens = corpus.vocabulary.encode(f"\n{item}\n")
        logits, _ = model(tokens[None, :-1], model.initialize_carry(1))
        log_probs = np.asarray(logits[0], np.float64)
        log_probs -= np.log(np.exp(log_probs).sum(-1, keepdims=True))
        total -= log_probs[np.arange(len(tokens) - 1), tokens[1:]].sum()
        count += len(tokens) - 1
    assert found.characters == count
    assert found.nats == pytest.approx(total / count, rel=1e-5)


def test_the_hashes_are_those_of_the_different_items(corpus, tmp_path):
    corpus, words = corpus
    assert corpus.items.known.tolist() == sorted({item_hash(word) for word in words})
    (tmp_path / "items.safetensors").write_bytes(corpus.items.to_file())
    assert np.array_equal(read_known(tmp_path / "items.safetensors"), corpus.items.known)


def test_long_texts_are_hashed_in_pieces_and_read_from_the_cache(tmp_path, monkeypatch):
    from seqnets.data.text import items as module

    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    whole = read_text(tmp_path / "names.txt", config=TextConfig(items="lines", window=8))
    monkeypatch.setattr(module, "_BLOCK", 11)
    config = TextConfig(items="lines", window=8, in_memory_megabytes=0, cache_directory=str(tmp_path / "cache"))
    for _ in range(2):  # encoded, then found in the cache
        mapped = read_text(tmp_path / "names.txt", config=config)
        assert np.array_equal(mapped.items.hashes, whole.items.hashes)
        assert mapped.fingerprint() == whole.fingerprint()
    plain = TextConfig(window=8, in_memory_megabytes=0, cache_directory=str(tmp_path / "cache"))
    assert read_text(tmp_path / "names.txt", config=plain).items is None


def test_a_stream_reads_what_its_order_says():
    tokens = np.array([9, 9, 1, 0, 2, 1, 0, 3, 1, 0], np.uint8)
    stream = ItemStream(TokenStream(tokens, (1, 0)), np.array([0, 4, 7, 10]), np.array([1, 0, 1]))
    assert stream.tokens.tolist() == [0, 2, 1, 0, 9, 9, 1, 0, 2, 1, 0]
    assert stream.document_starts(np.arange(11)).tolist() == [False] * 3 + [True] + [False] * 3 + [True] + [False] * 2 + [True]
    assert stream.aligned(np.arange(11)).tolist() == [0, 0, 0, 3, 3, 3, 3, 7, 7, 7, 10][:10] + [10]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("emma\n", {}, "has 1 different item, which leaves train without any"),
        ("emma\nemma\n", {}, "has 1 different item,"),
        (
            "a\nb\n",
            {},
            "has 2 characters of items to train on, too few for one window of 8; give more items or lower --data.window",
        ),
        ("a\nb\n", {"separator": "|"}, "data.items 'lines' has a separator of its own"),
        (" \n\n", {}, "holds no text"),
    ],
)
def test_too_little_is_refused_in_a_sentence(tmp_path, text, options, message):
    (tmp_path / "few.txt").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        read_text(tmp_path / "few.txt", config=TextConfig(items="lines", window=8, **options))


def test_unknown_characters_of_items_are_named_without_a_wrong_place(tmp_path):
    (tmp_path / "names.txt").write_text("emma\n\n\nolivié\n" * 3, "utf-8")
    with pytest.raises(UserError, match=r"has no character 'é' \(in '.*names.txt'\)"):
        read_text(
            tmp_path / "names.txt",
            config=TextConfig(items="lines", window=1, validation_fraction=0.0),
            vocabulary=sn.Vocabulary.from_text("\nemaolivi"),
        )


def test_items_of_two_tokens_between_are_found():
    vocabulary = sn.Vocabulary.from_text("\nab")
    found = Items.of(vocabulary.encode("a\nb\n\nb\n\n"), (0, 0), vocabulary)
    assert found.starts.tolist() == [0, 5, 8]
    assert found.longest == 5
    assert found.hashes.tolist() == [item_hash("a\nb"), item_hash("b")]


def test_real_names(shared_data):
    corpus = read_text(shared_data / "text" / "names.txt", config=TextConfig(items="lines"))
    assert (len(corpus.items), len(corpus.items.known)) == (32_033, 29_494)  # as counted by `wc -l` and `sort -u | wc -l`
    assert corpus.items.longest == 15 + 1
    train, validation = (set(words_of(corpus, split)) for split in ("train", "validation"))
    assert not train & validation
    assert len(validation) == 2950

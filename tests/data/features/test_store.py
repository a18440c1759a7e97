"""The feature store gives back what was put in, whatever happened in between."""

import errno
import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from seqnets.data.features import writer as feature_writer
from seqnets.data.features.index import Header, ImageRecord, Layer
from seqnets.data.features.store import FeatureStore
from seqnets.data.features.writer import FeatureWriter
from seqnets.errors import UserError

PROGRAM = Path(__file__).with_name("kill_at.py")
HEADER = Header({"model": "tiny", "preprocessing": {"crop": [4, 4], "resize": 5}}, {"pool": Layer((3,))}, "float32", 4)


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def record(path):
    path = Path(path)
    state = path.stat()
    return ImageRecord(str(path), state.st_size, state.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def files(tmp_path):
    """Ten files; the last two are copies of the first two."""
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for number, path in enumerate(paths):
        path.write_text(f"content {number % 8}")
    return paths


@pytest.fixture
def store(files, tmp_path):
    with FeatureWriter(tmp_path / "store", HEADER) as writer:
        writer.add([record(path) for path in files[:3]], {"pool": np.arange(9.0).reshape(3, 3)})
        writer.add([record(path) for path in files[3:]], {"pool": np.arange(9.0, 24.0).reshape(5, 3)})
    return FeatureStore.open(tmp_path / "store")


def test_features_are_found_by_path_and_by_content(store, files):
    assert (len(store), len(store.paths), store.failures) == (8, 10, {})
    for number, path in enumerate(files):
        wanted = np.arange(3) + 3 * (number % 8)
        for key in (path, str(path), record(path).digest):
            np.testing.assert_array_equal(store.get(key), wanted)
            assert key in store
    assert isinstance(store.get(files[0]).base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.get(files[0])[0] = 1


def test_a_copy_elsewhere_has_the_features_of_its_original(store, files, tmp_path):
    copy = tmp_path / "elsewhere.jpg"
    shutil.copy(files[5], copy)
    np.testing.assert_array_equal(store.get(copy), store.get(files[5]))


def test_a_changed_file_has_none_and_a_deleted_one_keeps_them(store, files):
    files[0].write_text("quite another content")
    assert files[0] not in store
    with pytest.raises(UserError, match=r"0.png' is not in the store; add it with"):
        store.get(files[0])
    files[1].unlink()
    np.testing.assert_array_equal(store.get(files[1]), [3, 4, 5])


def test_batches_are_gathered_across_shards_in_any_order(store, files):
    order = [7, 0, 9, 3, 3, 4]
    wanted = np.stack([np.arange(3) + 3 * (number % 8) for number in order])
    np.testing.assert_array_equal(store.gather([files[number] for number in order]), wanted)
    rows = store.rows(files[number] for number in order)
    assert rows.tolist() == [7, 0, 1, 3, 3, 4]
    np.testing.assert_array_equal(store.gather(rows), wanted)
    assert store.gather([]).shape == (0, 3)
    for wrong in ([8], [-1, 2]):
        with pytest.raises(UserError, match="not all in the store, which has 8"):
            store.gather(np.array(wrong))
    with pytest.raises(UserError, match="no layer 'stage4'; it has pool"):
        store.get(files[0], "stage4")


def test_grids_and_vectors_in_half_precision_are_rounded_once(tmp_path):
    random = np.random.default_rng(0)
    layers = {"stage4": Layer((6, 8), (2, 3)), "pool": Layer((8,))}
    values = {name: random.normal(size=(7, *layer.shape)).astype(np.float32) for name, layer in layers.items()}
    for dtype, kind in (("bfloat16", ml_dtypes.bfloat16), ("float16", np.float16), ("float32", np.float32)):
        with FeatureWriter(tmp_path / dtype, Header({}, layers, dtype, 3)) as writer:
            writer.add([ImageRecord(f"/{n}", 1, 0, f"{n:064x}") for n in range(7)], values)
        store = FeatureStore(tmp_path / dtype)
        for name, array in values.items():
            found = store.gather([f"{n:064x}" for n in range(7)], name)
            assert found.dtype == kind
            np.testing.assert_array_equal(found, array.astype(kind))
        assert store.layers["stage4"].grid == (2, 3)
        assert sum(path.stat().st_size for path in (tmp_path / dtype).glob("*.bin")) == 7 * 56 * np.dtype(kind).itemsize


def test_a_store_killed_in_any_write_and_filled_again_is_the_same(tmp_path):
    done = subprocess.run([sys.executable, PROGRAM, tmp_path], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    kills, whole = int(done.stdout), contents(tmp_path / "whole")
    assert len(whole) == 2 + 1 + 2 * 3  # store.json, .lock; index; three shards of each layer
    assert kills >= 14
    for write in range(1, kills + 2):
        assert contents(tmp_path / str(write)) == whole
    half = FeatureStore(tmp_path / "half")  # what a reader sees beside a writer: whole batches only
    assert 0 < len(half) < 11
    assert half.gather([f"{n:02d}" for n in range(len(half))], "pool")[:, 0].tolist() == list(range(len(half)))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"made_by": {"model": "large", "preprocessing": {"crop": [4, 4], "resize": 5}}}, r"model \(tiny there, large here\)"),
        (
            {"made_by": {"model": "tiny", "preprocessing": {"crop": [4, 4], "resize": 6}}},
            r"preprocessing.resize \(5 there, 6 here\)",
        ),
        ({"made_by": {"model": "tiny"}}, r"preprocessing.crop \(\[4, 4\] there, nothing here\)"),
        ({"dtype": "bfloat16"}, r"dtype \(float32 there, bfloat16 here\)"),
        ({"layers": {"pool": Layer((4,))}}, r"layers.pool.shape \(\[3\] there, \[4\] here\)"),
    ],
)
def test_features_of_another_kind_are_refused_and_the_difference_named(store, other, message):
    fields = {"made_by": HEADER.made_by, "layers": HEADER.layers, "dtype": HEADER.dtype, "rows_per_shard": 9}
    before = contents(store.directory)
    with pytest.raises(UserError, match=f"holds features of another kind: .*{message}.*; give another folder"):
        FeatureWriter(store.directory, Header(**{**fields, **other}))
    assert contents(store.directory) == before


def test_two_writers_do_not_share_a_store(store):
    with FeatureWriter(store.directory, HEADER), pytest.raises(UserError, match="another process is adding to"):
        FeatureWriter(store.directory, HEADER)
    FeatureWriter(store.directory, HEADER).close()


def test_a_writer_can_wait_for_another(store):
    with ThreadPoolExecutor(1) as thread:
        with FeatureWriter(store.directory, HEADER):
            waiting = thread.submit(FeatureWriter, store.directory, HEADER, wait=True)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        waiting.result(30).close()


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"is not a feature store and holds 'thesis.tex'; give a new or empty folder"):
        FeatureWriter(tmp_path, HEADER)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UserError, match=r"thesis.tex' is a file; give a new or empty folder"):
        FeatureWriter(tmp_path / "thesis.tex", HEADER)


def test_a_damaged_store_is_refused(store, files):
    shard, index, header = (store.directory / name for name in ("pool-00000.bin", "index.jsonl", "store.json"))
    whole = contents(store.directory)
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"pool-00000.bin' is damaged: it has 47 bytes of 48"):
        FeatureWriter(store.directory, HEADER)
    with pytest.raises(UserError, match=r"pool-00000.bin' is damaged or missing"):
        FeatureStore(store.directory).get(files[0])
    index.write_bytes(b"{broken}\n" + whole["index.jsonl"])
    with pytest.raises(UserError, match=r"index.jsonl' cannot be read"):
        FeatureStore(store.directory)
    for text, message in (("{", "is not JSON"), ('{"format": "zip", "format_version": 2}', "has the format 'zip 2'")):
        header.write_text(text)
        with pytest.raises(UserError, match=message):
            FeatureStore(store.directory)


def test_a_full_disk_is_reported_with_the_file_and_the_store_stays_whole(store, files, tmp_path, monkeypatch):
    before = FeatureStore(store.directory).gather(files)
    new = tmp_path / "new.png"
    new.write_text("new")

    def half(file, content):
        file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with FeatureWriter(store.directory, HEADER) as writer:
        monkeypatch.setattr(feature_writer, "_write_all", half)
        with pytest.raises(OSError, match=r"No space left on device: '.*pool-00002.bin'"):
            writer.add([record(new)], {"pool": np.ones((1, 3))})
        monkeypatch.undo()
        np.testing.assert_array_equal(FeatureStore(store.directory).gather(files), before)
        writer.add([record(new)], {"pool": np.ones((1, 3))})
    after = FeatureStore(store.directory)
    np.testing.assert_array_equal(after.gather([*files, new]), np.concatenate([before, np.ones((1, 3))]))


def test_names_that_are_not_utf8_are_kept(tmp_path):
    path = "/images/\udcff\u00e9.png"
    with FeatureWriter(tmp_path / "store", HEADER) as writer:
        writer.add([ImageRecord(path, 1, 0, "f0")], {"pool": np.ones((1, 3))})
    assert FeatureStore(tmp_path / "store").get(path).tolist() == [1, 1, 1]


def test_features_of_a_wrong_shape_are_refused(tmp_path):
    with (
        FeatureWriter(tmp_path / "store", HEADER) as writer,
        pytest.raises(UserError, match=r"features of pool have shape \(1, 4\), not \(1, 3\)"),
    ):
        writer.add([ImageRecord("/a", 1, 0, "f0")], {"pool": np.ones((1, 4))})
    assert json.loads((tmp_path / "store/store.json").read_text())["dtype"] == "float32"


def test_a_layer_whose_name_begins_as_another_keeps_its_files(tmp_path):
    header = Header({}, {"a": Layer((2,)), "a-b": Layer((3,)), "a-00001": Layer((1,))}, "float32", 2)
    rows = {name: np.arange(5 * layer.size, dtype=np.float32).reshape(5, -1) for name, layer in header.layers.items()}
    with FeatureWriter(tmp_path / "store", header) as writer:
        writer.add([ImageRecord(f"/{n}.png", 7, 0, f"f{n}") for n in range(5)], rows)
    before = contents(tmp_path / "store")
    with FeatureWriter(tmp_path / "store", header) as writer:
        assert len(writer) == 5
    assert contents(tmp_path / "store") == before
    store = FeatureStore(tmp_path / "store")
    for name, array in rows.items():
        np.testing.assert_array_equal(np.stack([store.get(f"f{n}", layer=name) for n in range(5)]), array)


def test_rows_that_the_index_does_not_know_are_cut_off_in_every_layer(tmp_path):
    header = Header({}, {"a": Layer((2,)), "a-b": Layer((3,))}, "float32", 2)
    with FeatureWriter(tmp_path / "store", header) as writer:
        writer.add([ImageRecord("/0.png", 7, 0, "f0")], {"a": np.ones((1, 2)), "a-b": np.ones((1, 3))})
    before = contents(tmp_path / "store")
    for name in ("a-00003.bin", "a-b-00001.bin"):
        (tmp_path / "store" / name).write_bytes(b"left by a kill")
    for name in ("a-00000.bin", "a-b-00000.bin"):  # half of a shard, and now more
        with open(tmp_path / "store" / name, "ab") as shard:
            shard.write(b"left by a kill")
    with FeatureWriter(tmp_path / "store", header):
        pass
    assert contents(tmp_path / "store") == before


@pytest.mark.parametrize("name", ["../outside", "a/b", "/etc", "", ".", ".hidden", "a\\b", "a\0b", "a b", "x" * 300, 3])
def test_layers_named_as_no_file_may_be_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="a layer of a feature store must have a name of letters"):
        Header({}, {name: Layer((2,))}, "float32", 2)
    if isinstance(name, str):
        stated = json.loads(json.dumps(HEADER.to_json()))
        stated["layers"] = {name: stated["layers"]["pool"]}
        (tmp_path / "store.json").write_text(json.dumps(stated))
        with pytest.raises(UserError, match="a layer of a feature store must have a name"):
            FeatureStore(tmp_path)


@pytest.mark.parametrize(("key", "value", "message"), [
    ("rows_per_shard", 0, "at least 1"), ("rows_per_shard", -1, "at least 1"), ("rows_per_shard", 1.5, "whole number"),
    ("rows_per_shard", True, "whole number"), ("layers", {}, "at least one layer"),
    ("layers", {"a": {"shape": [0], "grid": None}}, r"features must be \[D\]"),
    ("layers", {"a": {"shape": [4, 2], "grid": [3, 2]}}, "on a grid"),
    ("layers", {"a": {"shape": ["3"], "grid": None}}, "must be"),
    ("layers", {"a": {"shape": [], "grid": None}}, "must be"), ("layers", 3, "cannot be read"),
])  # fmt: skip
def test_a_header_with_impossible_numbers_is_one_sentence(store, key, value, message):
    folder = store.directory
    stated = json.loads((folder / "store.json").read_text()) | {key: value}
    (folder / "store.json").write_text(json.dumps(stated))
    for opened in (lambda: FeatureStore(folder), lambda: FeatureWriter(folder, HEADER)):
        with pytest.raises(UserError, match=message):
            opened()

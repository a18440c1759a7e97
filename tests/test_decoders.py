import csv
import gzip
import io
import json
import zipfile

import numpy as np
import pytest

from seqnets import decoders, manifest, settings
from seqnets.data.images.labels import read_labels
from seqnets.decoders import read_arrays, read_json, read_text, reading, rows_of
from seqnets.errors import UserError

DAMAGE = [KeyError("image"), NotImplementedError("Zstandard"), zipfile.BadZipFile("no zip"), RecursionError(), MemoryError()]
DAMAGE += [
    OverflowError("too large"),
    EOFError(),
    TypeError("a 'list'"),
    OSError("of a decoder"),
    ValueError("\x1b[1mbold\n" * 99),
]


@pytest.mark.parametrize("error", DAMAGE, ids=lambda error: type(error).__name__)
def test_whatever_a_decoder_raises_is_one_sentence_that_names_the_file(error):
    with pytest.raises(UserError, match=r"'a\.bin' cannot be read: .+; get it again") as caught, reading("a.bin"):
        raise error
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_interrupts_and_our_own_sentences_pass():
    with pytest.raises(KeyboardInterrupt), reading("a"):
        raise KeyboardInterrupt
    with pytest.raises(UserError, match=r"^mine$"), reading("a"):
        raise UserError("mine")


@pytest.mark.parametrize("packed", [True, False])
def test_a_byte_order_mark_is_left_out(tmp_path, packed):
    content = "\ufeff[1]".encode()
    path = tmp_path / ("a.json.gz" if packed else "a.json")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read_text(path) == "[1]"
    assert read_json(path) == [1]


def test_settings_and_labels_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.toml").write_bytes("\ufeffsteps = 3\r\n".encode())
    assert settings.read(tmp_path / "a.toml") == {"steps": 3}
    (tmp_path / "labels").write_bytes("\ufeffcat\r\ndog\r\n".encode())
    assert read_labels(tmp_path / "labels") == ["cat", "dog"]


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "ALWAYS_ALLOWED", 1 << 20)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(bytes(3 << 20)))
    with pytest.raises(UserError, match="unpacks to more than 1,048,576 bytes"):
        read_text(path)
    path.write_bytes(gzip.compress(np.random.default_rng(0).bytes(3 << 20).hex().encode()))
    assert len(read_text(path)) == 6 << 20


def test_arrays_that_unpack_to_far_more_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "ALWAYS_ALLOWED", 1 << 20)
    np.savez_compressed(tmp_path / "a.npz", inputs=np.zeros(1 << 20))
    with pytest.raises(UserError, match="unpacks to more than"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [np.zeros(3), b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_npz_file(tmp_path, content):
    path = tmp_path / "a.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with path.open("wb") as file:
            np.save(file, content)
    if content == b"PK\x05\x06" + bytes(18) if isinstance(content, bytes) else False:
        assert read_arrays(path) == {}  # an archive of nothing
        return
    with pytest.raises(UserError, match="cannot be read"):
        read_arrays(path)


def test_cells_of_any_length_and_the_limit_of_the_process_stays():
    before, long = csv.field_size_limit(), "x" * 200_000
    assert [cells for _, cells in rows_of(f'a,"{long}"\n', ",")] == [["a", long]]
    assert [cells for _, cells in rows_of(f"a\t{long}\n", "\t")] == [["a", long]]
    assert csv.field_size_limit() == before


def test_rows_between_commas_are_those_of_the_csv_library():
    text = 'a,b\r\n"1,\n2","say ""hi"""\r\n\r\nc,\n'
    wanted = [row for row in csv.reader(io.StringIO(text, newline="")) if any(row)]
    assert [cells for _, cells in rows_of(text, ",")] == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\tb\rc\nd\te\n", [["a", "b\rc"], ["d", "e"]]),
        ("a\tb\r\nd\te\r\n", [["a", "b"], ["d", "e"]]),
        ("a\tb\rd\te\r", [["a", "b"], ["d", "e"]]),
        ('"a\tb"\n', [['"a', 'b"']]),
    ],
)
def test_rows_between_tabs(text, wanted):
    assert [cells for _, cells in rows_of(text, "\t")] == wanted


@pytest.mark.parametrize("content", ["[" * 100_000, "", "[]", "{}", '{"files": []}', '{"files": {"a": 1}}', "9" * 5_000, "\xff"])
def test_a_damaged_list_of_files_is_found(tmp_path, content):
    (tmp_path / "files.json").write_bytes(content.encode("latin-1"))
    assert "its list of files" in str(manifest.broken(tmp_path))


@pytest.mark.parametrize("text", ["[]", "1", '{"checksum": 3}', "{}"])
def test_json_of_another_form_is_not_whole(text):
    assert not manifest.is_whole(text)
    assert manifest.is_whole(manifest.sealed_json({"of": json.loads(text)}))

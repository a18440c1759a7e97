import os
import stat
import subprocess
import sys
import threading

import pytest

from seqnets.files import is_leftover, remove_leftovers, replace_file


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mask", "wanted"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_obeys_the_umask(tmp_path, umask, mask, wanted):
    umask(mask)
    replace_file(tmp_path / "new", "a")
    assert mode(tmp_path / "new") == wanted


@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o666, 0o444])
def test_a_replaced_file_keeps_its_mode(tmp_path, umask, wanted):
    path = tmp_path / "old"
    path.write_text("old")
    path.chmod(wanted)
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == wanted


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "target").write_text("old")
    (tmp_path / "link").symlink_to("there/target")
    (tmp_path / "to-nothing").symlink_to("there/new")
    replace_file(tmp_path / "link", "new")
    replace_file(tmp_path / "to-nothing", "new")
    for name in ("link", "to-nothing"):
        assert (tmp_path / name).is_symlink()
    assert {path.name: path.read_text() for path in (tmp_path / "there").iterdir()} == {"target": "new", "new": "new"}


def test_a_pipe_stays_a_pipe(tmp_path):
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    replace_file(path, "whole" * 30_000)
    reader.join()
    assert found == [b"whole" * 30_000]
    assert path.is_fifo()


def test_a_device_stays_a_device(tmp_path):
    path = tmp_path / "null"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        path.write_bytes(b"")
    except OSError:
        pytest.skip("only root makes devices, and not everywhere")
    replace_file(path, "gone")
    assert path.is_char_device()


WRITE = "print('before', flush=True); from pathlib import Path; from seqnets.files import replace_file;"
WRITE += "replace_file(Path('/dev/{}'), 'whole\\n'); print('after')"


@pytest.mark.parametrize("name", ["stdout", "fd/1"])
@pytest.mark.parametrize("to_file", [True, False])
def test_standard_output_is_written_to(tmp_path, name, to_file):
    command = [sys.executable, "-c", WRITE.format(name)]
    if to_file:
        with open(tmp_path / "out", "wb") as out:
            subprocess.run(command, stdout=out, check=True)
        text = (tmp_path / "out").read_text()
    else:
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert text == "before\nwhole\nafter\n"


def test_what_a_killed_process_leaves_is_known_and_removed(tmp_path):
    script = "import os, sys; from pathlib import Path; from seqnets.files import whole_file\n"
    script += "with whole_file(Path(sys.argv[1])) as file: file.write(b'half'); file.flush(); os._exit(9)"
    for name in ("config.json", "n" * 255, "ä" * 120):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=False)
    (tmp_path / ".config.json.part").touch()
    (tmp_path / "config.json.0f3a99c1.part").touch()
    assert sum(is_leftover(path.name) for path in tmp_path.iterdir()) == 3
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".config.json.part", "config.json.0f3a99c1.part"]


def test_an_error_names_the_file_and_not_its_temporary_one(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        replace_file(tmp_path / "no" / "such", "a")
    assert caught.value.filename == str(tmp_path / "no" / "such")

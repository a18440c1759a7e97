"""Systems that are not POSIX, folders with spaces and letters of every script, and terminals that know few of them."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from seqnets import places
from seqnets.cli import restarts
from seqnets.train import signals

PROGRAM = Path(__file__).with_name("elsewhere.py")
TINY = "--model.hidden-features 8 --data.window 8 --train.batch-size 4 --train.save-every 2 --train.evaluate-every 2"
ILLEGAL = re.compile(r'[<>:"\\|?*\x00-\x1f]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)  # on Windows


def elsewhere(*words, **options):
    return subprocess.run([sys.executable, PROGRAM, *words], capture_output=True, timeout=300, **options)


def test_every_module_imports_without_what_only_posix_has():
    done = elsewhere()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.slow
def test_a_run_is_trained_continued_sampled_and_verified_without_what_only_posix_has(tmp_path):
    folder = tmp_path / "mein Ordner, für 漢字"
    folder.mkdir()
    (folder / "größe 1.txt").write_text("ein Text über größere Dinge\n" * 200, encoding="utf-8")
    train = f"train größe*.txt --out läufe --train.steps 4 {TINY}"
    cache = folder / "cache"
    (cache / "native").mkdir(parents=True)
    for library in places.cache_folder("native").iterdir():  # need not be compiled again
        (cache / "native" / library.name).symlink_to(library)
    environment = {**os.environ, "SEQNETS_CACHE": str(cache), "PYTHONIOENCODING": "cp1252"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # that of all tests
    first = elsewhere(train, cwd=folder, env=environment)
    assert first.returncode == 0, first.stderr.decode()
    (folder / "läufe/checkpoints/4").rename(folder / "läufe/checkpoints/4.deleting")  # as if it had stopped before
    done = elsewhere(f"{train} AND sample läufe --length 20 --prompt ein AND verify läufe", cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    assert "after step 2" in done.stderr.decode()
    names = {path.name for path in folder.rglob("*")}
    assert {"model.safetensors", "compiled", ".lock"} <= names
    assert [name for name in names if ILLEGAL.search(name)] == []


def test_ctrl_break_is_an_interrupt(monkeypatch):
    monkeypatch.setattr(signals, "_BREAK", 21)
    assert [signals.exit_code(number) for number in (21, signal.SIGINT, signal.SIGTERM)] == [130, 130, 143]


def test_a_restarted_process_is_stopped_by_what_its_system_passes_on(monkeypatch, tmp_path):
    program = f"import pathlib, time; pathlib.Path({str(tmp_path / 'ready')!r}).touch(); time.sleep(60)"
    monkeypatch.setattr(restarts, "_PASSED_ON", {signal.SIGINT: signal.SIGTERM})  # Windows has another name for it
    sent = []
    popen = subprocess.Popen

    class Process(popen):
        def send_signal(self, number):
            sent.append(number)
            super().send_signal(number)

    monkeypatch.setattr(subprocess, "Popen", Process)

    def interrupt():
        while not (tmp_path / "ready").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert restarts._run([sys.executable, "-S", "-c", program]) == 130
    assert sent == [signal.SIGTERM]


@pytest.mark.parametrize(
    ("is_windows", "word", "written"),
    [
        (False, "runs/mein Lauf", "'runs/mein Lauf'"),
        (False, "runs/novel", "runs/novel"),
        (True, r"runs\mein Lauf", r'"runs\mein Lauf"'),
        (True, r"runs\novel", r"runs\novel"),
    ],
)
def test_a_command_to_try_next_is_quoted_for_the_shell_at_hand(monkeypatch, is_windows, word, written):
    monkeypatch.setattr(places, "IS_WINDOWS", is_windows)
    assert places.quoted(word) == written


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("unix", ".cache/seqnets"), ("macos", "Library/Caches/seqnets"), ("windows", r"AppData\Local\seqnets\Cache")],
)
def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, tmp_path, platform, folder):
    import platformdirs
    from platformdirs import macos, unix, windows

    kinds = {"unix": unix.Unix, "macos": macos.MacOS, "windows": windows.Windows}
    for name in ("SEQNETS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", rf"{tmp_path}\AppData\Local")
    monkeypatch.setattr(platformdirs, "PlatformDirs", kinds[platform])
    if platform == "windows":
        monkeypatch.setattr(windows, "get_win_folder", lambda name: os.environ["LOCALAPPDATA"])
    assert str(places.user_cache()).replace("/", "\\") == f"{tmp_path}/{folder}".replace("/", "\\")

"""The sdist and the wheel: complete, and usable from another folder without the tree."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from seqnets import __version__
from seqnets.cli import configurations

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def files_of_the_tree(folder=""):
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder or "."]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def seqnets(built, tmp_path_factory):
    """The command, installed from the wheel into a fresh environment; what it depends on comes from ours."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv/bin/python"
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet", "--no-index", str(built[0])]
    subprocess.run(pip, check=True, timeout=300)
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(ours))  # below the new environment's own packages
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    work = folder / "work"
    work.mkdir()

    def run(*words):
        command = [folder / "venv/bin/seqnets", *map(str, words)]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.work, run.python, run.environment = work, python, environment
    return run


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == files_of_the_tree("seqnets")
    assert "seqnets/py.typed" in names


def test_the_sdist_holds_the_tree(built):
    with tarfile.open(built[1]) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert names - {"PKG-INFO"} == files_of_the_tree()


def test_the_metadata_is_complete(built):
    with zipfile.ZipFile(built[0]) as wheel:
        (metadata,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        text = wheel.read(metadata).decode()
        assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    for line in (f"Version: {__version__}", "License-Expression: Apache-2.0", "Classifier: Typing :: Typed", "# seqnets"):
        assert line in text.splitlines()


def test_the_installed_command_works_from_another_folder(seqnets):
    where = "import seqnets; print(seqnets.__file__)"
    found = subprocess.run(
        [seqnets.python, "-c", where], cwd=seqnets.work, env=seqnets.environment, capture_output=True, text=True, check=True
    )
    assert str(ROOT) not in found.stdout
    assert seqnets("--version") == f"seqnets {__version__}\n"
    (seqnets.work / "a.txt").write_text("the cat sat on the mat. " * 500)
    small = ["--model.hidden-features", 8, "--data.window", 8, "--train.batch-size", 4]
    seqnets("train", "a.txt", "--train.steps", 5, *small)
    assert len(seqnets("sample", "runs/a", "--length", 30, "--seed", 1)) >= 30
    seqnets("train", "a.txt", "--config", "tinyshakespeare-3min", "--train.steps", 1, "--train.warmup-steps", 0, *small)
    settings = json.loads((seqnets.work / "runs/tinyshakespeare-3min/config.json").read_text())
    assert settings["model"]["config"]["layers"] == 1


def test_the_page_of_a_caption_comes_with_the_wheel(seqnets):
    seqnets("train", "captioner", "--data.scenes", 30, "--train.steps", 1, "--train.batch-size", 4)
    Image.new("RGB", (64, 64), "white").save(seqnets.work / "a.png")
    seqnets("caption", "runs/scenes-captioner", "a.png", "--html", "a.html")
    assert "<html" in (seqnets.work / "a.html").read_text()


def test_every_configuration_has_a_name():
    assert configurations.names() == sorted(Path(name).stem for name in files_of_the_tree("seqnets/configs"))

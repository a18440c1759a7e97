"""Every example of README.md, docs/text.md and docs/runs.md runs: Python and commands as they stand, but with fewer steps."""

import contextlib
import gzip
import io
import re
import shlex
import sys
from pathlib import Path

import pytest
from PIL import Image

from seqnets import settings
from seqnets.cli import configurations
from seqnets.cli import main as frame
from seqnets.cli.main import main
from seqnets.tasks import TASKS
from seqnets.tasks.text import TextRunConfig
from seqnets.train import Diverged

README = Path(__file__).parents[1] / "README.md"
PAGES = [README, *(README.parent / "docs" / f"{name}.md" for name in ("text", "runs"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
LINES = "ROMEO:\nIt is the east, and JULIET: is the sun.\n\nArise, fair sun, and kill the envious moon!\n\n"
SMALL = shlex.split("--train.steps 2 --train.batch-size 2 --data.window 8 --model.hidden-features 8 --train.evaluate-every 0")
SHORT = ["--length", "10"]
TINY = ["--trials", "3", "--model.hidden-features", "8"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def commands() -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ seqnets")]


@pytest.fixture
def texts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / ".cache"))
    Path("letters").mkdir()
    for name in ("shakespeare.txt", "diary.txt", "chapter.txt", "letters.txt", "novel.txt", "letters/one.txt"):
        Path(name).write_text(LINES * 20)
    Path("sweep.toml").write_text("train.learning_rate = [0.01]")
    Path("my-names.txt").write_text("anna\nbob\n" * 20)
    Path("names.txt").write_text("anna\nhanna\nnan\nalan\n" * 20)
    Image.new("RGB", (64, 64)).save("drawing.png")
    Path("diary.txt.gz").write_bytes(gzip.compress(Path("diary.txt").read_bytes()))


def test_the_python_examples_run(texts):
    names: dict = {}
    for block in blocks("python"):
        program = re.sub(r"steps=[\d_]+", "steps=2, batch_size=2", block)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(program, str(README), "exec"), names)
    assert names["run"].directory == Path("runs/bard")


def test_the_commands_run_in_order(texts, monkeypatch, capsys):
    monkeypatch.setattr("seqnets.cli.sweep.train_aside", lambda words: main(["train", *words]))
    found = commands()
    assert len(found) >= 10
    for command in found:
        words, _, source = command.partition("<")
        verb, *rest = shlex.split(words)[1:]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(source.strip()).read_bytes() if source else b"")))
        small = [*SMALL[2:], "--minutes", "0.01"] if "--minutes" in rest else SMALL
        small = small[:6] + small[8:] if "--from" in rest else small  # its size is that of the other run
        extra = {"train": small, "sample": SHORT, "find-rate": TINY}.get(verb, [])
        code = main([verb, *rest, *extra])  # of an option given twice the last counts
        assert code == 0, (command, capsys.readouterr().err)


def test_the_settings_in_the_configuration_example_exist():
    assert blocks("toml")
    for block in blocks("toml"):
        settings.loads(block, TextRunConfig(), "README.md")


def test_the_readme_is_short_and_links_to_pages_that_exist():
    assert len(README.read_text().splitlines()) <= 130
    for page in [README, *(README.parent / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).is_file(), (page.name, link)


def test_the_exit_codes_are_listed():
    table = TEXT.partition("## Exit codes")[2].partition("##")[0]
    listed = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, flags=re.MULTILINE) for code in row.split(",")}
    assert listed == {frame.DONE, frame.FAULT, frame.MISUSE, frame.INTERRUPTED, frame.BROKEN_PIPE, Diverged.exit_code, 143}


def check_configuration(path):
    values = settings.read(path)
    settings.replaced(TASKS[values.get("task", "text")].recipe().default(), values, path.name)


def test_the_configurations_named_in_it_exist_and_are_right():
    found = set(re.findall(r"--config ([\w-]+)(?=[ `])", TEXT)) - {"RUN", "FILE", "NAME"}
    assert found
    assert found <= set(configurations.names())


@pytest.mark.parametrize("path", sorted((README.parent / "seqnets" / "configs").glob("*.toml")), ids=lambda path: path.name)
def test_every_configuration_is_right_and_states_its_command(path):
    check_configuration(path)
    assert re.search(rf"^# .*seqnets train .*--config {re.escape(path.stem)}( |$)", path.read_text(), flags=re.MULTILINE)

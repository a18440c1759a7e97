"""Trackers as plug-ins, with a package that is not installed: its entry points are given by hand."""

import math
import re
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from seqnets import TrainConfig
from seqnets.errors import UserError
from seqnets.run import load
from seqnets.train import fit
from seqnets.train.progress import Silent
from seqnets.train.trackers import GROUP, makers


class Sentences(Silent):
    def __init__(self):
        self.said = []

    def tell(self, sentence):
        self.said.append(sentence)


@pytest.fixture
def package(monkeypatch):
    """A module `strange` whose class `Log` is the tracker `log`, and whose other names are trackers too."""
    module = ModuleType("strange")

    class Log:
        runs, lines, closed = [], [], 0

        def __init__(self, run):
            Log.runs.append(run)

        def append(self, line):
            Log.lines.append(dict(line))

        def close(self):
            Log.closed += 1

    class Failing(Log):
        def append(self, line):
            if line["step"] >= 14:
                raise ConnectionError("no network\nand more")
            super().append(line)

    class FailsAtTheEnd(Log):
        def close(self):
            raise OSError("the disk is full")

    def never(run):
        raise RuntimeError("no account")

    vars(module).update(Log=Log, Failing=Failing, FailsAtTheEnd=FailsAtTheEnd, never=never)
    monkeypatch.setitem(sys.modules, "strange", module)
    names = {"log": "Log", "failing": "Failing", "late": "FailsAtTheEnd", "never": "never", "absent": "Nothing"}
    entries = metadata.EntryPoints(metadata.EntryPoint(name, f"strange:{value}", GROUP) for name, value in names.items())
    real = metadata.entry_points
    monkeypatch.setattr(metadata, "entry_points", lambda **by: entries.select(**by) if by == {"group": GROUP} else real(**by))
    return Log


def tiny_task():
    import tiny_task

    return tiny_task


def trained(directory, steps=21, **settings):
    said = Sentences()
    config = TrainConfig(steps=steps, batch_size=4, schedule="constant", log_every=7, save_every=7, evaluate_every=14, **settings)
    run = fit(tiny_task().TinyTask(), config, directory=directory, progress=said)
    return run, said.said


def test_a_tracker_receives_the_lines_of_the_metrics(package, tmp_path):
    run, said = trained(tmp_path / "run", trackers=("log",))
    assert package.lines == run.metrics or [line["step"] for line in package.lines] == [line["step"] for line in run.metrics]
    assert [sorted(line) for line in package.lines] == [sorted(line) for line in run.metrics]
    for line, kept in zip(package.lines, run.metrics):
        assert all(math.isclose(line[name], kept[name], rel_tol=1e-6) for name in kept)
    [begun] = package.runs
    assert (begun.directory, begun.step, begun.config["task"]) == (tmp_path / "run", 0, "tiny")
    assert (package.closed, said) == (1, [])


def test_a_continued_run_says_where_it_continues(package, tmp_path):
    trained(tmp_path / "run", steps=14, trackers=("log",))
    trained(tmp_path / "run", steps=28)  # trackers may come and go
    trained(tmp_path / "run", steps=35, trackers=("log", "log"))
    assert [run.step for run in package.runs] == [0, 28]
    assert [line["step"] for line in package.lines if "loss" in line] == [7, 14, 35]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("failing", "the tracker 'failing' failed at step 14 and gets no more figures: ConnectionError: no network; "),
        ("late", "the tracker 'late' failed at step 21 and gets no more figures: OSError: the disk is full; "),
        ("never", "the tracker 'never' failed at step 0 and gets no more figures: RuntimeError: no account; "),
    ],
)
def test_a_tracker_that_fails_is_reported_once_and_changes_nothing(package, tmp_path, name, sentence):
    run, said = trained(tmp_path / "run", trackers=(name, "log"))
    plain, _ = trained(tmp_path / "plain")
    assert said == [f"{sentence}training continues"]
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (tmp_path / "plain" / "metrics.jsonl").read_bytes()
    assert run.metrics == plain.metrics
    assert load(tmp_path / "run", build=tiny_task().build).metrics == plain.metrics


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lgo", "there is no tracker 'lgo'; did you mean 'log'?"),
        ("absent", "'absent' cannot be imported: AttributeError: module 'strange' has no attribute 'Nothing'"),
    ],
)
def test_a_tracker_that_does_not_exist_is_refused_before_anything_is_written(package, tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        trained(tmp_path / "run", trackers=(name,))
    assert not (tmp_path / "run").exists()


def test_tensorboard_is_a_tracker_under_both_names(tmp_path):
    pytest.importorskip("tensorboardX")
    for place, settings in (("old", {"tensorboard": True}), ("new", {"trackers": ("tensorboard",)}), ("both", None)):
        trained(tmp_path / place, **(settings or {"tensorboard": True, "trackers": ("tensorboard",)}))
        [file] = (tmp_path / place / "tensorboard").iterdir()
        assert b"validation_error" in file.read_bytes()


def test_the_own_table_names_what_exists():
    assert callable(makers(["tensorboard"])["tensorboard"])


def test_tensorboard_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match="needs tensorboardX: pip install 'seqnets\\[viz\\]'"):
        trained(tmp_path / "run", trackers=("tensorboard",))


DOCUMENT = Path(__file__).parents[2] / "docs" / "runs.md"


class Stub(ModuleType):
    """A module of another tracker that keeps every call."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*words, **options):
            self.calls.append((name, words, options))
            return SimpleNamespace(
                log=lambda line, step: self.calls.append(("log", (line,), {"step": step})),
                finish=lambda: self.calls.append(("finish", (), {})),
                info=SimpleNamespace(run_id="f00d"),
            )

        return call


@pytest.mark.parametrize(
    ("tracker", "module", "begin", "log", "end"),
    [
        ("WandB", "wandb", "init", "log", "finish"),
        ("MLflow", "mlflow", "start_run", "log_metrics", "end_run"),
        ("Trackio", "trackio", "init", "log", "finish"),
    ],
)
def test_the_examples_of_the_documents_track_a_run_and_its_continuation(tmp_path, monkeypatch, tracker, module, begin, log, end):
    [block] = re.findall(r"```py\n(.*?)```", DOCUMENT.read_text("utf-8"), flags=re.DOTALL)
    names: dict = {}
    exec(compile(block, str(DOCUMENT), "exec"), names)
    from seqnets.train import trackers

    monkeypatch.setattr(trackers, "makers", lambda wanted: {tracker: names[tracker]} if wanted else {})
    monkeypatch.setattr("seqnets.train.folder.makers", trackers.makers)
    begun = []
    for steps in (14, 28):
        stub = Stub(module)
        monkeypatch.setitem(sys.modules, module, stub)
        _, said = trained(tmp_path / "run", steps=steps, trackers=(module,))
        assert [sentence for sentence in said if "failed" in sentence] == []
        calls = {name: [(words, options) for other, words, options in stub.calls if other == name] for name, *_ in stub.calls}
        logged = [words[0] for words, _ in calls[log]]
        assert [options["step"] for (_, options), line in zip(calls[log], logged) if "loss" in line] == [steps - 7, steps]
        assert (len(calls[begin]), len(calls[end])) == (1, 1)
        begun.append(calls[begin][0][1])
    same = {"WandB": "id", "MLflow": "run_name", "Trackio": "name"}[tracker]
    assert [options[same] for options in begun] == ["run", "run"]
    assert tracker != "MLflow" or [options["run_id"] for options in begun] == [None, "f00d"]

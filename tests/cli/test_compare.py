"""`seqnets compare` and `seqnets train --sweep`."""

import fcntl
import json
import shutil

import pytest

SMALL = ("--train.batch-size", 4, "--data.window", 8, "--model.hidden-features", 8)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two complete runs of text, and one of a tagger of another objective."""
    from seqnets.cli.main import main

    folder = tmp_path_factory.mktemp("runs")
    (folder / "numbers.txt").write_text("one two three four five six seven eight nine ten\n" * 60)
    for name, steps in (("a", 10), ("b", 30)):
        words = ("train", folder / "numbers.txt", "--out", folder / name, *SMALL, "--train.steps", steps)
        assert main([str(word) for word in (*words, "--train.warmup-steps", 1)]) == 0
    (folder / "texts.csv").write_text("text,label\n" + "good day,yes\nbad night,no\n" * 20)
    words = ("train", "text-classifier", folder / "texts.csv", "--out", folder / "c", "--train.steps", 4)
    assert main([str(word) for word in words]) == 0
    return folder


def rows(outcome):
    assert outcome.code == 0
    return [line.split() for line in outcome.out.splitlines()]


def test_what_differs_and_the_results(seqnets, runs):
    header, first, second = rows(seqnets("compare", runs / "a", runs / "b"))
    assert header == ["run", "train.steps", "state", "best", "nats", "step", "steps", "time", "parameters"]
    figures = {}
    for name, row in (("a", first), ("b", second)):
        metrics = [json.loads(line) for line in (runs / name / "metrics.jsonl").read_text().splitlines()]
        figures[name] = min(line["validation_nats"] for line in metrics if "validation_nats" in line)
        assert row[:3] == [str(runs / name), {"a": "10", "b": "30"}[name], "complete"]
        assert row[3].rstrip("*") == f"{figures[name]:.4f}"
        assert row[5] == {"a": "10", "b": "30"}[name]
    better = min(figures, key=figures.__getitem__)
    assert [row[3].endswith("*") for row in (first, second)] == [better == "a", better == "b"]


def test_runs_that_are_part_of_seqnets_are_compared_by_name(seqnets, runs):
    found = {name: values for name, *values in rows(seqnets("compare", "names", "shakespeare"))}
    assert found["run"] == ["names", "shakespeare"]
    assert found["model.cell"] == ["gru", "lstm"]
    assert found["steps"] == ["1,600", "2,400"]
    assert found["time"] == ["-", "-"]


def test_parameters_are_those_of_the_model(seqnets, runs):
    import jax
    from flax import nnx

    from seqnets.run import load

    model = load(runs / "a").model
    expected = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    assert json.loads(seqnets("compare", runs / "a", "--json").out)[0]["parameters"] == expected


def test_other_tasks_are_named_and_not_ranked(seqnets, runs):
    outcome = seqnets("compare", runs / "a", runs / "c")
    lines = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines()}
    assert lines["task"] == ["text", "text-classifier"]
    assert lines["best"][0] == "nats"
    assert lines["best"][2] == "accuracy"
    assert "*" not in outcome.out


def test_damaged_stopped_and_running_runs(seqnets, runs, tmp_path):
    damaged, running, stopped = (shutil.copytree(runs / "a", tmp_path / name) for name in ("damaged", "running", "stopped"))
    text = (damaged / "config.json").read_text()
    (damaged / "config.json").write_text(text.replace("text", "texd", 1))
    for folder in (running, stopped):
        lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
        (folder / "metrics.jsonl").write_text(lines[0].replace('"step": 10', '"step": 5') + '{"step": 6, "lo')
    (stopped / "config.toml").unlink()
    with open(running / ".lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        outcome = seqnets("compare", damaged, running, stopped, "absent", "--json")
    found = json.loads(outcome.out)
    assert [entry["state"] for entry in found] == ["unreadable", "running", "stopped", "unreadable"]
    assert [entry["steps"] for entry in found][1:3] == [5, 5]
    assert "does not match its checksum" in found[0]["problem"]
    assert "is not a folder" in found[3]["problem"]
    shown = seqnets("compare", damaged, running)
    assert shown.code == 0
    assert shown.out.splitlines()[-1].startswith(f"{damaged}: ")
    alone = seqnets("compare", damaged)
    assert (alone.code, alone.out, "checksum" in alone.err) == (2, "", True)
    assert "no run can be read" in seqnets("compare", "absent", "nothing").err


def test_time_is_the_sum_over_processes(runs, tmp_path):
    from seqnets.train.results import read_results

    copy = shutil.copytree(runs / "a", tmp_path / "copy")
    seconds = [1.0, 5.0, 2.0, 3.0, 0.5]
    (copy / "timing.jsonl").write_text("".join(json.dumps({"step": i, "seconds": s}) + "\n" for i, s in enumerate(seconds)))
    assert read_results(str(copy)).seconds == 5.0 + 3.0 + 0.5


def test_a_run_of_an_older_version_has_the_objective_of_its_task(runs, tmp_path):
    from seqnets.cli.compare import read_all
    from seqnets.manifest import sealed_json

    copy = shutil.copytree(runs / "a", tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    for name in ("objective", "maximize", "parameters", "checksum"):
        del config[name]
    (copy / "config.json").write_text(sealed_json(config))
    new, old = read_all([str(runs / "a"), str(copy)])
    assert (old.objective, old.best, old.parameters) == ("nats", new.best, None)


def test_figure(seqnets, runs, tmp_path):
    outcome = seqnets("compare", runs / "a", runs / "b", "--figure", "curves.svg")
    assert outcome.err == "seqnets: the figure is in 'curves.svg'\n"
    assert "<svg" in (tmp_path / "curves.svg").read_text()


@pytest.fixture
def sweep_file(tmp_path):
    def write(text):
        (tmp_path / "sizes.toml").write_text(text)
        return "sizes.toml"

    return write


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            '[model]\ncell = ["gru", "lstm"]\n[train]\nlearning_rate = [0.1, 1e-3]',
            ["cell-gru_learning-rate-0.1", "cell-gru_learning-rate-0.001", "cell-lstm_learning-rate-0.1",
             "cell-lstm_learning-rate-0.001"],
        ),
        ('combine = "zip"\nmodel.cell = ["gru", "lstm"]\ntrain.steps = [1, 2]', ["cell-gru_steps-1", "cell-lstm_steps-2"]),
        ('train.freeze = [["output_bias"], []]', ["freeze-output-bias", "freeze-"]),
    ],
)  # fmt: skip
def test_points_of_a_sweep(seqnets, corpus, sweep_file, text, names):
    outcome = seqnets("train", corpus, "--sweep", sweep_file(text), "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.split() == [f"runs/numbers-sizes/{name}" for name in names]


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("model.cell = 'gru'", (), "sizes.toml: model.cell must be a list of values to try, such as ['gru']"),
        ("", (), "there is nothing to vary"),
        ("train.steps = []", (), "train.steps must be a list"),
        ('model.cell = ["gru", "gruu"]', (), "model.cell must be"),
        ("model.cel = ['gru']", (), "did you mean 'cell'?"),
        ("train.steps = [1, 1]", (), "two runs would be called 'steps-1'"),
        ('combine = "zip"\ntrain.steps = [1]\nmodel.layers = [1, 2]', (), "train.steps has 1, model.layers has 2"),
        ('combine = "all"\ntrain.steps = [1]', (), "combine must be 'product' or 'zip'"),
        ("train.steps = [1]", ("--resume", "never"), "--resume never does not fit"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_it_begins(seqnets, corpus, sweep_file, tmp_path, text, words, message):
    outcome = seqnets("train", corpus, "--sweep", sweep_file(text), *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_sweep_of_standard_input_is_refused(seqnets, sweep_file):
    assert "standard input can be read only once" in seqnets("train", "-", "--sweep", sweep_file("train.steps = [1]")).err


def in_this_process(monkeypatch):
    from seqnets.cli import sweep
    from seqnets.cli.main import main

    begun = []

    def train(words):
        begun.append(words[words.index("--out") + 1].rpartition("/")[2])
        return main(["train", *words])

    monkeypatch.setattr(sweep, "train_aside", train)
    return begun


def test_a_sweep_skips_what_is_complete_and_reports_what_fails(seqnets, corpus, sweep_file, monkeypatch):
    begun = in_this_process(monkeypatch)
    file = sweep_file("train.steps = [4, 2]\ndata.window = [8, 100000]")
    words = ("train", corpus, "--sweep", file, "--out", "runs/s", *SMALL[:2], *SMALL[4:])
    outcome = seqnets(*words)
    assert outcome.code == 2  # that of the first run that failed
    assert outcome.err.count("failed with exit code 2") == 2
    assert begun == ["steps-4_window-8", "steps-4_window-100000", "steps-2_window-8", "steps-2_window-100000"]
    table = [line.split() for line in outcome.out.splitlines() if line.startswith("runs/s/")]
    assert [row[0] for row in table[:4]] == [f"runs/s/{name}" for name in begun]
    assert [row[2] for row in table[:4]] == ["complete", "unreadable", "complete", "unreadable"]
    begun.clear()
    again = seqnets(*words)
    assert begun == ["steps-4_window-100000", "steps-2_window-100000"]
    assert again.err.count("sweep: it is complete") == 2


@pytest.mark.slow
def test_a_sweep_in_processes_of_its_own_continues_after_a_signal(corpus, sweep_file, tmp_path, monkeypatch):
    import os
    import signal
    import subprocess
    import sys
    import time

    monkeypatch.chdir(tmp_path)
    file = sweep_file("train.steps = [5, 100000]")
    command = [sys.executable, "-m", "seqnets.cli", "train", str(corpus), "--sweep", file, "--out", "s", *map(str, SMALL)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as process:
        while not (tmp_path / "s" / "steps-100000" / "metrics.jsonl").is_file():
            assert process.poll() is None
            time.sleep(0.2)
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "the same command continues" in err
    from seqnets.train.results import read_results

    assert [read_results(f"s/steps-{steps}").state for steps in (5, 100000)] == ["complete", "stopped"]

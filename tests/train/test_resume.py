"""Continuing a run: what is allowed, what is refused, and that the end is the same."""

import dataclasses
import json
import signal
from pathlib import Path

import pytest
from orbax.checkpoint import Checkpointer

from seqnets.errors import UserError
from seqnets.locks import only_process
from seqnets.train import folder
from seqnets.train.folder import NotSaved
from seqnets.train.progress import Silent
from seqnets.train.resume import continues


def interrupted(trained, tiny, directory, monkeypatch, step=15, **settings):
    """Train, and be interrupted after a step as by Ctrl-C."""
    from seqnets.train.loop import Training
    from seqnets.train.signals import Interrupted

    original = Training._record

    def record(self, figures):
        original(self, figures)
        if self.step == step:
            self.stop.requested = 2

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_record", record)
        with pytest.raises(Interrupted, match=r"stopped at step \d+, which is saved in .* the same command continues") as stop:
            trained(directory, **settings)
    assert stop.value.exit_code == 130


def assert_same_run(one, other):
    for name in ("metrics.jsonl", "samples.jsonl", "model.safetensors", "config.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("step", [1, 9, 10, 14, 29])
def test_an_interrupted_run_ends_as_one_that_was_not(trained, tiny, tmp_path, monkeypatch, step):
    settings = {"evaluate_every": 10, "log_every": 7, "averaging": 0.9}
    trained(tmp_path / "straight", **settings)
    interrupted(trained, tiny, tmp_path / "cut", monkeypatch, step, **settings)
    trained(tmp_path / "cut", resume="must", **settings)
    assert_same_run(tmp_path / "straight", tmp_path / "cut")


def test_the_plateau_rule_goes_on_where_it_was(trained, tiny, tmp_path, monkeypatch):
    settings = {"steps": 80, "schedule": "plateau", "plateau_patience": 2, "evaluate_every": 5}
    trained(tmp_path / "straight", **settings)
    interrupted(trained, tiny, tmp_path / "cut", monkeypatch, 51, **settings)
    trained(tmp_path / "cut", **settings)
    assert_same_run(tmp_path / "straight", tmp_path / "cut")


def test_when_the_plateau_rule_is_asked_may_not_change(trained, tmp_path):
    trained(tmp_path / "run", steps=10, evaluate_every=5, schedule="plateau")
    with pytest.raises(UserError, match=r"train\.evaluate_every was 5 and is now 2"):
        trained(tmp_path / "run", steps=10, evaluate_every=2, schedule="plateau")
    trained(tmp_path / "free", steps=10, evaluate_every=5, schedule="constant")
    trained(tmp_path / "free", steps=10, evaluate_every=2, schedule="constant")


def test_a_complete_run_says_so_and_returns_its_model(trained, recorder, tmp_path):
    first, shown = trained(tmp_path / "run"), recorder()
    again = trained(tmp_path / "run", progress=shown)
    assert any("is complete: all 30 steps are taken" in sentence for sentence in shown.sentences)
    assert (again.model.kernel[...] == first.model.kernel[...]).all()
    assert again.metrics == first.metrics


def test_more_steps_continue_a_run_whose_rates_do_not_depend_on_them(trained, tmp_path):
    trained(tmp_path / "long", steps=50, schedule="constant", evaluate_every=10)
    trained(tmp_path / "grown", steps=30, schedule="constant", evaluate_every=10)
    trained(tmp_path / "grown", steps=50, schedule="constant", evaluate_every=10)
    assert_same_run(tmp_path / "long", tmp_path / "grown")


CHANGES = {
    "batch_size": 5,
    "seed": 1,
    "optimizer": "adamw",
    "learning_rate": 0.06,
    "momentum": 0.8,
    "schedule": "constant",
    "weight_decay": 0.1,
    "clip_norm": 1.0,
    "averaging": 0.5,
    "steps": 40,
    "beta2": 0.99,
    "warmup_steps": 3,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run, only read."""
    import tiny_task

    from seqnets import TrainConfig
    from seqnets.train import fit

    config = TrainConfig(steps=4, batch_size=4)
    directory = tmp_path_factory.mktemp("finished") / "run"
    fit(tiny_task.TinyTask(), config, directory=directory, progress=None)
    return directory, config


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_is_refused_by_name(tiny, finished, name):
    from seqnets.train import fit

    directory, config = finished
    old, new = getattr(config, name), CHANGES[name]
    why = ", on which the learning rates of train.schedule 'cosine' depend" if name == "steps" else ""
    with pytest.raises(UserError, match=f"cannot be continued: train.{name} was {old!r} and is now {new!r}{why}; put it back"):
        fit(tiny.TinyTask(), dataclasses.replace(config, **{name: new}), directory=directory, progress=None)


def test_changed_data_or_model_is_refused_by_name(tiny, finished):
    from seqnets.train import fit

    directory, config = finished
    with pytest.raises(UserError, match=r"data.rows was 64 and is now 65"):
        fit(tiny.TinyTask(rows=65), config, directory=directory, progress=None)
    wider = tiny.TinyTask()
    wider.artifacts = lambda: {"model": {"kind": "Tiny", "config": {"features": 4}}}
    with pytest.raises(UserError, match=r"model.config.features was 3 and is now 4"):
        fit(wider, config, directory=directory, progress=None)


def test_fewer_steps_than_taken_are_refused(trained, tmp_path):
    trained(tmp_path / "run", schedule="constant")
    with pytest.raises(UserError, match=r"has taken 30 steps; train.steps \(20\) must not be less"):
        trained(tmp_path / "run", schedule="constant", steps=20)


def test_must_and_never(trained, finished, tmp_path):
    directory, _ = finished
    with pytest.raises(UserError, match="has no checkpoint to resume from"):
        trained(tmp_path / "none", resume="must")
    with pytest.raises(UserError, match="is not empty and resume is 'never'"):
        trained(directory, resume="never")
    with pytest.raises(UserError, match="resume must be one of auto, never, must, not 'perhaps'"):
        trained(tmp_path / "none", resume="perhaps")
    assert not (tmp_path / "none").exists()


def test_folders_of_others_are_left_alone(trained, tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(UserError, match=r"not a run folder and not empty \(it has 'thesis.tex'\)"):
        trained(tmp_path)
    with pytest.raises(UserError, match="is a file; give a folder"):
        trained(tmp_path / "thesis.tex")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.tex"]


def test_a_shared_model_without_checkpoints_is_not_overwritten(trained, tmp_path):
    import shutil

    trained(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(UserError, match="holds a trained model but no checkpoint"):
        trained(tmp_path / "run")


@pytest.mark.parametrize("evaluate_every", [3, 0])
def test_weights_come_after_the_first_checkpoint(trained, tmp_path, monkeypatch, evaluate_every):
    # weights without a checkpoint are taken for a model that somebody gave away, and refused
    there, write = [], folder.write_weights

    def watched(path, weights):
        there.append([step.name for step in (path.parent / "checkpoints").iterdir() if step.name.isdigit()])
        write(path, weights)

    monkeypatch.setattr(folder, "write_weights", watched)
    trained(tmp_path / "run", evaluate_every=evaluate_every, save_every=0)
    assert there
    assert all(there)


def test_weights_are_written_where_no_checkpoint_can_be(trained, recorder, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpointer, "save", full)
    recorded, settings = recorder(), {"steps": 20, "evaluate_every": 10}
    with pytest.raises(
        NotSaved, match=r"trained to step 20, but .* could not be saved; the weights are saved in .*/run'"
    ) as stopped:
        trained(tmp_path / "run", progress=recorded, **settings)
    assert stopped.value.exit_code == 1
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == weights_of(
        trained, tmp_path / "other", monkeypatch, **settings
    )
    assert all("could not be saved" in sentence for sentence in recorded.sentences[:2])


def weights_of(trained, directory, monkeypatch, **settings):
    monkeypatch.undo()
    trained(directory, **settings)
    return (directory / "model.safetensors").read_bytes()


def test_two_processes_do_not_train_in_one_folder(trained, tmp_path):
    (tmp_path / "run").mkdir()
    with only_process(tmp_path / "run" / ".lock", ""), pytest.raises(UserError, match="another process is training in"):
        trained(tmp_path / "run")


def test_a_damaged_last_checkpoint_falls_back_and_is_reported(trained, tiny, recorder, tmp_path, monkeypatch):
    trained(tmp_path / "straight", schedule="constant", evaluate_every=10)
    interrupted(trained, tiny, tmp_path / "cut", monkeypatch, 24, schedule="constant", evaluate_every=10)
    newest = max(int(path.name) for path in (tmp_path / "cut" / "checkpoints").iterdir())
    for file in (tmp_path / "cut" / "checkpoints" / str(newest) / "state").rglob("*"):
        if file.is_file() and file.parent.name == "d":
            file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    shown = recorder()
    trained(tmp_path / "cut", schedule="constant", evaluate_every=10, progress=shown)
    assert any(f"checkpoint of step {newest}" in sentence and "moved aside" in sentence for sentence in shown.sentences)
    assert (tmp_path / "cut" / "checkpoints-damaged" / str(newest)).is_dir()
    assert_same_run(tmp_path / "straight", tmp_path / "cut")


def test_metrics_written_after_the_checkpoint_are_cut_off(trained, tiny, tmp_path, monkeypatch):
    trained(tmp_path / "straight", evaluate_every=10)
    interrupted(trained, tiny, tmp_path / "cut", monkeypatch, 12, evaluate_every=10)
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 15, "loss": 9.0}\n{"step": 20, "lo')
    trained(tmp_path / "cut", evaluate_every=10)
    assert_same_run(tmp_path / "straight", tmp_path / "cut")
    assert all(json.loads(line) for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines())


@pytest.mark.parametrize("name", ["config.toml", "vocabulary.json", "config.json"])
def test_a_run_killed_while_its_first_files_were_written_begins_again(tmp_path, name):
    (tmp_path / ".lock").touch()
    (tmp_path / f".{name}.0f3a99c1.part").write_text("half")
    assert not continues(tmp_path, "auto")


def no_room_for(monkeypatch, name):
    """Let writing a file fail, from a time on."""
    from seqnets import files

    whole, full = files.whole_file, [True]

    def failing(path):
        if full[0] and Path(path).name == name and Path(path).exists():
            raise OSError(28, "No space left on device", str(path))
        return whole(path)

    monkeypatch.setattr(files, "whole_file", failing)
    return full


def test_best_weights_that_cannot_be_written_end_the_run_with_one_and_are_written_by_the_next(
    trained, recorder, tmp_path, monkeypatch
):
    from seqnets.cli.verify import inspect

    settings = {"steps": 30, "evaluate_every": 10, "schedule": "constant"}
    trained(tmp_path / "other", **settings)
    full = no_room_for(monkeypatch, "model.safetensors")
    with pytest.raises(
        NotSaved, match=r"the weights could not be written to .*, which holds older ones; make room and run"
    ) as stopped:
        trained(tmp_path / "run", **settings)
    assert stopped.value.exit_code == 1
    assert not (tmp_path / "run" / "README.md").exists()  # no card that says what is not there
    assert [finding.part for finding in inspect(tmp_path / "run") if finding.damage] == ["model.safetensors"]
    full[0] = False
    recorded = recorder()
    trained(tmp_path / "run", progress=recorded, **settings)  # as the message says
    assert any("does not hold the weights of step 30, the best" in sentence for sentence in recorded.sentences)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert not any(finding.damage for finding in inspect(tmp_path / "run"))


def test_weights_are_tried_again_with_every_checkpoint(trained, recorder, tmp_path, monkeypatch):
    full, recorded = no_room_for(monkeypatch, "model.safetensors"), recorder()
    validated = recorded.validated
    recorded.validated = lambda step, *rest: (full.__setitem__(0, step < 30), validated(step, *rest))
    trained(tmp_path / "run", progress=recorded, steps=40, evaluate_every=10, schedule="constant")
    assert any("could not be written, the older one is kept" in sentence for sentence in recorded.sentences)
    assert (tmp_path / "run" / "README.md").exists()


def test_a_card_that_cannot_be_written_is_said_last(trained, tmp_path, monkeypatch):
    from seqnets.train import loop

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loop, "write_summary", full)
    with pytest.raises(NotSaved, match=r"trained to step 30, which is saved in .*, but not its curve and card"):
        trained(tmp_path / "run")


def test_an_interruption_that_cannot_be_saved_says_so(trained, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpointer, "save", full)
    recorded = interrupting(10)
    with pytest.raises(NotSaved, match=r"stopped at step \d+, but the checkpoint of step \d+ could not be saved"):
        trained(tmp_path / "run", progress=recorded, steps=1000)


def interrupting(step):
    """A progress that sends a signal when it hears of a step."""

    class Interrupting(Silent):
        def update(self, status):
            if status.step == step:
                signal.raise_signal(signal.SIGINT)

    return Interrupting()


def test_settings_that_are_newer_than_a_run_have_their_defaults_in_it():
    from seqnets.run import in_full

    old = {"model": {"kind": "CharLM", "config": {"cell": "lstm", "layers": 2, "depth": 7}}}
    found = in_full(old)["model"]["config"]
    assert (found["layers"], found["depth"], found["candidate"]) == (2, 2, "positive")
    unknown = {"model": {"kind": "Tiny", "config": {"features": 3}}}
    assert in_full(unknown) == unknown


def test_a_run_older_than_a_setting_goes_on(tiny, tmp_path):
    import json

    from seqnets import TrainConfig
    from seqnets.run import read_config, write_config
    from seqnets.train.in_memory import describe_run
    from seqnets.train.resume import check_unchanged

    config = TrainConfig(steps=4)
    description = describe_run(tiny.TinyTask(), config)
    older = json.loads(json.dumps(description))
    del older["train"]["nesterov"]
    write_config(tmp_path, older, {})
    assert "nesterov" not in read_config(tmp_path)["train"]
    check_unchanged(tmp_path, description, config)
    with pytest.raises(UserError, match=r"train\.nesterov was False and is now True"):
        check_unchanged(tmp_path, describe_run(tiny.TinyTask(), dataclasses.replace(config, nesterov=True)), config)

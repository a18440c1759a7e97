"""Recipes: what they fill, how runs are called, and the last words of training."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from seqnets import settings
from seqnets.cli.parser import Parser
from seqnets.tasks import TASKS, captioner
from seqnets.tasks.captioner import CaptionerRunConfig
from seqnets.tasks.recipe import Recipe, best_figures, named_after

RECIPES = {name: entry.recipe() for name, entry in TASKS.items()}


@pytest.fixture(params=RECIPES)
def recipe(request) -> Recipe:
    return RECIPES[request.param]


def test_words_fill_settings_of_the_same_name(recipe):
    parser = Parser("seqnets train", "train a model")
    recipe.add_words(parser)
    assert recipe.given(parser.read([])) == {}
    for name, options in recipe.words.items():
        if not {"choices", "type"} & options.keys():
            found = recipe.given(parser.read([name, "a"] if name.startswith("--") else ["a"]))
            changed = settings.replaced(recipe.default(), found)
            assert getattr(changed, name.lstrip("-").replace("-", "_")) in ("a", ("a",))


def test_every_path_means_the_same_from_any_folder(recipe, monkeypatch, tmp_path):
    changes = {}
    for name in recipe.paths:
        section, _, setting = name.rpartition(".")
        (changes.setdefault(section, {}) if section else changes)[setting] = "deep/a"
    lists = {name: ["deep/a"] for name in changes if isinstance(getattr(recipe.config(), name), tuple)}
    config = settings.replaced(recipe.default(), {**changes, **lists})
    monkeypatch.chdir(tmp_path)
    found = recipe.resolved(config)
    for name in recipe.paths:
        value = found
        for part in name.split("."):
            value = getattr(value, part)
        assert value in (str(tmp_path / "deep/a"), (str(tmp_path / "deep/a"),))
    assert recipe.resolved(found) == found
    assert recipe.resolved(recipe.default()) == recipe.default()


def test_no_two_recipes_call_their_runs_alike():
    names = [recipe.run_name(recipe.default()) for recipe in RECIPES.values()]
    assert len(set(names)) == len(names)


def test_a_folder_whose_name_looks_like_a_pattern(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos[1]").mkdir()
    assert named_after(["photos[1]"], "") == "photos[1]"
    assert named_after(["photos[2]"], "") == tmp_path.name.partition(".")[0]


def test_the_best_line_is_shown():
    lines = ({"step": 1, "validation_nats": 2.0}, {"step": 2, "validation_nats": 1.0}, {"step": 3, "loss": 0.5})
    assert best_figures(lines, ["nats"], maximize=False) == ["validation: nats 1.0000 at step 2"]
    assert best_figures(lines, ["nats"], maximize=True) == ["validation: nats 2.0000 at step 1"]


@pytest.mark.parametrize(
    ("metrics", "first"),
    [
        (
            [{"step": 1, "validation_accuracy": 0.5, "validation_nats": None}],
            ["validation: accuracy 0.5000, nats not finite at step 1"],
        ),
        ([{"step": 1, "validation_accuracy": None, "validation_nats": 1.0}], []),
        (
            [{"step": 1, "validation_accuracy": None}, {"step": 2, "validation_accuracy": 0.0}],
            ["validation: accuracy 0.0000, nats not finite at step 2"],
        ),
        ([], []),
    ],
)
def test_a_figure_that_is_not_finite(metrics, first):
    assert best_figures(metrics, ["accuracy", "nats"], maximize=True) == first


@pytest.mark.parametrize("folder", ["photos{1}", "{a}", "{", "}{run", "{{}}", "%s"])
def test_folders_with_braces(folder):
    run, task = SimpleNamespace(metrics=[], directory=Path("runs/{0}")), SimpleNamespace(objective="CIDEr", maximize=True)
    words = captioner.RECIPE.closing(run, CaptionerRunConfig(images=folder, captions="c.csv"), task)
    assert words.splitlines()[-1].split("--out")[0].replace("'", "") == f"  seqnets caption runs/{{0}} {folder} "


@pytest.mark.parametrize(("objective", "maximize", "shown"), [("nats", False, "nats 1.0000, CIDEr"), ("CIDEr", True, "CIDEr 2")])
def test_the_objective_of_the_task_comes_first(objective, maximize, shown):
    metrics = [{"step": step, "validation_nats": nats, "validation_CIDEr": c} for step, nats, c in ((1, 1.0, 1.0), (2, 3.0, 2.0))]
    run, task = SimpleNamespace(metrics=metrics, directory=Path("a")), SimpleNamespace(objective=objective, maximize=maximize)
    words = captioner.RECIPE.closing(run, CaptionerRunConfig(images="a", captions="c.csv"), task)
    assert words.startswith(f"validation: {shown}")

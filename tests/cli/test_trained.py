"""Every verb that takes a run says of the run of another task what it is and which verb fits."""

import pytest

from seqnets.run import write_json
from seqnets.tasks import TASKS

VERBS = {
    "sample": ({"text", "drawer"}, ()),
    "classify": ({"classifier", "glancer"}, ("a.png",)),
    "caption": ({"captioner"}, ("a.png",)),
    "predict": ({"text-classifier", "tagger", "tree-classifier", "translator"}, ("--text", "a")),
    "answer": ({"vqa"}, ("a.png", "why?")),
    "evaluate": ({"text"}, ("a.txt",)),
    "inspect": (
        {"text", "tagger", "text-classifier", "tree-classifier", "translator", "captioner", "classifier", "vqa"},
        ("a.txt",),
    ),
    "stylize": ({"stylizer"}, ("a.png",)),
    "features": ({"classifier"}, ("a.png", "--out", "store")),
}


@pytest.fixture
def untrained(tmp_path):
    """Return a function that makes a run folder without weights."""

    def make(task):
        (tmp_path / task).mkdir()
        facts = {"format": "seqnets-run", "format_version": 1, "task": task, "model": {"kind": "None"}, "train": {}, "data": {}}
        write_json(tmp_path / task / "config.json", facts)
        return task

    return make


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("task", TASKS)
def test_a_run_of_another_task_is_named_with_its_verb(seqnets, untrained, tmp_path, verb, task):
    fitting, rest = VERBS[verb]
    if task in fitting:
        pytest.skip("this is what the verb is for")
    outcome = seqnets(verb, untrained(task), *rest)
    assert outcome.code == 2
    assert outcome.err.startswith(
        f"seqnets: '{task}' is a run of `seqnets train {task}`; try `seqnets {TASKS[task].use.split()[0]} {task}"
    )
    assert outcome.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} - {".cache"} == {task}

"""The table of mutations fits the product, so that breaking it on purpose stays a matter of one command."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "check_mutations.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("check_mutations", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_there_are_a_hundred_with_names_of_their_own(script):
    names = [mutation.name for mutation in script.read_table()]
    assert len(set(names)) == len(names) >= 100


def test_every_mutation_applies_and_still_compiles(script):
    for mutation in script.read_table():
        assert mutation.refusal(ROOT) == "", mutation.name
        if mutation.file.endswith(".py"):
            compile(mutation.applied(ROOT), mutation.name, "exec")


def test_the_tests_that_should_notice_exist(script):
    for mutation in script.read_table():
        for test in mutation.tests:
            file, _, name = test.partition("::")
            found = (ROOT / file).read_text("utf-8") if (ROOT / file).is_file() else ""
            assert (ROOT / file).exists(), (mutation.name, test)
            assert not name or f"def {name.partition('[')[0]}(" in found, (mutation.name, test)


@pytest.mark.parametrize(("find", "why"), [("gone", "0 times"), ("a = 1", "2 times"), ("b = 3", "changes nothing")])
def test_a_snippet_that_does_not_fit_is_refused(script, tmp_path, find, why):
    (tmp_path / "part.py").write_text("a = 1\na = 1\nb = 3\n")
    assert why in script.Mutation("m", "part.py", find, "b = 3", ("tests",)).refusal(tmp_path)


def test_a_file_that_is_gone_is_refused(script, tmp_path):
    assert "no seqnets/gone.py" in script.Mutation("m", "seqnets/gone.py", "a", "b", ("tests",)).refusal(tmp_path)

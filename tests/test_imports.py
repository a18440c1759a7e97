"""Imports: downward only, lazy at the top, and none that change anything."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import seqnets


def test_imports_point_downward():
    pytest.importorskip("importlinter")
    linting = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        capture_output=True,
        text=True,
        cwd=seqnets.__path__[0] + "/..",
        timeout=120,
    )
    assert linting.returncode == 0, linting.stdout + linting.stderr


def test_importing_seqnets_is_quick_and_imports_no_jax():
    program = (
        "import sys, time; start = time.process_time(); import seqnets; took = time.process_time() - start\n"
        "heavy = {'jax', 'jaxlib', 'flax', 'numpy', 'rich', 'orbax'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert took < 0.05, took"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_importing_everything_changes_no_setting_of_jax():
    program = (
        "import os, jax, warnings, logging\n"
        "before = dict(jax.config.values), dict(os.environ), list(warnings.filters), logging.getLogger().handlers[:]\n"
        "import seqnets\n"
        "for name in seqnets.__all__: getattr(seqnets, name)\n"
        "after = dict(jax.config.values), dict(os.environ), list(warnings.filters), logging.getLogger().handlers[:]\n"
        "for a, b in zip(before, after): assert a == b, (a, b)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


PACKAGES = [
    "seqnets",
    *("seqnets." + name for name in ["data", "decode", "dream", "metrics", "models", "nn", "ops", "tasks", "train", "viz"]),
    "seqnets.weights",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_lists_exactly_what_it_has(package):
    module = import_module(package)
    assert dir(module) == sorted(module.__all__)
    assert len(dir(module)) > 1
    for name in dir(module):
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_hides_a_module_of_the_same_name(package):
    module, subpackages = import_module(package), PACKAGES[1:]
    files = {path.stem for path in Path(module.__path__[0]).glob("*.py")} | {name.rpartition(".")[2] for name in subpackages}
    shown = {name for name in dir(module) if f"{package}.{name}" not in subpackages}
    assert shown & files == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_is_listed(package):
    module = import_module(package)
    tree = ast.parse(Path(module.__path__[0], "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef)} | {"TASKS", "UserError", "__version__"}
    assert set(dir(module)) <= typed | defined


def test_an_unknown_name_is_an_attribute_error_that_lists_what_there_is():
    with pytest.raises(AttributeError, match=r"no attribute 'CharLn'; it has .*CharLM"):
        seqnets.CharLn  # noqa: B018


def test_names_of_the_docs_can_be_reached():
    text = "".join(path.read_text() for path in [Path("README.md"), *Path("docs").rglob("*.md")])
    found = set(re.findall(r"\bsn\.((?:[a-z]\w*\.)*\w+)", text))
    assert len(found) > 15
    for dotted in found:
        value = seqnets
        for name in dotted.split("."):
            value = getattr(value, name)

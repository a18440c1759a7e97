"""Imports: downward only, lazy at the top, and none that change anything."""

import subprocess
import sys
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


@pytest.mark.parametrize("name", seqnets.__all__)
def test_every_export_is_there(name):
    assert getattr(seqnets, name) is not None


def test_an_unknown_export_is_an_attribute_error_that_tells_what_there_is():
    with pytest.raises(AttributeError, match=r"no attribute 'CharLn'; it has .*CharLM"):
        seqnets.CharLn  # noqa: B018


def test_type_checkers_see_what_is_exported():
    visible = Path(seqnets.__path__[0], "__init__.py").read_text().partition("if TYPE_CHECKING:")[2].partition("__version__")[0]
    assert [name for name in seqnets.__all__ if name not in ("UserError", "__version__") and name not in visible] == []

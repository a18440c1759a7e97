"""A pytest plugin that writes down the modules of seqnets of which a function ran, one path per line (Python 3.12 or newer).

`python .ci/touched.py FOLDER` lists the modules that have functions and are in none of the files in that folder.
"""

import ast
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def pytest_configure():
    package, seen = f"{ROOT / 'seqnets'}{os.sep}", set()

    def started(code, _):
        if code.co_name != "<module>" and code.co_filename.startswith(package):
            seen.add(code.co_filename)
        return sys.monitoring.DISABLE  # once is enough

    monitoring, calls = sys.monitoring, sys.monitoring.events.PY_START
    monitoring.use_tool_id(monitoring.COVERAGE_ID, "touched")
    monitoring.register_callback(monitoring.COVERAGE_ID, calls, started)
    monitoring.set_events(monitoring.COVERAGE_ID, calls)
    _configured.append(seen)


_configured: list[set[str]] = []


def pytest_unconfigure():
    folder = Path(os.environ["SEQNETS_TOUCHED"])
    folder.mkdir(exist_ok=True)
    names = (str(Path(name).relative_to(ROOT)) for name in _configured.pop())
    (folder / str(os.getpid())).write_text("\n".join(sorted(names)))


def has_functions(path: Path) -> bool:
    """Return whether a module has a function that does something: those of a protocol only have a docstring."""
    functions = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef))
    return any(not _is_declaration(function) for function in functions)


def _is_declaration(function: ast.FunctionDef) -> bool:
    return all(
        isinstance(line, ast.Pass) or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in function.body
    )


if __name__ == "__main__":
    touched = {line for file in Path(sys.argv[1]).iterdir() for line in file.read_text().splitlines()}
    modules = {str(path.relative_to(ROOT)): path for path in (ROOT / "seqnets").rglob("*.py")}
    missed = sorted(name for name, path in modules.items() if name not in touched and has_functions(path))
    for name in missed:
        print(f"{name}: no test of .ci/third.txt runs it")
    sys.exit(bool(missed))

"""The API reference: a page for each public name, from its docstring.

Public is what `dir(seqnets)` lists, and `dir` of the modules among it. A name that several modules show has its page in the
innermost one; the others link to it. The build fails if a public name has no docstring or no page.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.inspect import stringify_signature
from sphinx.util.nodes import make_refnode

from plain_docstrings import to_rest

FOLDER = "reference/api"
_LOG = logging.getLogger(__name__)


@dataclass
class Entry:
    """A public object: its value, and its names from the innermost module outward."""

    value: Any
    names: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Where its page is."""
        return self.names[0]

    @property
    def directive(self) -> str:
        """What documents it; a value that is neither a class nor a function is `data`."""
        if inspect.isclass(self.value):
            return "autoexception" if issubclass(self.value, Exception) else "autoclass"
        return "autofunction" if inspect.isroutine(inspect.unwrap(self.value)) else "data"

    @property
    def docstring(self) -> str:
        """Its own docstring; that of a value stands below the assignment."""
        if self.directive == "data":
            return self._below_assignment()
        generated = f"{self.value.__name__}("  # what dataclasses and named tuples write by themselves
        return "" if (self.value.__doc__ or "").startswith(generated) else inspect.cleandoc(self.value.__doc__ or "")

    def _below_assignment(self) -> str:
        short = self.name.rpartition(".")[2]
        for name, module in sorted(sys.modules.items()):
            if name.startswith("seqnets.") and getattr(module, short, None) == self.value:
                comment = ModuleAnalyzer.for_module(name).find_attr_docs().get(("", short))
                if comment:
                    return "\n".join(comment).strip()
        return ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before the build and check them after it."""
    app.connect("builder-inited", _write)
    app.connect("missing-reference", _by_short_name)
    app.connect("autodoc-process-docstring", _translate, priority=100)
    app.connect("autodoc-process-signature", _sign)
    app.connect("env-check-consistency", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def public_modules(module: ModuleType) -> Iterator[ModuleType]:
    """Yield a module and the modules that its `dir` lists, down to the last."""
    yield module
    for name in dir(module):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            yield from public_modules(value)


def public_names(module: ModuleType) -> list[str]:
    """Return the names of a module that are not modules."""
    return [name for name in dir(module) if not isinstance(getattr(module, name), ModuleType) and not name.startswith("__")]


@cache
def entries() -> list[Entry]:
    """Return every public object once."""
    found: dict[object, Entry] = {}
    modules = sorted(public_modules(import_module("seqnets")), key=lambda module: -module.__name__.count("."))
    for module in modules:
        for name in public_names(module):
            value = getattr(module, name)
            key = (name, getattr(value, "__module__", None), getattr(value, "__qualname__", id(value)))
            found.setdefault(key, Entry(value)).names.append(f"{module.__name__}.{name}")
    return list(found.values())


def _write(app: Sphinx) -> None:
    """Write what has changed, so that a second build reads only that."""
    folder = Path(app.srcdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    texts = _texts()
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _texts() -> dict[str, str]:
    modules = list(public_modules(import_module("seqnets")))
    toctree = "\n".join(f"   {module.__name__}" for module in modules)
    return {
        "index.rst": f"{_title('The API')}\n.. toctree::\n   :maxdepth: 1\n\n{toctree}\n",
        **{f"{module.__name__}.rst": _module_page(module) for module in modules},
        **{f"{entry.name}.rst": _page(entry) for entry in entries()},
    }


def _page(entry: Entry) -> str:
    module, _, short = entry.name.rpartition(".")
    lines = [_title(short), f".. currentmodule:: {module}", ""]
    if entry.directive == "data":
        lines += [f".. py:data:: {short}", "", *_indented(to_rest(entry.docstring).splitlines()), ""]
        lines += ["   .. code-block:: text", "", *_indented(_indented(_shown(entry.value)))]
    else:
        lines += [f".. {entry.directive}:: {entry.name}"]
        options = [":members:", ":special-members: __call__", ":show-inheritance:"]
        lines += _indented(options) if inspect.isclass(entry.value) else []
    if entry.names[1:]:
        lines += ["", f"Also {' and '.join(f'``{name}``' for name in entry.names[1:])}."]
    return "\n".join(lines) + "\n"


def _module_page(module: ModuleType) -> str:
    shown = [_entry_of()[f"{module.__name__}.{name}"] for name in public_names(module)]
    own = [entry.name for entry in shown if entry.name.rpartition(".")[0] == module.__name__]
    lines = [_title(module.__name__), f".. automodule:: {module.__name__}", "   :no-members:", ""]
    lines += [".. list-table::", "   :widths: 30 70", ""]
    for entry in shown:
        summary = " ".join(to_rest(entry.docstring.partition("\n\n")[0]).split())
        lines += [f"   * - :doc:`{entry.name.rpartition('.')[2]} <{entry.name}>`", f"     - {summary}"]
    return "\n".join([*lines, "", ".. toctree::", "   :hidden:", "", *_indented(own), ""])


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"


def _indented(lines: list[str]) -> list[str]:
    return [f"   {line}" for line in lines]


def _shown(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key!r}: {getattr(item, '__name__', getattr(item, 'name', repr(item)))}" for key, item in value.items()]
    return [str(value)]


def _by_short_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Link a name in backticks, such as `LSTMCell` or `sn.load`, to its page wherever it is mentioned."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].removesuffix("()")
    entry = _entry_of().get(f"seqnets.{target[3:]}" if target.startswith("sn.") else target)
    if entry is None:
        return None
    return make_refnode(app.builder, node["refdoc"], f"{FOLDER}/{entry.name}", entry.name, content, entry.name)


@cache
def _entry_of() -> dict[str, Entry]:
    """Return the public objects by their names, in full and short."""
    found = {name: entry for entry in entries() for name in entry.names}
    return {name.rpartition(".")[2]: entry for name, entry in found.items()} | found


def _translate(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_rest("\n".join(lines)).split("\n")


def _sign(app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, result: str | None) -> Any:
    """Give a Flax module the arguments of its `__init__`; its metaclass hides them."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    called = inspect.signature(value.__init__)
    arguments = called.replace(parameters=list(called.parameters.values())[1:])
    return stringify_signature(arguments, show_annotation=False), result


def _check(app: Sphinx, env: BuildEnvironment) -> None:
    pages = {name: entry.docname for name, entry in env.domains["py"].data["objects"].items()}
    missing = [name for entry in entries() if pages.get(entry.name) != f"{FOLDER}/{entry.name}" for name in entry.names]
    silent = [entry.name for entry in entries() if not entry.docstring]
    if missing or silent:
        raise ExtensionError(f"public names without a page: {missing}; without a docstring: {silent}")
    names = sum(len(entry.names) for entry in entries())
    _LOG.info("API reference: all %d public names (%d objects) have a page", names, len(entries()))

"""Formulas as MathML, which browsers draw by themselves: no script, no font and no network."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{convert(_aligned(node.astext().strip()), display="block")}</div>')
    raise nodes.SkipNode


def _aligned(formula: str) -> str:
    """Give a formula of several lines the environment that LaTeX users expect around it."""
    return rf"\begin{{aligned}}{formula}\end{{aligned}}" if r"\\" in formula and r"\begin" not in formula else formula

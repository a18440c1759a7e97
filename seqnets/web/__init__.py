"""Pages of runs: one file that holds weights, code and data, and needs no server."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.web.documents import document as document
    from seqnets.web.material import held_out as held_out
    from seqnets.web.panels.captions import Shown as Shown
    from seqnets.web.panels.captions import captions_page as captions_page

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__, {"documents": ["document"], "material": ["held_out"], "panels.captions": ["Shown", "captions_page"]}
    )

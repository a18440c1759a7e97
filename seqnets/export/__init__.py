"""Floor 3: trained models as programs for other runtimes: StableHLO, ONNX, and plain arrays."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.export.folder import export_run as export_run
    from seqnets.export.programs import Program as Program
    from seqnets.export.programs import programs_of as programs_of

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(__name__, {"folder": ["export_run"], "programs": ["Program", "programs_of"]})

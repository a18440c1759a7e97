"""Looking inside a trained model: its surprise, its units, its memory, the flow of its gradients, its mistakes."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.inspect.expectation import Surprise as Surprise
    from seqnets.inspect.expectation import surprise as surprise
    from seqnets.inspect.flow import GradientFlow as GradientFlow
    from seqnets.inspect.flow import gradient_flow as gradient_flow
    from seqnets.inspect.influence import Memory as Memory
    from seqnets.inspect.influence import memory as memory
    from seqnets.inspect.judgments import Judgments as Judgments
    from seqnets.inspect.neurons import Detector as Detector
    from seqnets.inspect.neurons import detectors as detectors
    from seqnets.inspect.reading import Trace as Trace
    from seqnets.inspect.reading import trace as trace
    from seqnets.inspect.scanners import guess_language as guess_language
    from seqnets.inspect.scanners import scan as scan

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "expectation": ["Surprise", "surprise"],
            "flow": ["GradientFlow", "gradient_flow"],
            "influence": ["Memory", "memory"],
            "judgments": ["Judgments"],
            "neurons": ["Detector", "detectors"],
            "reading": ["Trace", "trace"],
            "scanners": ["guess_language", "scan"],
        },
    )

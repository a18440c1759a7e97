"""Looking inside trained models: of text, their surprise, units, memory, mistakes; of pictures, what they see and where."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.data.text.scanners import guess_language as guess_language
    from seqnets.data.text.scanners import scan as scan
    from seqnets.inspect.cutout import Segmentation as Segmentation
    from seqnets.inspect.cutout import grabcut as grabcut
    from seqnets.inspect.cutout import segmentation as segmentation
    from seqnets.inspect.expectation import Surprise as Surprise
    from seqnets.inspect.expectation import surprise as surprise
    from seqnets.inspect.flow import GradientFlow as GradientFlow
    from seqnets.inspect.flow import gradient_flow as gradient_flow
    from seqnets.inspect.gradients import Saliency as Saliency
    from seqnets.inspect.gradients import grad_cam as grad_cam
    from seqnets.inspect.gradients import saliency as saliency
    from seqnets.inspect.hiding import Occlusion as Occlusion
    from seqnets.inspect.hiding import occlusion as occlusion
    from seqnets.inspect.influence import Memory as Memory
    from seqnets.inspect.influence import memory as memory
    from seqnets.inspect.judgments import Judgments as Judgments
    from seqnets.inspect.kernels import activations as activations
    from seqnets.inspect.kernels import features as features
    from seqnets.inspect.kernels import filters as filters
    from seqnets.inspect.neighbors import Neighbors as Neighbors
    from seqnets.inspect.neighbors import nearest_neighbors as nearest_neighbors
    from seqnets.inspect.neurons import Detector as Detector
    from seqnets.inspect.neurons import detectors as detectors
    from seqnets.inspect.patches import Patch as Patch
    from seqnets.inspect.patches import receptive_field as receptive_field
    from seqnets.inspect.patches import strongest_patches as strongest_patches
    from seqnets.inspect.reading import Trace as Trace
    from seqnets.inspect.reading import trace as trace
    from seqnets.inspect.targets import Unit as Unit

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "cutout": ["Segmentation", "grabcut", "segmentation"],
            "expectation": ["Surprise", "surprise"],
            "flow": ["GradientFlow", "gradient_flow"],
            "gradients": ["Saliency", "grad_cam", "saliency"],
            "hiding": ["Occlusion", "occlusion"],
            "influence": ["Memory", "memory"],
            "judgments": ["Judgments"],
            "kernels": ["activations", "features", "filters"],
            "neighbors": ["Neighbors", "nearest_neighbors"],
            "neurons": ["Detector", "detectors"],
            "patches": ["Patch", "receptive_field", "strongest_patches"],
            "reading": ["Trace", "trace"],
            "seqnets.data.text.scanners": ["guess_language", "scan"],
            "targets": ["Unit"],
        },
    )

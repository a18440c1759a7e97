"""Pictures made by optimization: objectives that add, canvases, moves between the steps, one loop, and recipes of a few lines."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.dream.images import Canvas as Canvas
    from seqnets.dream.images import change_of as change_of
    from seqnets.dream.images import fourier as fourier
    from seqnets.dream.images import latent as latent
    from seqnets.dream.images import noise as noise
    from seqnets.dream.images import pixels as pixels
    from seqnets.dream.moves import Blur as Blur
    from seqnets.dream.moves import CenterBias as CenterBias
    from seqnets.dream.moves import Clip as Clip
    from seqnets.dream.moves import DropSmallGradients as DropSmallGradients
    from seqnets.dream.moves import DropSmallPixels as DropSmallPixels
    from seqnets.dream.moves import Jitter as Jitter
    from seqnets.dream.moves import Move as Move
    from seqnets.dream.moves import Scale as Scale
    from seqnets.dream.networks import network as network
    from seqnets.dream.objectives import Objective as Objective
    from seqnets.dream.objectives import channel as channel
    from seqnets.dream.objectives import features_like as features_like
    from seqnets.dream.objectives import gram as gram
    from seqnets.dream.objectives import gram_like as gram_like
    from seqnets.dream.objectives import layer_energy as layer_energy
    from seqnets.dream.objectives import log_probability as log_probability
    from seqnets.dream.objectives import logit as logit
    from seqnets.dream.objectives import norm as norm
    from seqnets.dream.objectives import total_variation as total_variation
    from seqnets.dream.objectives import unit as unit
    from seqnets.dream.optimize import Dream as Dream
    from seqnets.dream.optimize import fit_image as fit_image
    from seqnets.dream.optimize import watched as watched
    from seqnets.dream.recipes import class_visualization as class_visualization
    from seqnets.dream.recipes import deep_dream as deep_dream
    from seqnets.dream.recipes import difference as difference
    from seqnets.dream.recipes import dream_video as dream_video
    from seqnets.dream.recipes import facets as facets
    from seqnets.dream.recipes import fooling as fooling
    from seqnets.dream.recipes import inversion as inversion
    from seqnets.dream.recipes import latent_synthesis as latent_synthesis
    from seqnets.dream.recipes import style_distance as style_distance
    from seqnets.dream.recipes import style_targets as style_targets
    from seqnets.dream.recipes import style_transfer as style_transfer
    from seqnets.dream.recipes import texture as texture

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "images": ["Canvas", "change_of", "fourier", "latent", "noise", "pixels"],
            "moves": ["Blur", "CenterBias", "Clip", "DropSmallGradients", "DropSmallPixels", "Jitter", "Move", "Scale"],
            "networks": ["network"],
            "objectives": [
                *("Objective", "channel", "features_like", "gram", "gram_like", "layer_energy"),
                *("log_probability", "logit", "norm", "total_variation", "unit"),
            ],
            "optimize": ["Dream", "fit_image", "watched"],
            "recipes": [
                *("class_visualization", "deep_dream", "difference", "dream_video", "facets", "fooling", "inversion"),
                *("latent_synthesis", "style_distance", "style_targets", "style_transfer", "texture"),
            ],
        },
    )

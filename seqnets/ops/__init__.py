"""Pure functions on arrays. No parameters, no Flax, no files."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.ops.attention import additive_scores as additive_scores
    from seqnets.ops.attention import dot_scores as dot_scores
    from seqnets.ops.attention import masked_softmax as masked_softmax
    from seqnets.ops.attention import weighted_sum as weighted_sum
    from seqnets.ops.boxes import box_areas as box_areas
    from seqnets.ops.boxes import clip_boxes as clip_boxes
    from seqnets.ops.boxes import decode_boxes as decode_boxes
    from seqnets.ops.boxes import encode_boxes as encode_boxes
    from seqnets.ops.boxes import generalized_overlap as generalized_overlap
    from seqnets.ops.boxes import intersection_over_union as intersection_over_union
    from seqnets.ops.boxes import match as match
    from seqnets.ops.boxes import match_overlaps as match_overlaps
    from seqnets.ops.columns import conv2d_im2col as conv2d_im2col
    from seqnets.ops.columns import im2col as im2col
    from seqnets.ops.conv import add_bias as add_bias
    from seqnets.ops.conv import conv2d as conv2d
    from seqnets.ops.conv import conv_transpose2d as conv_transpose2d
    from seqnets.ops.conv import locally_connected2d as locally_connected2d
    from seqnets.ops.derivatives import differentiable as differentiable
    from seqnets.ops.glimpses import Window as Window
    from seqnets.ops.glimpses import divergence_from_normal as divergence_from_normal
    from seqnets.ops.glimpses import gaussian_window as gaussian_window
    from seqnets.ops.glimpses import read_window as read_window
    from seqnets.ops.glimpses import retina as retina
    from seqnets.ops.glimpses import write_window as write_window
    from seqnets.ops.linear import affine as affine
    from seqnets.ops.linear import layer_norm as layer_norm
    from seqnets.ops.local_response import local_response_norm as local_response_norm
    from seqnets.ops.lookup import take_rows as take_rows
    from seqnets.ops.maxima import largest as largest
    from seqnets.ops.over_time import Backend as Backend
    from seqnets.ops.over_time import sequence as sequence
    from seqnets.ops.pool import adaptive_average_pool as adaptive_average_pool
    from seqnets.ops.pool import average_pool as average_pool
    from seqnets.ops.pool import global_average_pool as global_average_pool
    from seqnets.ops.pool import global_max_pool as global_max_pool
    from seqnets.ops.pool import max_pool as max_pool
    from seqnets.ops.pool import max_pool_with_indices as max_pool_with_indices
    from seqnets.ops.pool import unpool_bed_of_nails as unpool_bed_of_nails
    from seqnets.ops.pool import unpool_by_indices as unpool_by_indices
    from seqnets.ops.pool import unpool_nearest as unpool_nearest
    from seqnets.ops.recurrent import GRU as GRU
    from seqnets.ops.recurrent import LSTM as LSTM
    from seqnets.ops.recurrent import MIN_GRU as MIN_GRU
    from seqnets.ops.recurrent import MIN_LSTM as MIN_LSTM
    from seqnets.ops.recurrent import VANILLA as VANILLA
    from seqnets.ops.recurrent import LSTMState as LSTMState
    from seqnets.ops.recurrent import Recurrence as Recurrence
    from seqnets.ops.recurrent import RecurrentWeights as RecurrentWeights
    from seqnets.ops.recurrent import highway as highway
    from seqnets.ops.regions import position_sensitive_align as position_sensitive_align
    from seqnets.ops.regions import position_sensitive_pool as position_sensitive_pool
    from seqnets.ops.regions import region_align as region_align
    from seqnets.ops.regions import region_max_pool as region_max_pool
    from seqnets.ops.regions import region_pyramid as region_pyramid
    from seqnets.ops.regions import warp_regions as warp_regions
    from seqnets.ops.suppression import Kept as Kept
    from seqnets.ops.suppression import suppress as suppress

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "attention": ["additive_scores", "dot_scores", "masked_softmax", "weighted_sum"],
            "boxes": [
                "box_areas",
                "clip_boxes",
                "decode_boxes",
                "encode_boxes",
                "generalized_overlap",
                "intersection_over_union",
                "match",
                "match_overlaps",
            ],
            "glimpses": [
                "Window",
                "divergence_from_normal",
                "gaussian_window",
                "read_window",
                "retina",
                "write_window",
            ],
            "regions": [
                "position_sensitive_align",
                "position_sensitive_pool",
                "region_align",
                "region_max_pool",
                "region_pyramid",
                "warp_regions",
            ],
            "suppression": ["Kept", "suppress"],
            "conv": ["add_bias", "conv2d", "conv_transpose2d", "locally_connected2d"],
            "derivatives": ["differentiable"],
            "columns": ["conv2d_im2col", "im2col"],
            "maxima": ["largest"],
            "linear": ["affine", "layer_norm"],
            "local_response": ["local_response_norm"],
            "lookup": ["take_rows"],
            "pool": [
                "adaptive_average_pool",
                "average_pool",
                "global_average_pool",
                "global_max_pool",
                "max_pool",
                "max_pool_with_indices",
                "unpool_bed_of_nails",
                "unpool_by_indices",
                "unpool_nearest",
            ],
            "recurrent": [
                "GRU",
                "LSTM",
                "MIN_GRU",
                "MIN_LSTM",
                "VANILLA",
                "LSTMState",
                "Recurrence",
                "RecurrentWeights",
                "highway",
            ],
            "over_time": ["Backend", "sequence"],
        },
    )

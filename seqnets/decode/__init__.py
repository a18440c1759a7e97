"""Floor 3: sequences out of trained models: sampling, beam search, scoring."""

from seqnets.decode.beam import Continuation, beam_search
from seqnets.decode.dynamic import DynamicConfig, dynamic_score
from seqnets.decode.sampling import SamplingConfig, sample, sample_many, stream, stream_many
from seqnets.decode.scoring import Score, score

__all__ = [
    "Continuation",
    "DynamicConfig",
    "SamplingConfig",
    "Score",
    "beam_search",
    "dynamic_score",
    "sample",
    "sample_many",
    "score",
    "stream",
    "stream_many",
]

"""Floor 3: sequences out of trained models: sampling, beam search, scoring."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.decode.answers import Answer, answer_questions
    from seqnets.decode.captions.config import CaptionConfig
    from seqnets.decode.captions.decoding import decode_captions
    from seqnets.decode.captions.hypothesis import Caption
    from seqnets.decode.captions.images import caption, caption_images
    from seqnets.decode.classification import Guess, classify
    from seqnets.decode.extraction import extract_features
    from seqnets.decode.step_labels import label_sequences
    from seqnets.decode.text.beam import Continuation, beam_search
    from seqnets.decode.text.dynamic import DynamicConfig, dynamic_score
    from seqnets.decode.text.sampling import SamplingConfig, sample, sample_many, stream, stream_many
    from seqnets.decode.text.scoring import Score, score
    from seqnets.decode.text_classes import Classified, classify_texts
    from seqnets.decode.translation import translate

__all__ = [
    "Answer",
    "Caption",
    "CaptionConfig",
    "Classified",
    "Continuation",
    "DynamicConfig",
    "Guess",
    "SamplingConfig",
    "Score",
    "answer_questions",
    "beam_search",
    "caption",
    "caption_images",
    "classify",
    "classify_texts",
    "decode_captions",
    "dynamic_score",
    "extract_features",
    "label_sequences",
    "sample",
    "sample_many",
    "score",
    "stream",
    "stream_many",
    "translate",
]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "answers": ["Answer", "answer_questions"],
        "captions.config": ["CaptionConfig"],
        "captions.decoding": ["decode_captions"],
        "captions.hypothesis": ["Caption"],
        "captions.images": ["caption", "caption_images"],
        "classification": ["Guess", "classify"],
        "extraction": ["extract_features"],
        "step_labels": ["label_sequences"],
        "text.beam": ["Continuation", "beam_search"],
        "text.dynamic": ["DynamicConfig", "dynamic_score"],
        "text.sampling": ["SamplingConfig", "sample", "sample_many", "stream", "stream_many"],
        "text.scoring": ["Score", "score"],
        "text_classes": ["Classified", "classify_texts"],
        "translation": ["translate"],
    },
)

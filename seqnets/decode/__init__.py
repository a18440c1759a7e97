"""Sequences from trained models: sampling, beam search, scoring."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.decode.answers import Answer as Answer
    from seqnets.decode.answers import answer_questions as answer_questions
    from seqnets.decode.captions.config import CaptionConfig as CaptionConfig
    from seqnets.decode.captions.decoding import decode_captions as decode_captions
    from seqnets.decode.captions.hypothesis import Caption as Caption
    from seqnets.decode.captions.images import caption as caption
    from seqnets.decode.captions.images import caption_images as caption_images
    from seqnets.decode.classification import Guess as Guess
    from seqnets.decode.classification import classify as classify
    from seqnets.decode.detection import Found as Found
    from seqnets.decode.detection import Thing as Thing
    from seqnets.decode.detection import detect as detect
    from seqnets.decode.drawings import Drawn as Drawn
    from seqnets.decode.drawings import draw as draw
    from seqnets.decode.drawings import redraw as redraw
    from seqnets.decode.extraction import extract_features as extract_features
    from seqnets.decode.glances import Glance as Glance
    from seqnets.decode.glances import glance as glance
    from seqnets.decode.localization import Place as Place
    from seqnets.decode.localization import locate as locate
    from seqnets.decode.segmentation import Segments as Segments
    from seqnets.decode.segmentation import segment as segment
    from seqnets.decode.step_labels import label_sequences as label_sequences
    from seqnets.decode.text.beam import Continuation as Continuation
    from seqnets.decode.text.beam import beam_search as beam_search
    from seqnets.decode.text.config import SamplingConfig as SamplingConfig
    from seqnets.decode.text.dynamic import DynamicConfig as DynamicConfig
    from seqnets.decode.text.dynamic import dynamic_score as dynamic_score
    from seqnets.decode.text.items import Draws as Draws
    from seqnets.decode.text.items import draw_items as draw_items
    from seqnets.decode.text.sampling import sample as sample
    from seqnets.decode.text.sampling import sample_many as sample_many
    from seqnets.decode.text.sampling import stream as stream
    from seqnets.decode.text.sampling import stream_many as stream_many
    from seqnets.decode.text.scoring import Score as Score
    from seqnets.decode.text.scoring import score as score
    from seqnets.decode.text_classes import Classified as Classified
    from seqnets.decode.text_classes import classify_texts as classify_texts
    from seqnets.decode.translation import translate as translate

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "answers": ["Answer", "answer_questions"],
            "captions.config": ["CaptionConfig"],
            "captions.decoding": ["decode_captions"],
            "captions.hypothesis": ["Caption"],
            "captions.images": ["caption", "caption_images"],
            "classification": ["Guess", "classify"],
            "detection": ["Found", "Thing", "detect"],
            "drawings": ["Drawn", "draw", "redraw"],
            "extraction": ["extract_features"],
            "glances": ["Glance", "glance"],
            "localization": ["Place", "locate"],
            "segmentation": ["Segments", "segment"],
            "step_labels": ["label_sequences"],
            "text.beam": ["Continuation", "beam_search"],
            "text.dynamic": ["DynamicConfig", "dynamic_score"],
            "text.items": ["Draws", "draw_items"],
            "text.sampling": ["sample", "sample_many", "stream", "stream_many"],
            "text.config": ["SamplingConfig"],
            "text.scoring": ["Score", "score"],
            "text_classes": ["Classified", "classify_texts"],
            "translation": ["translate"],
        },
    )

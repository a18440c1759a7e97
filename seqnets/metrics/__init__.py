"""Metrics of captions, classification, detection, segmentation and pose, and of embeddings. NumPy only, but for t-SNE."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.metrics.average_precision import coco_curves as coco_curves
    from seqnets.metrics.average_precision import coco_figures as coco_figures
    from seqnets.metrics.average_precision import voc_average_precision as voc_average_precision
    from seqnets.metrics.bleu_score import bleu as bleu
    from seqnets.metrics.cider_score import CiderReward as CiderReward
    from seqnets.metrics.cider_score import cider as cider
    from seqnets.metrics.classification import accuracy as accuracy
    from seqnets.metrics.classification import confusion as confusion
    from seqnets.metrics.classification import macro_f1 as macro_f1
    from seqnets.metrics.coco_detections import score_detections as score_detections
    from seqnets.metrics.detections import Detections as Detections
    from seqnets.metrics.detections import Truths as Truths
    from seqnets.metrics.embedding import joint_probabilities as joint_probabilities
    from seqnets.metrics.embedding import principal_components as principal_components
    from seqnets.metrics.embedding import trustworthiness as trustworthiness
    from seqnets.metrics.embedding import tsne as tsne
    from seqnets.metrics.phrases import PhrasedDetections as PhrasedDetections
    from seqnets.metrics.phrases import PhrasedTruths as PhrasedTruths
    from seqnets.metrics.phrases import phrase_figures as phrase_figures
    from seqnets.metrics.pose import right_joints as right_joints
    from seqnets.metrics.pose import right_limbs as right_limbs
    from seqnets.metrics.references import Comparison as Comparison
    from seqnets.metrics.references import References as References
    from seqnets.metrics.rouge import rouge_l as rouge_l
    from seqnets.metrics.scorer import METRICS as METRICS
    from seqnets.metrics.scorer import CaptionScores as CaptionScores
    from seqnets.metrics.scorer import Scorer as Scorer
    from seqnets.metrics.segmentation import class_overlaps as class_overlaps
    from seqnets.metrics.segmentation import mean_overlap as mean_overlap
    from seqnets.metrics.tokenizer import caption_characters as caption_characters
    from seqnets.metrics.tokenizer import caption_words as caption_words
    from seqnets.metrics.tokenizer import treebank_tokens as treebank_tokens
    from seqnets.metrics.tokenizer import words_for as words_for
    from seqnets.metrics.well_formedness import WellFormed as WellFormed
    from seqnets.metrics.well_formedness import well_formed as well_formed

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "average_precision": ["coco_curves", "coco_figures", "voc_average_precision"],
            "coco_detections": ["score_detections"],
            "detections": ["Detections", "Truths"],
            "embedding": ["joint_probabilities", "principal_components", "trustworthiness", "tsne"],
            "phrases": ["PhrasedDetections", "PhrasedTruths", "phrase_figures"],
            "pose": ["right_joints", "right_limbs"],
            "segmentation": ["class_overlaps", "mean_overlap"],
            "bleu_score": ["bleu"],
            "cider_score": ["CiderReward", "cider"],
            "classification": ["accuracy", "confusion", "macro_f1"],
            "references": ["Comparison", "References"],
            "rouge": ["rouge_l"],
            "scorer": ["METRICS", "CaptionScores", "Scorer"],
            "tokenizer": ["caption_characters", "caption_words", "treebank_tokens", "words_for"],
            "well_formedness": ["WellFormed", "well_formed"],
        },
    )

"""Floor 3: how good a caption is. NumPy only."""

from seqnets.metrics.bleu import bleu
from seqnets.metrics.cider import CiderReward, cider
from seqnets.metrics.references import Comparison, References
from seqnets.metrics.rouge import rouge_l
from seqnets.metrics.scorer import METRICS, CaptionScores, Scorer
from seqnets.metrics.tokenizer import caption_characters, caption_words, treebank_tokens, words_for

__all__ = [
    "METRICS",
    "CaptionScores",
    "CiderReward",
    "Comparison",
    "References",
    "Scorer",
    "bleu",
    "caption_characters",
    "caption_words",
    "cider",
    "rouge_l",
    "treebank_tokens",
    "words_for",
]

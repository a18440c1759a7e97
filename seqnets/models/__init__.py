"""Floor 2: whole networks made of `seqnets.nn` and `seqnets.ops`, imported when first used."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.models.captioner import Captioner, CaptionerConfig
    from seqnets.models.char_lm import CharLM, CharLMConfig
    from seqnets.models.classifier import ClassifierConfig, make_classifier
    from seqnets.models.patterned import pattern_network
    from seqnets.models.registry import abstract_model, create_model, model_names
    from seqnets.models.sequence.labeller import FrameScale, Labeller
    from seqnets.models.sequence.recurrent import RecurrentConfig
    from seqnets.models.sequence.text_classifier import TextClassifier, TextClassifierConfig
    from seqnets.models.sequence.translator import Translator, TranslatorConfig
    from seqnets.models.sequence.vqa import VQA, VQAConfig
    from seqnets.models.summary import summarize

__all__ = [
    "Captioner",
    "CaptionerConfig",
    "CharLM",
    "CharLMConfig",
    "ClassifierConfig",
    "FrameScale",
    "Labeller",
    "RecurrentConfig",
    "TextClassifier",
    "TextClassifierConfig",
    "Translator",
    "TranslatorConfig",
    "VQA",
    "VQAConfig",
    "abstract_model",
    "create_model",
    "make_classifier",
    "model_names",
    "pattern_network",
    "summarize",
]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "captioner": ("Captioner", "CaptionerConfig"),
        "char_lm": ("CharLM", "CharLMConfig"),
        "classifier": ("ClassifierConfig", "make_classifier"),
        "patterned": ("pattern_network",),
        "registry": ("abstract_model", "create_model", "model_names"),
        "sequence.labeller": ("FrameScale", "Labeller"),
        "sequence.recurrent": ("RecurrentConfig",),
        "sequence.text_classifier": ("TextClassifier", "TextClassifierConfig"),
        "sequence.translator": ("Translator", "TranslatorConfig"),
        "sequence.vqa": ("VQA", "VQAConfig"),
        "summary": ("summarize",),
    },
)

"""Whole networks made of `seqnets.nn` and `seqnets.ops`, imported when first used."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.models.captioner import Captioner as Captioner
    from seqnets.models.captioner import CaptionerConfig as CaptionerConfig
    from seqnets.models.char_lm import CharLM as CharLM
    from seqnets.models.char_lm import CharLMConfig as CharLMConfig
    from seqnets.models.classifier import ClassifierConfig as ClassifierConfig
    from seqnets.models.classifier import make_classifier as make_classifier
    from seqnets.models.dense.localizer import Localizer as Localizer
    from seqnets.models.dense.localizer import LocalizerConfig as LocalizerConfig
    from seqnets.models.dense.segmenter import Segmenter as Segmenter
    from seqnets.models.dense.segmenter import SegmenterConfig as SegmenterConfig
    from seqnets.models.detector.describer import RegionDescriber as RegionDescriber
    from seqnets.models.detector.detector import Detector as Detector
    from seqnets.models.detector.detector import DetectorConfig as DetectorConfig
    from seqnets.models.detector.region_detector import RegionDetector as RegionDetector
    from seqnets.models.glimpse.drawer import Drawer as Drawer
    from seqnets.models.glimpse.drawer import DrawerConfig as DrawerConfig
    from seqnets.models.glimpse.glancer import Glancer as Glancer
    from seqnets.models.glimpse.glancer import GlancerConfig as GlancerConfig
    from seqnets.models.growth import grown as grown
    from seqnets.models.pattern import pattern_network as pattern_network
    from seqnets.models.registry import abstract_model as abstract_model
    from seqnets.models.registry import create_model as create_model
    from seqnets.models.registry import model_names as model_names
    from seqnets.models.rewiring import rewired as rewired
    from seqnets.models.sequence.modules import ModuleVQA as ModuleVQA
    from seqnets.models.sequence.recurrent import RecurrentConfig as RecurrentConfig
    from seqnets.models.sequence.tagger import FrameScale as FrameScale
    from seqnets.models.sequence.tagger import Tagger as Tagger
    from seqnets.models.sequence.text_classifier import TextClassifier as TextClassifier
    from seqnets.models.sequence.text_classifier import TextClassifierConfig as TextClassifierConfig
    from seqnets.models.sequence.translator import Translator as Translator
    from seqnets.models.sequence.translator import TranslatorConfig as TranslatorConfig
    from seqnets.models.sequence.tree_classifier import TreeClassifier as TreeClassifier
    from seqnets.models.sequence.tree_classifier import TreeClassifierConfig as TreeClassifierConfig
    from seqnets.models.sequence.vqa import VQA as VQA
    from seqnets.models.sequence.vqa import VQAConfig as VQAConfig
    from seqnets.models.stylizer import Stylizer as Stylizer
    from seqnets.models.stylizer import StylizerConfig as StylizerConfig
    from seqnets.models.stylizer import stylized as stylized
    from seqnets.models.summary import summarize as summarize
    from seqnets.models.taps import Taps as Taps
    from seqnets.models.taps import layer_names as layer_names

# the kinds of model in config.json of a run folder, and where `from_description(description, vocabulary)` makes one of each
KINDS = {
    "Captioner": "captioner",
    "CharLM": "char_lm",
    "Classifier": "classifier",
    "Detector": "detector.detector",
    "RegionDetector": "detector.region_detector",
    "Drawer": "glimpse.drawer",
    "Glancer": "glimpse.glancer",
    "RegionDescriber": "detector.describer",
    "Localizer": "dense.localizer",
    "ModuleVQA": "sequence.modules",
    "Segmenter": "dense.segmenter",
    "Stylizer": "stylizer",
    "Tagger": "sequence.tagger",
    "TextClassifier": "sequence.text_classifier",
    "Translator": "sequence.translator",
    "TreeClassifier": "sequence.tree_classifier",
    "VQA": "sequence.vqa",
}

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "captioner": ["Captioner", "CaptionerConfig"],
            "char_lm": ["CharLM", "CharLMConfig"],
            "classifier": ["ClassifierConfig", "make_classifier"],
            "dense.localizer": ["Localizer", "LocalizerConfig"],
            "dense.segmenter": ["Segmenter", "SegmenterConfig"],
            "detector.describer": ["RegionDescriber"],
            "detector.detector": ["Detector", "DetectorConfig"],
            "detector.region_detector": ["RegionDetector"],
            "glimpse.drawer": ["Drawer", "DrawerConfig"],
            "glimpse.glancer": ["Glancer", "GlancerConfig"],
            "growth": ["grown"],
            "pattern": ["pattern_network"],
            "registry": ["abstract_model", "create_model", "model_names"],
            "rewiring": ["rewired"],
            "sequence.modules": ["ModuleVQA"],
            "sequence.tagger": ["FrameScale", "Tagger"],
            "sequence.recurrent": ["RecurrentConfig"],
            "sequence.text_classifier": ["TextClassifier", "TextClassifierConfig"],
            "sequence.translator": ["Translator", "TranslatorConfig"],
            "sequence.tree_classifier": ["TreeClassifier", "TreeClassifierConfig"],
            "sequence.vqa": ["VQA", "VQAConfig"],
            "stylizer": ["Stylizer", "StylizerConfig", "stylized"],
            "summary": ["summarize"],
            "taps": ["Taps", "layer_names"],
        },
    )

"""seqnets: recurrent layers, character language models and image captioning in JAX.

Everything here is imported when it is first used, so that `import seqnets` is fast.

Example:
    >>> import seqnets as sn
    >>> sn.TrainConfig(steps=100).steps
    100
"""

from typing import TYPE_CHECKING

from seqnets.errors import UserError as UserError
from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets import data as data
    from seqnets import decode as decode
    from seqnets import dream as dream
    from seqnets import export as export
    from seqnets import inspect as inspect
    from seqnets import metrics as metrics
    from seqnets import models as models
    from seqnets import nn as nn
    from seqnets import ops as ops
    from seqnets import tasks as tasks
    from seqnets import train as train
    from seqnets import viz as viz
    from seqnets import web as web
    from seqnets import weights as weights
    from seqnets.data import Corpus as Corpus
    from seqnets.data import FeatureStore as FeatureStore
    from seqnets.data import Preprocessing as Preprocessing
    from seqnets.data import TextConfig as TextConfig
    from seqnets.data import Vocabulary as Vocabulary
    from seqnets.data import read_captions as read_captions
    from seqnets.data import read_images as read_images
    from seqnets.data import read_text as read_text
    from seqnets.decode import Caption as Caption
    from seqnets.decode import answer_questions as answer_questions
    from seqnets.decode import beam_search as beam_search
    from seqnets.decode import caption as caption
    from seqnets.decode import classify as classify
    from seqnets.decode import classify_texts as classify_texts
    from seqnets.decode import decode_captions as decode_captions
    from seqnets.decode import extract_features as extract_features
    from seqnets.decode import label_sequences as label_sequences
    from seqnets.decode import sample as sample
    from seqnets.decode import score as score
    from seqnets.decode import stream as stream
    from seqnets.decode import translate as translate
    from seqnets.export import export_run as export_run
    from seqnets.models import VQA as VQA
    from seqnets.models import Captioner as Captioner
    from seqnets.models import CaptionerConfig as CaptionerConfig
    from seqnets.models import CharLM as CharLM
    from seqnets.models import CharLMConfig as CharLMConfig
    from seqnets.models import ClassifierConfig as ClassifierConfig
    from seqnets.models import Stylizer as Stylizer
    from seqnets.models import Tagger as Tagger
    from seqnets.models import TextClassifier as TextClassifier
    from seqnets.models import Translator as Translator
    from seqnets.models import create_model as create_model
    from seqnets.models import make_classifier as make_classifier
    from seqnets.models import model_names as model_names
    from seqnets.models import stylized as stylized
    from seqnets.run import Run as Run
    from seqnets.run import load as load
    from seqnets.tasks import CaptionerTask as CaptionerTask
    from seqnets.tasks import CharLMTask as CharLMTask
    from seqnets.tasks import ClassifierTask as ClassifierTask
    from seqnets.tasks import StylizerTask as StylizerTask
    from seqnets.tasks import TaggerTask as TaggerTask
    from seqnets.tasks import TextClassifierTask as TextClassifierTask
    from seqnets.tasks import TranslatorTask as TranslatorTask
    from seqnets.tasks import VQATask as VQATask
    from seqnets.train import TrainConfig as TrainConfig
    from seqnets.train import fit as fit
    from seqnets.train import save_run as save_run

__version__ = "0.1.0"

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "data": [
                "Corpus",
                "FeatureStore",
                "Preprocessing",
                "TextConfig",
                "Vocabulary",
                "read_captions",
                "read_images",
                "read_text",
            ],
            "decode": [
                "Caption",
                "answer_questions",
                "beam_search",
                "caption",
                "classify",
                "classify_texts",
                "decode_captions",
                "extract_features",
                "label_sequences",
                "sample",
                "score",
                "stream",
                "translate",
            ],
            "export": ["export_run"],
            "models": [
                "VQA",
                "Captioner",
                "CaptionerConfig",
                "CharLM",
                "CharLMConfig",
                "ClassifierConfig",
                "Stylizer",
                "Tagger",
                "TextClassifier",
                "Translator",
                "create_model",
                "make_classifier",
                "model_names",
                "stylized",
            ],
            "run": ["Run", "load"],
            "tasks": [
                "CaptionerTask",
                "CharLMTask",
                "ClassifierTask",
                "StylizerTask",
                "TaggerTask",
                "TextClassifierTask",
                "TranslatorTask",
                "VQATask",
            ],
            "train": ["TrainConfig", "fit", "save_run"],
        },
        packages=[
            "data",
            "decode",
            "dream",
            "export",
            "inspect",
            "metrics",
            "models",
            "nn",
            "ops",
            "tasks",
            "train",
            "viz",
            "web",
            "weights",
        ],
        own=["UserError", "__version__"],
    )

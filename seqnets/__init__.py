"""seqnets: recurrent layers, character language models and image captioning in JAX.

Everything here is imported when it is first used, so that `import seqnets` costs nothing.

Example:
    >>> import seqnets as sn
    >>> sn.TrainConfig(steps=100).steps
    100
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seqnets.errors import UserError

if TYPE_CHECKING:
    from seqnets import data, decode, metrics, models, nn, ops, tasks, train, viz, weights
    from seqnets.data import Corpus, FeatureStore, Preprocessing, TextConfig, Vocabulary, read_images, read_text
    from seqnets.decode import Caption, beam_search, caption, classify, decode_captions, extract_features, sample, score, stream
    from seqnets.models import (
        Captioner,
        CaptionerConfig,
        CharLM,
        CharLMConfig,
        ClassifierConfig,
        create_model,
        make_classifier,
        model_names,
    )
    from seqnets.run import Run, load
    from seqnets.tasks import CaptionerTask, CharLMTask, ClassifierTask
    from seqnets.train import TrainConfig, fit

__version__ = "0.1.0"

__all__ = [
    "Caption",
    "Captioner",
    "CaptionerConfig",
    "CaptionerTask",
    "CharLM",
    "CharLMConfig",
    "CharLMTask",
    "ClassifierConfig",
    "ClassifierTask",
    "Corpus",
    "FeatureStore",
    "Preprocessing",
    "Run",
    "TextConfig",
    "TrainConfig",
    "UserError",
    "Vocabulary",
    "__version__",
    "beam_search",
    "caption",
    "classify",
    "create_model",
    "data",
    "decode",
    "decode_captions",
    "extract_features",
    "fit",
    "load",
    "make_classifier",
    "model_names",
    "metrics",
    "models",
    "nn",
    "ops",
    "read_images",
    "read_text",
    "sample",
    "score",
    "stream",
    "tasks",
    "train",
    "viz",
    "weights",
]

_HOMES = {
    "seqnets.data": ("Corpus", "FeatureStore", "Preprocessing", "TextConfig", "Vocabulary", "read_images", "read_text"),
    "seqnets.decode": (
        "Caption",
        "beam_search",
        "caption",
        "classify",
        "decode_captions",
        "extract_features",
        "sample",
        "score",
        "stream",
    ),
    "seqnets.models": (
        "Captioner",
        "CaptionerConfig",
        "CharLM",
        "CharLMConfig",
        "ClassifierConfig",
        "create_model",
        "make_classifier",
        "model_names",
    ),
    "seqnets.run": ("Run", "load"),
    "seqnets.tasks": ("CaptionerTask", "CharLMTask", "ClassifierTask"),
    "seqnets.train": ("TrainConfig", "fit"),
}
_EXPORTS = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    if name in __all__:
        return import_module(f"seqnets.{name}")
    raise AttributeError(f"module 'seqnets' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)

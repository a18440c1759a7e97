"""Floor 3: one loop trains every task."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqnets.train.caption_config import CaptionLearning
    from seqnets.train.captioner_task import CaptionerTask
    from seqnets.train.classifier_task import ClassifierTask
    from seqnets.train.config import TrainConfig
    from seqnets.train.labeller_task import LabellerTask
    from seqnets.train.loop import Diverged, fit
    from seqnets.train.signals import Interrupted
    from seqnets.train.task import BatchSource, Task
    from seqnets.train.text_classifier_task import TextClassifierTask
    from seqnets.train.text_task import CharLMTask
    from seqnets.train.translator_task import TranslatorTask
    from seqnets.train.vqa_task import VQATask

__all__ = [
    "BatchSource",
    "CaptionLearning",
    "CaptionerTask",
    "CharLMTask",
    "ClassifierTask",
    "Diverged",
    "Interrupted",
    "LabellerTask",
    "Task",
    "TextClassifierTask",
    "TrainConfig",
    "TranslatorTask",
    "VQATask",
    "fit",
]

_HOMES = {
    "BatchSource": "task",
    "CaptionLearning": "caption_config",
    "CaptionerTask": "captioner_task",
    "CharLMTask": "text_task",
    "ClassifierTask": "classifier_task",
    "Diverged": "loop",
    "Interrupted": "signals",
    "LabellerTask": "labeller_task",
    "Task": "task",
    "TextClassifierTask": "text_classifier_task",
    "TrainConfig": "config",
    "TranslatorTask": "translator_task",
    "VQATask": "vqa_task",
    "fit": "loop",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"seqnets.train.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'seqnets.train' has no attribute {name!r}; it has {', '.join(__all__)}")

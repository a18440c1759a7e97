"""A small model of every kind that a run folder holds, and the JSON of its vocabulary."""

from flax import nnx

import seqnets as sn
from seqnets.data.words.kinds import vocabulary_from_json
from seqnets.models.classifier_config import ClassifierConfig

CHARS = {"kind": "chars", "characters": "abc"}
WORDS = {"kind": "words", "words": ["a", "dog"], "punctuation": True}
TOKENS = {"kind": "tokens", "tokens": ["a", "b"]}


def _char_lm():
    model = sn.CharLM(vocabulary_from_json(CHARS), hidden_features=4, embedding_features=3, rngs=nnx.Rngs(0))
    return model, CHARS


def _captioner():
    from seqnets.models.captioner import Captioner, CaptionerConfig

    config = CaptionerConfig(encoder="features", feature_map=(2, 2, 3), hidden_features=4, embedding_features=3)
    return Captioner(vocabulary_from_json(WORDS), config, rngs=nnx.Rngs(0)), WORDS


def _sequence(name, vocabulary, *words, **settings):
    from importlib import import_module

    module = import_module(f"seqnets.models.sequence.{name.lower().replace('textc', 'text_c')}")
    config = {"TextClassifier": "TextClassifierConfig", "Translator": "TranslatorConfig", "VQA": "VQAConfig"}
    kind = getattr(import_module("seqnets.models.sequence.config"), config.get(name, "RecurrentConfig"))
    sizes = kind(hidden_features=4, embedding_features=3, **settings)
    return getattr(module, name)(*words, sizes, rngs=nnx.Rngs(0)), vocabulary


def _classifier():
    from seqnets.models.classifier import make_classifier

    model = make_classifier(ClassifierConfig("lenet5"), ["odd", "even"], None, in_channels=1, rngs=nnx.Rngs(0))
    return model, None


def _stylizer():
    from seqnets.models.stylizer import Stylizer, StylizerConfig

    return Stylizer(
        StylizerConfig(widths=(2, 2, 2), residual_blocks=1, expansion=(2, 2)), ["waves", "dots"], rngs=nnx.Rngs(0)
    ), None


MODELS = {
    "CharLM": _char_lm,
    "Captioner": _captioner,
    "Classifier": _classifier,
    "Stylizer": _stylizer,
    "Tagger": lambda: _sequence("Tagger", TOKENS, vocabulary_from_json(TOKENS), ("x", "y")),
    "TextClassifier": lambda: _sequence("TextClassifier", WORDS, vocabulary_from_json(WORDS), ("x", "y")),
    "Translator": lambda: _sequence("Translator", WORDS, *[vocabulary_from_json(WORDS)] * 2),
    "VQA": lambda: _sequence("VQA", WORDS, vocabulary_from_json(WORDS), ("x", "y"), image_size=16, encoder_width=2),
}

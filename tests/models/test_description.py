"""config.json of a run made by hand, by mistake or by malice: one sentence, soon."""

import contextlib
import dataclasses
import json
import time

import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.words.kinds import vocabulary_from_json
from seqnets.errors import UserError
from seqnets.models.classifier_config import ClassifierConfig
from seqnets.run import CONFIG, VOCABULARY, WEIGHTS, load, write_weights

CHARS = {"kind": "chars", "characters": "abc"}
WORDS = {"kind": "words", "words": ["a", "dog"], "punctuation": True}
TOKENS = {"kind": "tokens", "tokens": ["a", "b"]}


def _char_lm():
    model = sn.CharLM(vocabulary_from_json(CHARS), hidden_features=4, embedding_features=3, rngs=nnx.Rngs(0))
    model.describe = lambda: {"kind": "CharLM", "config": dataclasses.asdict(model.config)}
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
    from seqnets.models.classifier import describe, make_classifier

    model = make_classifier(ClassifierConfig("lenet5"), ["odd", "even"], None, in_channels=1, rngs=nnx.Rngs(0))
    model.describe = lambda: describe(model, ClassifierConfig("lenet5"))
    return model, None


MODELS = {
    "CharLM": _char_lm,
    "Captioner": _captioner,
    "Classifier": _classifier,
    "Tagger": lambda: _sequence("Tagger", TOKENS, vocabulary_from_json(TOKENS), ("x", "y")),
    "TextClassifier": lambda: _sequence("TextClassifier", WORDS, vocabulary_from_json(WORDS), ("x", "y")),
    "Translator": lambda: _sequence("Translator", WORDS, *[vocabulary_from_json(WORDS)] * 2),
    "VQA": lambda: _sequence("VQA", WORDS, vocabulary_from_json(WORDS), ("x", "y"), image_size=16, encoder_width=2),
}


@pytest.fixture(scope="module", params=MODELS)
def made(request, tmp_path_factory):
    """A run folder of a model, without checksums, so that nothing but what is in it speaks against it."""
    model, vocabulary = MODELS[request.param]()
    folder = tmp_path_factory.mktemp("run")
    described = {"task": "any", "train": {}, "data": {}, "model": json.loads(json.dumps(model.describe()))}
    (folder / CONFIG).write_text(json.dumps({"format": "seqnets-run", "format_version": 1, **described}))
    if vocabulary:
        (folder / VOCABULARY).write_text(json.dumps(vocabulary))
    write_weights(folder / WEIGHTS, nnx.state(model))
    return folder


def refused(folder):
    begin = time.monotonic()
    with pytest.raises(UserError) as caught:
        load(folder)
    assert time.monotonic() - begin < 5
    sentence = str(caught.value)
    assert len(sentence) < 1000  # one that lists the networks there are
    assert sentence.isprintable()
    return sentence


@pytest.fixture
def altered(made):
    """Change section model, or the vocabulary, and put them back afterwards."""
    before = {name: (made / name).read_bytes() for name in (CONFIG, VOCABULARY) if (made / name).exists()}

    def alter(change, name=CONFIG):
        value = json.loads(before[name])
        changed = change(value["model"] if name == CONFIG else value)
        (made / name).write_text(json.dumps(value if name == CONFIG else changed))
        return made

    yield alter
    for name, content in before.items():
        (made / name).write_bytes(content)


SOME = [1.5, ["lstm"], True, 10**12]
MORE = [None, "lstm", {}, {"a": 1}, -1, 0, 10**400, float("inf"), [[]]]
WRONG = [*SOME, *(pytest.param(value, marks=pytest.mark.slow) for value in MORE)]


def test_the_folder_as_it_is_loads(made):
    assert load(made).model is not None


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_settings_of_a_wrong_type_or_size(made, altered, value):
    described = json.loads((made / CONFIG).read_text())["model"]["config"]
    for name in described:
        folder = altered(lambda model, name=name: model["config"].update({name: value}))
        begin = time.monotonic()
        with contextlib.suppress(UserError):
            load(folder)
        assert time.monotonic() - begin < 5, (name, value)


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_parts_of_a_wrong_type(made, altered, value):
    described = json.loads((made / CONFIG).read_text())["model"]
    for name in described.keys() - {"preprocessing"}:
        refused(altered(lambda model, name=name: model.update({name: value})))
    if "preprocessing" in described and value not in (None, {}):  # which mean no rule, and the usual one
        refused(altered(lambda model: model.update(preprocessing=value)))


def test_more_layers_than_there_are_weights(made, altered):
    config = json.loads((made / CONFIG).read_text())["model"]["config"]
    if "layers" not in config:
        pytest.skip("has no layers")
    assert "more layers than" in refused(altered(lambda model: model["config"].update(layers=20_000)))


@pytest.mark.parametrize("name", ["preprocessing", "labels", "answers", "config", "frames", "source"])
def test_parts_that_are_missing(made, altered, name):
    if name not in json.loads((made / CONFIG).read_text())["model"] or name == "preprocessing":
        pytest.skip("may be missing")
    refused(altered(lambda model: model.pop(name) and None))


@pytest.mark.parametrize("value", [*WRONG, CHARS, WORDS, TOKENS], ids=lambda value: repr(value)[:40])
def test_vocabularies_of_another_form_or_kind(made, altered, value):
    if not (made / VOCABULARY).exists():
        pytest.skip("has no vocabulary")
    own = json.loads((made / VOCABULARY).read_text())
    if own != value:
        refused(altered(lambda vocabulary: value, VOCABULARY))
    for name in own:
        if not (isinstance(value, bool) and name == "punctuation") and not (isinstance(value, str) and name == "characters"):
            refused(altered(lambda vocabulary, name=name: {**vocabulary, name: value}, VOCABULARY))


def test_every_configuration_of_a_model_is_a_record_of_defaults():
    from importlib import import_module

    for home in ("char_lm_config", "classifier_config", "captioner.config", "sequence.config"):
        for kind in vars(import_module(f"seqnets.models.{home}")).values():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                kind()  # which `stated` changes

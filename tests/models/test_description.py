"""config.json of a run made by hand, by mistake or by malice: one sentence, soon."""

import contextlib
import dataclasses
import json
import time

import pytest
from flax import nnx

from model_table import CHARS, MODELS, TOKENS, WORDS
from seqnets.errors import UserError
from seqnets.run import CONFIG, VOCABULARY, WEIGHTS, load, write_weights
from seqnets.train.saving import describe


@pytest.fixture(scope="module", params=MODELS)
def made(request, tmp_path_factory):
    """A run folder of a model, without checksums, so that nothing but what is in it speaks against it."""
    model, vocabulary = MODELS[request.param]()
    folder = tmp_path_factory.mktemp("run")
    described = {"task": "any", "train": {}, "data": {}, "model": describe(model)["model"]}
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

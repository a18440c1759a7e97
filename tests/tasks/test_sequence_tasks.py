"""Every sequence task learns something tiny, resumes to the same bits, and counts what it should."""

import json

import jax
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.demo.arithmetic import arithmetic_trees
from seqnets.data.examples.label_examples import token_examples
from seqnets.data.examples.pairs import pair_examples
from seqnets.data.examples.question_examples import Asked, QuestionConfig, laid_out, question_examples
from seqnets.data.examples.questions import Question
from seqnets.data.examples.texts import SequenceConfig, text_examples
from seqnets.data.examples.trees import TreeDataConfig, parse_trees, tree_examples
from seqnets.decode.answers import answer_questions
from seqnets.decode.step_labels import label_sequences
from seqnets.decode.text_classes import classify_texts
from seqnets.decode.translation import translate
from seqnets.models.sequence.modules import ModuleVQA
from seqnets.models.sequence.recurrent import RecurrentConfig
from seqnets.models.sequence.tagger import Tagger
from seqnets.models.sequence.text_classifier import TextClassifier, TextClassifierConfig
from seqnets.models.sequence.translator import Translator, TranslatorConfig
from seqnets.models.sequence.tree_classifier import TreeClassifier, TreeClassifierConfig
from seqnets.models.sequence.vqa import VQA, VQAConfig
from seqnets.named_arrays import named_arrays
from seqnets.tasks.tagger.task import TaggerTask
from seqnets.tasks.text_classifier.task import TextClassifierTask
from seqnets.tasks.translator.task import TranslatorTask
from seqnets.tasks.tree_classifier.task import TreeClassifierTask
from seqnets.tasks.vqa.modules import ModuleVQATask
from seqnets.tasks.vqa.task import VQATask

SMALL = {"cell": "gru", "hidden_features": 16, "embedding_features": 8}
DRAW = np.random.default_rng(0)
WORDS = ["".join(DRAW.choice(list("abcd"), DRAW.integers(2, 7))) for _ in range(120)]
KEYS = nnx.Rngs


def text_task():
    labels = ["with" if "a" in word else "without" for word in WORDS]
    vocabulary, names, splits = text_examples(WORDS, labels, SequenceConfig())
    return TextClassifierTask(TextClassifier(vocabulary, names, TextClassifierConfig(**SMALL), rngs=KEYS(0)), splits)


def tagger_task():
    # the label of a step is the next letter, which only the backward layer can know
    sequences = [(list(word), [*word[1:], "end"]) for word in WORDS]
    table, names, splits = token_examples(sequences, SequenceConfig())
    return TaggerTask(Tagger(table, names, RecurrentConfig(**SMALL), rngs=KEYS(0)), splits)


def translator_task():
    (source, target), splits, _ = pair_examples([(word, word[:3].upper()) for word in WORDS], SequenceConfig())
    return TranslatorTask(Translator(source, target, TranslatorConfig(attention_features=8, **SMALL), rngs=KEYS(0)), splits)


def vqa_task(attention="none"):
    bright = [n % 2 == 0 for n in range(24)]
    pictures = np.stack([np.full((8, 8, 3), 200 if light else 40, np.uint8) for light in bright])
    texts = {"is it bright?": ("no", "yes"), "is it dark?": ("yes", "no")}
    questions = [Question(str(n), text, answers[light]) for n, light in enumerate(bright) for text, answers in texts.items()]
    found = question_examples(
        Asked(questions, np.repeat(np.arange(24), 2), pictures, []), QuestionConfig(validation_fraction=0.2)
    )
    config = VQAConfig(attention=attention, image_size=8, encoder_width=2, joint_features=8, **SMALL)
    return VQATask(VQA(found.vocabulary, found.answers, config, rngs=KEYS(0)), found.splits)


def module_task():
    pictures = np.stack([np.full((9, 9, 3), 200 if n % 2 else 40, np.uint8) for n in range(24)])
    questions = [Question(str(n), "is it bright?", "yes" if n % 2 else "no") for n in range(24)]
    asked = Asked(questions, np.arange(24), pictures, [])
    found = question_examples(asked, QuestionConfig(validation_fraction=0.2), encode=laid_out)
    config = VQAConfig(kind="modules", image_size=9, joint_features=8, **SMALL)
    return ModuleVQATask(ModuleVQA(found.vocabulary, found.answers, config, rngs=KEYS(0)), found.splits)


def tree_task():
    words, labels, forests, _ = tree_examples(parse_trees(arithmetic_trees(60, most=4), "drawn"), [], TreeDataConfig())
    config = TreeClassifierConfig(hidden_features=16, dropout=0.1)
    return TreeClassifierTask(TreeClassifier(words, labels, config, rngs=KEYS(0)), forests)


def fit(task, steps, directory=None, **settings):
    settings = {"batch_size": 16, "learning_rate": 0.03, "evaluate_every": 0, "steps_per_dispatch": 10} | settings
    return sn.fit(task, sn.TrainConfig(steps=steps, **settings), directory=directory, progress=None)


def last(run, figure):
    return [line[figure] for line in run.metrics if figure in line][-1]


def test_a_text_classifier_learns_and_loads_again(tmp_path):
    run = fit(text_task(), 80, tmp_path / "run")
    assert last(run, "validation_accuracy") > 0.9
    texts = ["bcd", "bcda", "a" * 50]
    before = classify_texts(run.model, texts)
    assert [guess.label for guess in before] == ["without", "with", "with"]
    again = classify_texts(sn.load(tmp_path / "run").model, texts)
    assert [guess.probability for guess in again] == [guess.probability for guess in before]


def test_a_tagger_learns_what_only_the_future_shows(tmp_path):
    run = fit(tagger_task(), 150, tmp_path / "run")
    assert last(run, "validation_accuracy") > 0.95
    labels = label_sequences(sn.load(tmp_path / "run").model, [list("abca")])[0]
    assert [label for label, _ in labels] == ["b", "c", "a", "end"]


def test_the_figures_of_a_tagger_are_those_of_its_labels():
    task = tagger_task()
    found = task.evaluate(task.model, "validation")
    inputs, labels = (task.splits["validation"].columns[name].sequences for name in ("inputs", "labels"))
    words = [[task.vocabulary.tokens[token - 2] for token in inputs[row]] for row in range(len(inputs))]
    guesses = label_sequences(task.model, words)
    truth = [[task.model.labels[label] for label in labels[row]] for row in range(len(labels))]
    right = [[guess == t for (guess, _), t in zip(g, row)] for g, row in zip(guesses, truth)]
    assert found["accuracy"] == pytest.approx(sum(map(sum, right)) / sum(map(len, right)))
    assert found["whole_sequences"] == pytest.approx(np.mean([all(row) for row in right]))


def test_a_translator_learns_and_loads_again(tmp_path):
    run = fit(translator_task(), 250, tmp_path / "run")
    assert last(run, "validation_exact_match") > 0.8
    model = sn.load(tmp_path / "run").model
    assert [best.text for best, *_ in translate(model, ["cabd", "bb"], beam=3)] == ["CAB", "BB"]


def test_the_loss_of_a_translator_counts_every_target_token_once():
    task = translator_task()
    examples = task.splits["validation"]
    batch = examples.rows(np.arange(len(examples)))
    loss, _ = task.losses(task.model, batch, jax.random.key(0))
    assert task.evaluate(task.model, "validation")["nats"] == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_questions_are_answered(tmp_path, attention):
    run = fit(vqa_task(attention), 80, tmp_path / "run")
    assert last(run, "validation_accuracy") == 1.0
    model = sn.load(tmp_path / "run").model
    picture = np.full((20, 10, 3), 200, np.uint8)
    answers = answer_questions(model, picture, ["is it bright?", "is it dark?"])
    assert [answer.answer.label for answer in answers] == ["yes", "no"]
    if attention == "additive":
        np.testing.assert_allclose(answers[0].attention.sum((1, 2)), 1, rtol=1e-5)


def test_an_answer_that_was_not_learned_counts_as_wrong():
    task = vqa_task()
    examples = task.splits["validation"]
    whole = task.evaluate(task.model, "validation")["accuracy"]
    labels = np.asarray(examples.columns["label"])
    columns = {**examples.columns, "label": np.where(np.arange(len(labels)) < len(labels) / 2, -1, labels)}
    half = task.figures(task.model, type(examples)(columns, examples.shared))["accuracy"]
    assert half <= 0.5
    assert whole >= half


@pytest.mark.parametrize("make", [text_task, tree_task, module_task, pytest.param(vqa_task, marks=pytest.mark.slow)])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, make):
    settings = {"steps_per_dispatch": 1, "log_every": 2, "save_every": 4, "evaluate_every": 4}  # the best may be the first
    settings["schedule"] = "constant"  # which knows no last step
    whole = fit(make(), 8, tmp_path / "whole", **settings)
    fit(make(), 4, tmp_path / "parts", **settings)
    parts = fit(make(), 8, tmp_path / "parts", **settings)
    for name, array in named_arrays(nnx.state(whole.model)).items():
        np.testing.assert_array_equal(array, named_arrays(nnx.state(parts.model))[name], err_msg=name)


def test_other_data_is_not_resumed(tmp_path):
    fit(text_task(), 4, tmp_path / "run", save_every=4)
    vocabulary, names, splits = text_examples(["a", "b"] * 30 + ["ab", "ba"], ["x", "y"] * 31, SequenceConfig())
    other = TextClassifierTask(TextClassifier(vocabulary, names, TextClassifierConfig(**SMALL), rngs=KEYS(0)), splits)
    with pytest.raises(sn.UserError):
        fit(other, 8, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"] == text_task().fingerprint()

"""The character task against a loop over single characters in float64."""

import math

import jax
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data import TextConfig
from seqnets.errors import UserError
from seqnets.tasks import CharLMTask


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A text with two documents to a line."""
    path = tmp_path_factory.mktemp("text") / "corpus.txt"
    path.write_text("".join(f"{n} times {n} is {n * n}. " for n in range(300)))
    return sn.read_text(path)


def model_of(corpus, **settings):
    return sn.CharLM(corpus.vocabulary, cell="vanilla", hidden_features=6, embedding_features=0, rngs=nnx.Rngs(1), **settings)


def one_by_one(model, batch):
    """The mean of -ln p and the outputs, one character after the other, in float64."""
    weights = {name: np.asarray(leaf, np.float64) for name, leaf in sn.named_arrays.named_arrays(nnx.state(model)).items()}
    kernel, recurrent, bias = (weights[f"rnn.layers.0.cell.{name}"] for name in ("kernel", "recurrent_kernel", "bias"))
    hidden, nats, outputs = np.zeros((len(batch.inputs), 6)), [], []
    for t in range(batch.inputs.shape[1]):
        hidden = np.where(batch.resets[:, t, None], 0.0, hidden)
        hidden = np.tanh(kernel[batch.inputs[:, t]] + hidden @ recurrent + bias)
        logits = hidden @ weights["output_kernel"] + weights["output_bias"]
        chosen = logits[np.arange(len(logits)), batch.targets[:, t]]
        nats.append(np.log(np.exp(logits).sum(-1)) - chosen)
        outputs.append(hidden)
    return np.mean(nats), np.stack(outputs, 1)


def test_the_loss_is_the_mean_over_the_window_plus_the_penalties(corpus):
    model = model_of(corpus, activation_penalty=0.3, slowness_penalty=0.2)
    task = CharLMTask(model, corpus, window=12)
    batch = task.batches(4, 0).batch(3)
    loss, (_, figures) = jax.jit(task.loss, static_argnums=())(model, batch, task.initial_carry(4), jax.random.key(0))
    nats, outputs = one_by_one(model, batch)
    penalty = 0.3 * np.square(outputs).mean() + 0.2 * np.square(np.diff(outputs, axis=1)).mean()
    assert float(figures["nats"]) == pytest.approx(nats, rel=1e-5)
    assert float(figures["bits_per_char"]) == pytest.approx(nats / math.log(2), rel=1e-5)
    assert float(loss) == pytest.approx(nats + penalty, rel=1e-5)


def test_validation_is_the_score_of_the_whole_split(corpus):
    task = CharLMTask(model_of(corpus), corpus, window=12)
    figures = task.evaluate(task.model, "validation")
    exact = sn.score(task.model, corpus.validation, streams=1)
    assert figures["nats"] == pytest.approx(exact.nats, rel=1e-5)
    assert task.evaluate(task.model, "test") == {}


def test_training_learns_the_text(corpus):
    model = sn.CharLM(corpus.vocabulary, cell="gru", hidden_features=32, rngs=nnx.Rngs(0))
    config = sn.TrainConfig(steps=150, batch_size=8, learning_rate=0.02, evaluate_every=0, steps_per_dispatch=10)
    run = sn.fit(CharLMTask(model, corpus, window=16), config, progress=None)
    assert run.metrics[-1]["validation_nats"] < 1.2 < math.log(len(corpus.vocabulary)) - 1


def test_a_model_of_another_vocabulary_is_refused(corpus):
    other = sn.CharLM(sn.Vocabulary.from_text("0123"), hidden_features=4, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match="the model's vocabulary has 4 characters and the corpus's"):
        CharLMTask(other, corpus)


def test_the_fingerprint_names_what_changes(corpus, tmp_path):
    task = CharLMTask(model_of(corpus), corpus, window=12)
    wider = CharLMTask(model_of(corpus), corpus, window=13)
    assert {name for name, value in task.fingerprint().items() if wider.fingerprint()[name] != value} == {"window"}


def test_the_preview_resets_the_state_after_a_separator(tmp_path):
    (tmp_path / "a.txt").write_text("one fish#two fish#red fish#" * 40)
    corpus = sn.read_text(tmp_path / "a.txt", config=TextConfig(window=8, separator="#"))
    model = sn.CharLM(corpus.vocabulary, hidden_features=16, rngs=nnx.Rngs(0))
    model.output_kernel[...] = 5 * model.output_kernel[...]
    found = sn.CharLMTask(model, corpus, window=8).preview(model, 3)
    options = {"length": len(found), "temperature": 0.8, "key": jax.random.key(3)}
    assert found == sn.sample(model, separator=corpus.separator, **options)
    assert found != sn.sample(model, **options)


def test_a_window_of_one_step_has_no_changes_to_punish(tmp_path):
    (tmp_path / "text").write_text("to be or not to be " * 20)
    one_step = sn.read_text(tmp_path / "text", config=TextConfig(window=1))
    model = model_of(one_step, slowness_penalty=2.0, activation_penalty=1.0)
    outputs = np.full((2, 1, 6), 0.5, np.float32)
    assert model.penalty(outputs) == pytest.approx(0.25)
    run = sn.fit(sn.CharLMTask(model, one_step), sn.TrainConfig(steps=2, batch_size=2), progress=None)
    assert np.isfinite([line["loss"] for line in run.metrics if "loss" in line]).all()


def test_a_run_with_an_empty_array_goes_on(corpus, tmp_path):
    for steps in (2, 4):
        model = sn.CharLM(corpus.vocabulary, cell="highway", depth=1, hidden_features=6, rngs=nnx.Rngs(1))
        config = sn.TrainConfig(steps=steps, batch_size=2, averaging=0.9, schedule="constant")
        sn.fit(sn.CharLMTask(model, corpus), config, directory=tmp_path / "run", progress=None)
    assert sn.load(tmp_path / "run").model.rnn.layers[0].cell.depth_bias.shape == (0, 12)

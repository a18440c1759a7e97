"""Policies that write layouts: their grammar and REINFORCE by enumeration, what cloning learns, and runs that go on."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.demo.shape_grids import draw_questions
from seqnets.data.examples.config import QuestionConfig
from seqnets.data.examples.layouts import forest_of_tokens, layout_of, layout_tokens, parse_layout, room_of_layouts
from seqnets.data.examples.question_examples import Asked, laid_out, question_examples
from seqnets.data.examples.questions import Question
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.decode.answers import answer_questions
from seqnets.errors import UserError
from seqnets.models import grown
from seqnets.models.sequence.config import VQAConfig
from seqnets.models.sequence.layout_policy import module_names, write_layouts
from seqnets.models.sequence.modules import ModuleVQA
from seqnets.models.sequence.translator import Source
from seqnets.named_arrays import named_arrays
from seqnets.tasks.vqa import LayoutLossConfig
from seqnets.tasks.vqa.policy import LayoutPolicyTask, layout_objective, schedule_of

RED = WordVocabulary(("red",))
SMALL = {"kind": "modules", "layouts": "learned", "cell": "gru", "hidden_features": 32, "embedding_features": 16}


def network(vocabulary=RED, *, modules=3, size=9, **shape):
    config = VQAConfig(**{**SMALL, **shape}, joint_features=8, image_size=size, layout_modules=modules)
    return ModuleVQA(vocabulary, ("no", "yes"), config, rngs=nnx.Rngs(3))


def layouts_up_to(length):
    """All layouts of the words <unknown> and red, as tokens: those that need nothing any more, and nothing less before."""
    more = {4: 1, 5: -1, 6: 0, 7: -1, 8: 0}  # and, find, transform, find red, transform red
    for size in range(1, length + 1):
        for tokens in product(more, repeat=size):
            needed = 1 + np.cumsum([more[token] for token in tokens])
            if needed[-1] == 0 and (needed[:-1] > 0).all():
                yield [*tokens, *[0] * (length - size)]


def forced(log_prob, token):
    return token


EVERY = np.array(list(layouts_up_to(3)), np.int32)
QUESTION = Source(jnp.full((len(EVERY), 2), 4), jnp.full(len(EVERY), 2))
PICTURES = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 3), np.uint8).repeat(len(EVERY), 0)


def judged(model):
    """Every layout of the little grammar: the layouts, and the loss of the answer under each."""
    written = write_layouts(model.policy, QUESTION, 3, forced, EVERY.T)
    logits, _ = model(PICTURES, schedule_of(written.tokens))
    return written, optax.losses.softmax_cross_entropy_with_integer_labels(logits, jnp.ones(len(EVERY), int))


@pytest.fixture(scope="module")
def found():
    """What a network makes of every layout."""
    graph, state = nnx.split(network())
    return jax.device_get(jax.jit(lambda state: judged(nnx.merge(graph, state)))(state))


def test_every_layout_is_valid_and_their_probabilities_sum_to_one(found):
    written, _ = found
    assert len(EVERY) == 18
    np.testing.assert_array_equal(written.tokens, EVERY)
    share = np.exp(np.asarray(written.log_prob, np.float64))
    np.testing.assert_allclose(share.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(share @ np.asarray(written.entropy), -(share @ np.log(share)), rtol=1e-5)
    assert module_names(RED).pieces([4, 7, 7]) == ["and", "find red", "find red"]


def test_the_mean_of_reinforce_over_all_layouts_is_the_gradient_of_the_expected_loss():
    graph, state = nnx.split(network())

    def expected(state):
        written, nats = judged(nnx.merge(graph, state))
        return jnp.sum(jnp.exp(written.log_prob) * nats)

    def estimated(state):
        written, nats = judged(nnx.merge(graph, state))
        rows = layout_objective(nats, written, jnp.float32(0.3), jnp.zeros(len(EVERY), bool), LayoutLossConfig(entropy=0.0))
        return jnp.sum(jax.lax.stop_gradient(jnp.exp(written.log_prob)) * rows)

    exact, found = (named_arrays(jax.jit(jax.grad(function))(state)) for function in (expected, estimated))
    moved = [name for name in exact if np.abs(exact[name]).max() > 1e-6]
    assert {name.partition(".")[0] for name in moved} == {"first", "second", "find", "transform", "output", "policy"}
    for name in exact:
        np.testing.assert_allclose(found[name], exact[name], atol=2e-6, rtol=1e-4, err_msg=name)


def test_given_layouts_are_cloned_and_the_others_drawn(found):
    written, nats = found
    cloned, config = jnp.arange(len(EVERY)) % 2 == 0, LayoutLossConfig(score_rate=0.5, entropy=0.1)
    losses = np.asarray(layout_objective(nats, written, jnp.float32(0.3), cloned, config))
    nats, log_prob, entropy = (np.asarray(part) for part in (nats, written.log_prob, written.entropy))
    np.testing.assert_allclose(losses[::2], (nats - 0.5 * log_prob)[::2], rtol=1e-5)
    np.testing.assert_allclose(losses[1::2], (nats + 0.5 * ((nats - 0.3) * log_prob - 0.1 * entropy))[1::2], rtol=1e-4)


def drawn_layouts(count, length, seed=0):
    chance = np.random.default_rng(seed)
    tokens = np.zeros((count, length), np.int32)
    for row in range(count):
        needed, place = 1, 0
        while needed:
            room = length - place - 1
            fits = [token for token, more in ((4, 1), (4, 1), (5, -1), (6, 0), (7, -1), (8, 0)) if needed + more <= room]
            tokens[row, place] = chance.choice(fits)
            needed += {4: 1, 5: -1, 7: -1}.get(tokens[row, place], 0)
            place += 1
    return tokens


@pytest.mark.parametrize(("count", "length"), [(1, 1), (1, 9), (5, 2), (64, 8), (33, 13)])
def test_any_layouts_fit_into_the_room_and_come_back(count, length):
    tokens = drawn_layouts(count, length)
    forest = forest_of_tokens(tokens)
    forest.scheduled(np.arange(count), room_of_layouts(count, length))
    np.testing.assert_array_equal(layout_tokens(forest, np.ones(count, bool), length), tokens)


def test_layouts_that_the_host_schedules_give_the_numbers_of_the_loader():
    questions = ["is red", "left of red", "is it red left of red", "above below red"]
    asked = Asked([Question("0", text, "no") for text in questions], np.zeros(4, int), PICTURES[:1], [])
    model = network(WordVocabulary(("red", "left", "above", "below")), modules=6)
    found = laid_out(asked, np.arange(4), model.vocabulary, model.answers, 9)
    batch = found.rows(np.arange(4))
    schedule = jax.jit(schedule_of)(layout_tokens(found.forest, np.ones(4, bool), 6))
    np.testing.assert_allclose(model(batch["image"], schedule)[0], model(batch["image"], batch)[0], rtol=1e-5)
    with pytest.raises(UserError, match=r"--model\.layout-modules 4"):
        layout_tokens(found.forest, np.ones(4, bool), 2)


def drawn_task(train=400, loss=None, **shape):
    found = draw_questions(train + 60, seed=1)
    questions = [Question(str(number), one.question, one.answer, layout_of(one.question)) for number, one in enumerate(found)]
    asked = Asked(questions, np.arange(len(found), dtype=np.int32), np.stack([one.image for one in found]), [])
    splits = question_examples(asked, QuestionConfig(), encode=laid_out, held=np.arange(len(found)) >= train)
    return LayoutPolicyTask(network(splits.vocabulary, modules=6, size=30, **shape), splits.splits, loss)


def fit(task, steps, directory=None, **settings):
    config = sn.TrainConfig(steps=steps, **{"batch_size": 32, "learning_rate": 0.01, "steps_per_dispatch": 5} | settings)
    return sn.fit(task, config, directory=directory, progress=None)


def test_cloning_alone_reproduces_the_layouts_of_drawn_questions(tmp_path):
    run = fit(drawn_task(loss=LayoutLossConfig(cloning_steps=1000)), 150, tmp_path / "run", evaluate_every=150)
    figures = run.metrics[-1]
    assert figures["validation_layouts"] > 0.95
    text = "is a red shape left of a square"
    (answer,) = answer_questions(sn.load(tmp_path / "run").model, np.zeros((30, 30, 3), np.uint8), [text])
    assert answer.looks == tuple(map(str, parse_layout(layout_of(text))))
    assert len(answer.attention) == 4
    new = run.model.vocabulary.grown(WordVocabulary(("pink",)))
    larger = grown(run.model, vocabulary=new, module_names=module_names(new), rngs=nnx.Rngs(0))
    (again,) = answer_questions(larger, np.zeros((30, 30, 3), np.uint8), [text])
    assert again.looks == answer.looks


@pytest.mark.slow
def test_a_run_goes_on_as_if_it_had_not_been_interrupted(tmp_path):
    loss = LayoutLossConfig(cloning_steps=3)
    settings = {"batch_size": 8, "evaluate_every": 0, "save_every": 5, "schedule": "constant"}
    fit(drawn_task(40, loss), 5, tmp_path / "run", **settings)
    halves = fit(drawn_task(40, loss), 10, tmp_path / "run", **settings)
    whole = fit(drawn_task(40, loss), 10, **settings)
    for (name, one), other in zip(named_arrays(nnx.state(whole.model)).items(), named_arrays(nnx.state(halves.model)).values()):
        np.testing.assert_array_equal(one, other, err_msg=name)
    with pytest.raises(UserError, match="cloning_steps was 3 and is now 4"):
        fit(drawn_task(40, LayoutLossConfig(cloning_steps=4)), 15, tmp_path / "run", **settings)

"""Module networks: each module by hand on a 3 x 3 grid, layouts, and what learns from them."""

import json
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data.demo.shape_grids import draw_questions, is_unseen
from seqnets.data.examples.layouts import layout_of, parse_layout
from seqnets.data.examples.question_examples import Asked, laid_out, of_array
from seqnets.data.examples.questions import Question, read_questions
from seqnets.data.words.vocabulary import token_vocabulary
from seqnets.decode.answers import answer_questions
from seqnets.errors import UserError
from seqnets.models.sequence.modules import Find, ModuleVQA, Transform, VQAConfig, both

SHAPES = Path(os.environ.get("SEQNETS_SHARED_DATA", "")) / "shapes_nmn"
QUESTIONS = [
    "is a red shape left of above a square",
    "is a circle blue",
    "is a square below a circle",
    "is it red?",
    "is a red circle above a blue square",
]
WORDS = token_vocabulary(QUESTIONS)
ONE = np.eye(9, dtype=np.float32)  # a map of a single cell


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_find_by_hand():
    find = Find(2, 2, rngs=nnx.Rngs(0))
    find.table[...], find.bias[...] = [[5.0, -5.0], [-5.0, 5.0]], -2.0  # word 0 is the first feature, word 1 the second
    seen = np.zeros((1, 9, 2))
    seen[0, 4, 0] = seen[0, 8, 1] = 1
    for word, cell in ((0, 4), (1, 8)):
        found = np.asarray(find(jnp.array([word]), jnp.asarray(seen)))[0]
        assert found.argmax() == cell
        np.testing.assert_allclose(found[[cell, 0]], [sigmoid(3), sigmoid(-2)], rtol=1e-5)


@pytest.mark.parametrize(("down", "right"), [(0, -1), (0, 1), (-1, 0), (1, 0), (2, -2)])
def test_transform_moves_a_map(down, right):
    transform = Transform(1, 3, rngs=nnx.Rngs(0))
    kernel = np.zeros((5, 5))
    kernel[2 + down, 2 + right] = 2
    transform.kernels[...], transform.bias[...] = kernel.reshape(1, -1), -4.0
    for cell in range(9):
        row, column = cell // 3 + down, cell % 3 + right
        expected = np.full(9, sigmoid(-4))
        if 0 <= row < 3 and 0 <= column < 3:
            expected[3 * row + column] = sigmoid(4)
        np.testing.assert_allclose(transform(jnp.array([0]), ONE[None, cell])[0], expected, rtol=1e-4)


def test_and_is_the_minimum():
    draw = np.random.default_rng(0).random((2, 4, 9))
    np.testing.assert_array_equal(both(jnp.asarray(draw[0]), jnp.asarray(draw[1])), np.minimum(*jnp.asarray(draw)))


def test_answer_reads_the_largest_value():
    model = module_network()
    model.output.kernel[...], model.output.bias[...] = [[-1.0, 1.0], [0.0, 0.0]], 0.0
    maps = np.stack([0.05 + 0.9 * ONE[3], np.full(9, 0.05)])
    odds = np.log(0.95 / 0.05)
    np.testing.assert_allclose(model.answer(jnp.asarray(maps)), [[-odds, odds], [odds, -odds]], rtol=1e-3)


def module_network():
    config = VQAConfig(kind="modules", image_size=30, joint_features=8)
    return ModuleVQA(WORDS, ("no", "yes"), config, rngs=nnx.Rngs(0))


def one_by_one(model, layout, seen):
    """The map of a layout, module by module, in float64."""
    words = {word: int(WORDS.encode(word)[0]) for word in WORDS.entries if isinstance(word, str)}
    table, kernels = (np.asarray(array[...], np.float64) for array in (model.find.table, model.transform.kernels))
    maps = []
    for module in layout:
        if module.name == "find":
            maps.append(sigmoid(seen @ table[words[module.word]] + float(model.find.bias[...])))
        elif module.name == "transform":
            kernel, old = kernels[words[module.word]].reshape(5, 5), maps[module.left].reshape(3, 3)
            sums = [
                sum(kernel[r - i + 2, c - j + 2] * old[i, j] for i in range(3) for j in range(3))
                for r in range(3)
                for c in range(3)
            ]
            maps.append(sigmoid(4 * np.array(sums) + float(model.transform.bias[...])))
        else:
            maps.append(np.minimum(maps[module.left], maps[module.right]))
    return maps


def test_layouts_of_a_batch_give_the_numbers_of_each_alone():
    model = module_network()
    pictures = np.random.default_rng(0).integers(0, 256, (5, 30, 30, 3), np.uint8)
    asked = Asked([Question(str(n), text, "no") for n, text in enumerate(QUESTIONS)], np.arange(5), pictures, [])
    batch = laid_out(asked, np.arange(5), WORDS, model.answers, 20).rows(np.arange(5))
    logits, found = model(batch["image"], batch)
    seen = np.asarray(model.see(jnp.asarray(pictures)), np.float64)
    for row, text in enumerate(QUESTIONS):
        expected = one_by_one(model, parse_layout(layout_of(text)), seen[row])
        np.testing.assert_allclose(found[row, : len(expected)], expected, atol=1e-5)
        np.testing.assert_allclose(logits[row], model.answer(jnp.asarray(expected[-1][None], jnp.float32))[0], atol=1e-4)
    answers = answer_questions(model, pictures[0], QUESTIONS[:2])
    assert [len(answer.attention) for answer in answers] == [len(answer.looks) for answer in answers] == [5, 3]
    assert answers[1].looks == ("find circle", "find blue", "and") or answers[1].looks == ("find blue", "find circle", "and")


@pytest.mark.parametrize(
    ("question", "layout"),
    [
        ("is a red shape left of above a square?", "and find red transform left transform above find square"),
        ("is a red circle above a blue square", "and find red and find circle transform above and find blue find square"),
        ("is a circle blue", "and find circle find blue"),
        ("", "find thing"),
        ("is it left of", "find thing"),
        ("find and transform left and", "and find find and find and and find transform transform left find and"),
    ],
)
def test_the_rule_of_layouts(question, layout):
    assert layout_of(question) == layout
    parse_layout(layout)


@pytest.mark.parametrize(
    "text", ["", "find", "and find a", "find a find b", "transform left", "find a b", "find a " * 40, "sink a"]
)
def test_what_is_no_layout(text):
    with pytest.raises(UserError, match="write "):
        parse_layout(text)


def test_drawn_questions_are_balanced_and_unseen_ones_are_kept_apart():
    for unseen in (False, True):
        drawn = draw_questions(60, seed=1, unseen=unseen)
        assert {is_unseen(one.question) for one in drawn} == {unseen}
        assert sum(one.answer == "yes" for one in drawn) == 30


def test_layouts_and_pictures_of_files(tmp_path):
    path, names = tmp_path / "q.json", ["_Find", "_Find", "_Transform", "_And", "_Answer"]
    entry = {"image": 2, "question": "is a red shape left of a square", "layout": names, "answer": "true"}
    path.write_text(json.dumps([entry, {**entry, "image": 0, "layout": "find red"}]))
    questions = read_questions(path)
    assert [one.layout for one in questions] == ["and find red transform left find square", "find red"]
    np.savez(tmp_path / "p.npz", images=np.arange(3, dtype=np.uint8).repeat(48).reshape(3, 4, 4, 3))
    asked = of_array(questions, tmp_path / "p.npz", 4)
    assert (asked.rows.tolist(), asked.pictures[asked.rows[0], 0, 0, 0]) == ([2, 0], 2)
    path.write_text(json.dumps([{**entry, "layout": names[1:]}] * 2))
    with pytest.raises(UserError, match="does not fit"):
        read_questions(path)
    np.savez(tmp_path / "p.npz", images=np.zeros((2, 3)))
    with pytest.raises(UserError, match="must hold images"):
        of_array(questions, tmp_path / "p.npz", 4)


@pytest.mark.skipif(not (SHAPES / "val_questions.json").exists(), reason="needs $SEQNETS_SHARED_DATA/shapes_nmn")
def test_the_rule_gives_the_layouts_of_published_questions():
    counts = json.loads((SHAPES / "expected_statistics.json").read_text())["val"]["layouts_by_length"]
    questions = read_questions(SHAPES / "val_questions.json")
    lengths = [len(parse_layout(one.layout)) + 1 for one in questions]  # and the answer
    assert np.bincount(lengths, minlength=len(counts)).tolist()[-3:] == counts[-3:]
    assert len(of_array(questions, SHAPES / "val_images.npz", 30).questions) == 1024

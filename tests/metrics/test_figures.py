"""BLEU, ROUGE-L and CIDEr against their definitions and against the reference code's figures."""

import subprocess
import sys

import numpy as np
import pytest

from oracles import captions as oracle
from seqnets.errors import UserError
from seqnets.metrics import CiderReward, References, Scorer, bleu, cider, rouge_l
from seqnets.metrics.rouge import longest_common_subsequence

NAMES = {f"Bleu_{n}": f"BLEU-{n}" for n in range(1, 5)} | {"ROUGE_L": "ROUGE-L", "CIDEr": "CIDEr"}
NLG_EVAL = {
    "BLEU-1": 0.550000,
    "BLEU-2": 0.428174,
    "BLEU-3": 0.284043,
    "BLEU-4": 0.201143,
    "ROUGE-L": 0.522104,
    "CIDEr": 1.242192,
}


@pytest.mark.parametrize("words", [None, str.split], ids=["raw text", "tokenized text"])
def test_figures_of_the_reference_code(fakecap, words):
    results, references, expected = fakecap
    if words:
        results = {image: captions[0] for image, captions in expected["res_tokenized"].items()}
        references = expected["gts_tokenized"]
    scores = Scorer(references, **({"words": words} if words else {}))(results)
    assert [int(image) for image in scores.images] == expected["image_ids"]
    for theirs, ours in NAMES.items():
        assert scores.corpus[ours] == pytest.approx(expected["scores"][theirs], abs=1e-12)
        # the reference figures of single images are rounded to 8 places
        np.testing.assert_allclose(scores.per_image[ours], expected["per_image"][theirs], rtol=0, atol=5.1e-9)


def test_figures_of_nlg_eval(shared_data):
    folder = shared_data / "metrics" / "nlg_eval"
    hypotheses, *references = ((folder / name).read_text().splitlines() for name in ("hyp.txt", "ref1.txt", "ref2.txt"))
    scores = Scorer(dict(enumerate(zip(*references))))(dict(enumerate(hypotheses)))
    assert scores.corpus == pytest.approx(NLG_EVAL, abs=5.1e-7)


def test_figures_by_definition(captions):
    hypotheses, references = captions
    comparison = References(references).compare(hypotheses)
    together, each = bleu(comparison)
    np.testing.assert_allclose(together, oracle.bleu(hypotheses, references), rtol=1e-12)
    alone = [oracle.bleu([words], [others]) for words, others in zip(hypotheses, references)]
    np.testing.assert_allclose(each, np.where(np.asarray(alone) < 1e-9, 0, alone), rtol=1e-11)
    expected = [oracle.rouge_l(words, others) for words, others in zip(hypotheses, references)]
    np.testing.assert_allclose(rouge_l(comparison), expected, rtol=1e-12)
    expected = [oracle.cider(words, others, references) for words, others in zip(hypotheses, references)]
    np.testing.assert_allclose(cider(comparison), expected, rtol=1e-11)
    assert min(map(len, hypotheses)) == 0 < np.count_nonzero(expected) < len(expected)  # the captions try what they should


def test_reward_scores_any_batch_with_the_frequencies_of_all_references(captions):
    hypotheses, references = captions
    reward, images = CiderReward(references), np.asarray([7, 3, 3, 39, 7, 0])
    chosen = [hypotheses[5], hypotheses[3], references[3][0], ["new", "w1"], hypotheses[7], []]
    expected = [oracle.cider(words, references[image], references) for words, image in zip(chosen, images)]
    np.testing.assert_allclose(reward(chosen, images), expected, rtol=1e-11)
    np.testing.assert_array_equal(reward(chosen, images), reward(chosen, images))  # a call leaves nothing behind


def test_reward_of_token_numbers_is_that_of_words(captions):
    hypotheses, references = captions
    numbers = {f"w{i}": 100 - i for i in range(9)}
    coded = CiderReward([[[numbers[w] for w in caption] for caption in each] for each in references])
    batch = [np.asarray([numbers[w] for w in caption], np.int32) for caption in hypotheses]
    plain = CiderReward(references)(hypotheses, range(len(hypotheses)))
    np.testing.assert_allclose(coded(batch, range(len(batch))), plain, rtol=1e-12)


def test_empty_batch_has_no_reward(captions):
    assert CiderReward(captions[1])([], []).shape == (0,)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_common_subsequence_of_any_length(length):
    draw = np.random.default_rng(length)
    first, second = draw.integers(0, 4, length).tolist(), draw.integers(0, 4, length + 3).tolist()
    assert longest_common_subsequence(first, second) == oracle.lcs(first, second)


def test_a_perfect_caption_has_the_best_figures():
    scores = Scorer({1: ["a red dog runs"], 2: ["two cats sleep here"]})({2: "Two cats sleep here.", 1: "A red dog runs!"})
    best = {**dict.fromkeys(scores.corpus, 1.0), "CIDEr": 10.0}
    assert scores.corpus == pytest.approx(best, abs=1e-8)
    assert scores.images == (2, 1)


@pytest.mark.parametrize("caption", ["", " \n", "...", "😀", "?"])
def test_a_caption_without_a_word_scores_nothing(caption):
    scores = Scorer({1: ["a red dog runs"], 2: ["two cats sleep here"]})({1: caption, 2: "two cats"})
    assert scores.of(1) == dict.fromkeys(scores.corpus, 0.0)
    assert scores.of(2)["BLEU-1"] > 0.3


def test_an_image_without_a_word_in_its_references_counts():
    scorer = Scorer({1: ["a red dog runs"], 2: ["...", "🐕"], 3: ["two cats sleep here"]})
    scores = scorer({1: "a red dog runs", 2: "a dog", 3: "two cats sleep here"})
    assert (scorer.wordless, scores.of(2)) == ((2,), dict.fromkeys(scores.corpus, 0.0))
    assert scores.corpus["CIDEr"] == pytest.approx(20 / 3)


def test_nothing_right_is_zero():
    scores = Scorer({1: ["a red dog runs"], 2: ["two cats sleep here"]})({1: "x y z", 2: "v w"})
    assert scores.corpus == dict.fromkeys(scores.corpus, 0.0)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Scorer({}), "references hold no images; give at least one, with a caption"),
        (
            lambda: Scorer({1: ["a"], "b": []}),
            "image 'b' has no reference caption; give it one, or leave the image out",
        ),
        (lambda: Scorer({5: ["a"]})({}), "there are no captions to score; give at least one"),
        (lambda: Scorer({5: ["a"]})({6: "a"}), "image 6 has no reference captions; give it some, or leave its caption out"),
        (lambda: CiderReward([["a"], []]), "image 1 has no reference caption; give it one, or leave the image out"),
        (
            lambda: CiderReward([["a"]])([["a"]], [1]),
            "image 1 is not among the 1 images of the references, which are numbered from 0",
        ),
        (
            lambda: CiderReward([["a"]])([["a"]], [-1]),
            "image -1 is not among the 1 images of the references, which are numbered from 0",
        ),
        (lambda: CiderReward([["a"]])([["a"]], [0, 0]), "1 hypotheses come with 2 images; name the image of each hypothesis"),
    ],
)
def test_what_cannot_be_scored_is_reported(act, message):
    with pytest.raises(UserError) as refused:
        act()
    assert str(refused.value) == message


def test_metrics_need_no_jax():
    code = (
        "import sys, seqnets.metrics, seqnets.cli.score; sys.exit(any(name in sys.modules for name in ('jax', 'flax', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0

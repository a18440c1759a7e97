"""What people type who know other tools: options, verbs and runs as data; each is answered by what they want."""

import re

import pytest

from seqnets.cli.verbs import VERBS
from seqnets.suggestion import _SYNONYMS, likely

HINTS = [
    ("train x --lr 1", "--train.learning-rate"),
    ("train x --epochs 3", "--train.steps"),
    ("train x --hidden-size 8", "--model.hidden-features"),
    ("train x --rnn_size 8", "--model.hidden-features"),
    ("train x --num-layers 2", "--model.layers"),
    ("train x --batch 2", "--train.batch-size"),
    ("train x --batch_size 2", "--train.batch-size"),
    ("train x --seq-length 2", "--data.window"),
    ("train x --dropuot 0.1", "--model.dropout"),
    ("train x --grad-clip 5", "--train.clip-norm"),
    ("train x --val_frac 0.1", "--data.validation-fraction"),
    ("train x --output_dir y", "--out"),
    ("train x --model.hiddn-features 3", "--model.hidden-features"),
    ("train classifier --arch resnet18", "--model.name"),
    ("train captioner --cnn resnet18", "--model.encoder"),
    ("train translator --emb-size 3", "--model.embedding-features"),
    ("sample run --temp 0.5", "--temperature"),
    ("sample run --n 3", "--samples"),
    ("sample run -n 3", "--samples"),
    ("sample run --num_samples 3", "--samples"),
    ("sample run --topk 3", "--top-k"),
    ("sample run --max-length 3", "--length"),
    ("sample run --max_new_tokens=3", "--length"),
    ("sample run --start x", "--prompt"),
    ("sample run --primetext x", "--prompt"),
    ("sample run --num-beams 3", "--beam"),
    ("evaluate run --batch-size 3", "--streams"),
    ("predict run --beam-size 3", "--beam"),
    ("predict run --max-len 3", "--max-length"),
    ("caption run x --num_captions 3", "--n-best"),
    ("caption run x --temp 1", "--temperature"),
    ("answer --topk 3", "--top"),
    ("classify x --top-k 3", "--top"),
    ("classify x --network vgg16", "--model"),
    ("features x --layers 3", "--layer"),
    ("features x --output y", "--out"),
    ("summary vgg16 --size 32", "--input"),
    ("score a --format json", "--json"),
]


@pytest.mark.parametrize(("line", "option"), HINTS)
def test_an_option_of_another_tool_names_ours(seqnets, line, option):
    outcome = seqnets(*line.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith(f"; did you mean '{option}'?\n")
    verb = line.split()[: 2 if line.startswith(("train c", "train t")) else 1]
    assert f"  {option} " in seqnets(*verb, "--help").out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train --data x", "give CORPUS without an option"),
        ("sample --model x", "give RUN without an option"),
        ("sample --checkpoint x", "give RUN without an option"),
        ("evaluate run --test-file x", "give FILE without an option"),
        ("predict run --input x", "give FILE without an option"),
        ("caption run --image x", "give IMAGES without an option"),
        ("summary --model vgg16", "give NETWORK without an option"),
        ("verify --path x", "give RUN without an option"),
        ("sample run --device cpu", "before the command, JAX_PLATFORMS=cpu chooses another"),
        ("train x --gpu 0", "before the command, JAX_PLATFORMS=cpu chooses another"),
        ("train x --zzzqq", "see `seqnets train --help`"),
    ],
)
def test_what_is_no_option_here_is_said_to_be_something_else(seqnets, line, said):
    outcome = seqnets(*line.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith(f"; {said}\n") or outcome.err.endswith(f"; JAX takes the fastest device; {said}\n")


def test_a_key_of_another_tool_in_a_file_names_ours(seqnets, tmp_path):
    (tmp_path / "a.toml").write_text("[train]\nlr = 3\n")
    assert seqnets("train", "--config", "a.toml").err == (
        "seqnets: a.toml: unknown key 'lr' in [train]; did you mean 'learning_rate'?\n"
    )


def test_every_name_in_the_table_is_one_of_ours(seqnets):
    tasks = ("text", "classifier", "captioner", "translator", "vqa", "tagger", "text-classifier")
    helps = [seqnets(verb, "--help").out for verb in VERBS] + [seqnets("train", task, "--help").out for task in tasks]
    options = {option.rpartition(".")[2] for text in helps for option in re.findall(r"--([a-z.-]+)", text)}
    places = {"run", "corpus", "file", "texts", "words", "network", "images", "questions"}
    assert {name.replace("_", "-") for name in _SYNONYMS} <= options | places


@pytest.mark.parametrize(("name", "known", "found"), [("steps", ["train.steps", "stop"], "train.steps"), ("", ["a"], None)])
def test_the_likely_name(name, known, found):
    assert likely(name, known) == found


@pytest.mark.parametrize(
    ("verb", "meant"),
    [
        ("generate", "sample"),
        ("Generate", "sample"),
        ("eval", "evaluate"),
        ("test", "evaluate"),
        ("infer", "predict"),
        ("translate", "predict"),
        ("describe", "caption"),
        ("ask", "answer"),
        ("resume", "train"),
        ("fine_tune", "train"),
        ("models", "summary"),
        ("captioner", "train captioner"),
        ("text-classifier", "train text-classifier"),
        ("smaple", "sample"),
    ],
)
def test_a_verb_of_another_tool_names_ours(seqnets, verb, meant):
    outcome = seqnets(verb, "x")
    assert (outcome.code, outcome.err) == (2, f"seqnets: unknown verb {verb!r}; did you mean 'seqnets {meant}'?\n")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_may_be_asked_for_in_two_ways(seqnets, verb):
    assert seqnets("help", verb) == seqnets(verb, "--help")

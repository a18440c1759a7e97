"""A run folder of a model that nothing trained."""

import jax
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from model_table import MODELS
from seqnets.cli.main import main
from seqnets.errors import UserError
from seqnets.named_arrays import host_arrays


@pytest.mark.parametrize("name", MODELS)
def test_every_model_comes_out_of_its_folder_and_is_verified(name, tmp_path, capsys):
    model, vocabulary = MODELS[name]()
    run = sn.save_run(model, tmp_path / "run")
    found, wanted = (host_arrays(nnx.state(each)) for each in (sn.load(tmp_path / "run").model, model))
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[path], wanted[path]) for path in wanted)
    assert type(run.model) is type(model)
    assert (run.vocabulary is None) == (vocabulary is None)
    assert "saved without training" in (tmp_path / "run" / "README.md").read_text()
    assert main(["verify", str(tmp_path / "run")]) == 0
    assert "damaged" not in capsys.readouterr().out


def test_a_text_is_sampled_from_it(tmp_path, capfd):
    model, _ = MODELS["CharLM"]()
    run = sn.save_run(model, tmp_path / "run")
    key = jax.random.key(0)
    assert sn.sample(run.model, prompt="a", length=9, key=key) == sn.sample(model, prompt="a", length=9, key=key)
    assert main(["sample", str(tmp_path / "run"), "--length", "9", "--seed", "1"]) == 0
    assert len(capfd.readouterr().out.strip()) > 0


def test_damage_is_found_in_it(tmp_path, capsys):
    sn.save_run(MODELS["Tagger"]()[0], tmp_path)
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert main(["verify", str(tmp_path)]) == 2
    assert "model.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: sn.create_model("lenet5"), "use one that make_classifier made"),
        (lambda: nnx.Linear(2, 3, rngs=nnx.Rngs(0)), "a run folder holds one of Captioner, CharLM, .*, not Linear"),
    ],
)
def test_other_models_are_refused_before_anything_is_written(model, message, tmp_path):
    with pytest.raises(UserError, match=message):
        sn.save_run(model(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty; give another folder"):
        sn.save_run(MODELS["CharLM"]()[0], tmp_path)
    with pytest.raises(UserError, match="is a file; give a folder"):
        sn.save_run(MODELS["CharLM"]()[0], tmp_path / "mine.txt")

"""`--items`: lists of names from training to drawing, as a user types it."""

import json

import pytest

SMALL = ("--train.steps", 40, "--train.batch-size", 8, "--data.window", 16, "--model.hidden-features", 16)
NAMES = [f"{a}{b}{c}" for a in ("an", "el", "ro") for b in ("li", "na", "ma") for c in ("a", "e", "ra", "n", "ne")]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    from seqnets.cli.main import main

    path = tmp_path_factory.mktemp("runs") / "names"
    source = path.with_suffix(".txt")
    source.write_text("".join(f"{name}\n" for name in NAMES))
    assert main([str(word) for word in ("train", source, "--items", "lines", "--out", path, *SMALL)]) == 0
    source.unlink()  # the run must know its items without the text
    return path


def test_new_items_are_not_in_the_text_and_the_seed_decides(seqnets, run_folder):
    words = ("sample", run_folder, "--items", 6, "--new", "--seed", 1)
    outcome = seqnets(*words)
    assert (outcome.code, outcome.err) == (0, "")
    items = outcome.out.splitlines()
    assert len(set(items)) == len(items) == 6
    assert not set(items) & set(NAMES)
    assert seqnets(*words).out == outcome.out
    assert [entry["text"] for entry in json.loads(seqnets(*words, "--json").out)] == items


def test_a_prompt_begins_items_and_can_be_left_out(seqnets, run_folder):
    words = ("sample", run_folder, "--items", 3, "--seed", 1, "--prompt", "el")
    items = seqnets(*words).out.splitlines()
    assert all(item.startswith("el") for item in items)
    assert [f"el{rest}" for rest in seqnets(*words, "--no-prompt").out.splitlines()] == items


def test_fewer_than_wanted_is_reported(seqnets, run_folder):
    outcome = seqnets("sample", run_folder, "--items", 3, "--temperature", 0, "--seed", 0)
    assert (outcome.code, outcome.out.count("\n")) == (0, 1)
    assert outcome.err.startswith("seqnets: only 1 of 3 items could be drawn: of 1,024 draws, 1,023 were drawn before;")


def test_only_known_items_is_an_error(seqnets, run_folder, tmp_path):
    (tmp_path / "one.txt").write_text("ab\nba\n" * 20)
    words = ("--items", "lines", "--data.validation-fraction", 0, "--train.learning-rate", 0.05, *SMALL)
    assert seqnets("train", "one.txt", *words).code == 0
    outcome = seqnets("sample", "runs/one", "--items", 2, "--new", "--temperature", 0, "--seed", 1)
    assert (outcome.code, outcome.out) == (2, "")
    assert "no item could be drawn: of 1,024 draws, 1,024 were in the training text; raise --temperature" in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--new",), "give --items N as well"),
        (("--items", 0), "--items must be at least 1"),
        (("--items", 2, "--beam", 2), "so --beam has no effect"),
        (("--items", 2, "--samples", 2), "so --samples has no effect"),
        (("--items", 2, "--stop", "a"), "so --stop has no effect"),
    ],
)
def test_what_does_not_fit_is_refused(seqnets, run_folder, words, message):
    outcome = seqnets("sample", run_folder, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_a_run_without_items_says_how_to_train_one(seqnets, corpus):
    assert seqnets("train", corpus, *SMALL).code == 0
    assert "does not know where items end; train it with" in seqnets("sample", "runs/numbers", "--items", 2).err
    assert seqnets("train", corpus, "--out", "runs/lines", "--data.separator", r"\n", *SMALL).code == 0
    assert seqnets("sample", "runs/lines", "--items", 2, "--seed", 0, "--temperature", 3).out.count("\n") == 2
    assert "so --new cannot leave them out" in seqnets("sample", "runs/lines", "--items", 2, "--new").err


def test_damaged_hashes_are_noticed(seqnets, run_folder, tmp_path):
    import shutil

    copy = shutil.copytree(run_folder, tmp_path / "copy")
    content = bytearray((copy / "items.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "items.safetensors").write_bytes(content)
    outcome = seqnets("sample", copy, "--items", 2, "--new")
    assert (outcome.code, "does not match its checksum" in outcome.err) == (2, True)
    assert "items.safetensors" in seqnets("verify", copy).err
    (copy / "items.safetensors").unlink()
    assert "has no items.safetensors" in seqnets("sample", copy, "--items", 2, "--new").err


def test_paragraphs(seqnets, tmp_path):
    (tmp_path / "poems.txt").write_text("\n\n".join(f"{a}\n{b}" for a in NAMES[:9] for b in NAMES[:9]))
    assert seqnets("train", "poems.txt", "--items", "paragraphs", *SMALL).code == 0
    outcome = seqnets("sample", "runs/poems", "--items", 3, "--new", "--seed", 2)
    assert outcome.code == 0
    assert len([poem for poem in outcome.out.split("\n\n") if poem]) == 3


def test_a_run_of_items_resumes_and_refuses_another_kind(seqnets, corpus):
    words = ("train", corpus, "--items", "lines", *SMALL, "--data.validation-fraction", 0)
    corpus.write_text("".join(f"{name}\n" for name in NAMES))
    assert seqnets(*words).code == 0
    assert "is complete" in seqnets(*words).err
    other = seqnets("train", corpus, "--items", "paragraphs", *SMALL, "--data.validation-fraction", 0)
    assert (other.code, "cannot be continued" in other.err) == (2, True)

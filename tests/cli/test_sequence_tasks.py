"""The sequence tasks from the command line: train, use, and the mistakes people make."""

import io
import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqnets.tasks import TASKS

TINY = ("--train.steps", 2, "--train.batch-size", 4, "--model.hidden-features", 4, "--model.embedding-features", 3)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "reviews.csv").write_text("text,label\n" + "".join(f"good {n},yes\nbad {n},no\n" for n in range(10)))
    (tmp_path / "names.tsv").write_text("".join(f"Mr\tO\nSmith{n}\tNAME\n\n" for n in range(10)))
    (tmp_path / "pairs.tsv").write_text("".join(f"{n} cats\t{n} Katzen\n" for n in range(10)))
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "frames.npz", inputs=draw.standard_normal((9, 5, 2)), labels=draw.integers(0, 2, (9, 5)))
    (tmp_path / "pictures").mkdir()
    for n in range(6):
        Image.new("RGB", (9, 9), (40 * n, 0, 0)).save(tmp_path / "pictures" / f"{n}.png")
    questions = [["is it bright?", "yes" if n > 2 else "no", n] for n in range(6)]
    (tmp_path / "questions.json").write_text(json.dumps(questions))


def inspected(seqnets, run, panels, other):
    """The findings about a run as JSON; they are also on its page, and in a figure of other data."""
    assert seqnets("show", run, "--html", "page.html").code == 0
    data = json.loads(Path("page.html").read_text().partition('id="data">')[2].partition("</script>")[0])
    assert [panel["name"] for panel in data["panels"]] == [*panels, "curves", "model"]
    found = seqnets("inspect", run, "--json")
    assert (found.code, found.err) == (0, "")
    drawn = seqnets("inspect", run, other, "--figure", "found.png")
    assert (drawn.code, drawn.err) == (0, "")
    assert Path("found.png").stat().st_size > 5_000
    assert other in drawn.out
    return json.loads(found.out)


def test_texts_are_classified(seqnets, files):
    trained = seqnets("train", "text-classifier", "reviews.csv", *TINY)
    assert trained.code == 0, trained.err
    assert "20 texts (18 for train, 2 for validation), 16 characters, 2 labels: no, yes" in trained.err
    assert "seqnets predict runs/reviews-classifier --text" in trained.out
    found = seqnets("predict", "runs/reviews-classifier", "--text", "so good", "--json")
    entry = json.loads(found.out)
    assert (entry["text"], set(entry["probabilities"])) == ("so good", {"yes", "no"})
    assert sum(entry["probabilities"].values()) == pytest.approx(1)
    Path("lines.txt").write_bytes("one\r\n\ntwo\u2028two\x0c\x85\rthree".encode())
    lines = seqnets("predict", "runs/reviews-classifier", "lines.txt").out.removesuffix("\n").split("\n")
    assert [line.split("\t")[2:] for line in lines] == [["one"], [], ["two\u2028two\x0c\x85"], ["three"]]
    entries = seqnets("predict", "runs/reviews-classifier", "lines.txt", "--json").out.split("\n")[:-1]
    assert [json.loads(entry)["label"] is None for entry in entries] == [False, True, False, False]
    assert tomllib.loads(Path("runs/reviews-classifier/config.toml").read_text())["texts"] == [
        str(Path("reviews.csv").absolute())
    ]
    Path("others.csv").write_text("text,label\ngood,yes\nbad,maybe\n")
    found = inspected(seqnets, "runs/reviews-classifier", ["classes", "confusion"], "others.csv")
    assert (found["text"], found["confusion"]["examples"]) == ("the validation split", 2)
    metrics = Path("runs/reviews-classifier/metrics.jsonl").read_text().splitlines()
    assert found["confusion"]["accuracy"] == json.loads(metrics[-1])["validation_accuracy"]
    Path("reviews.csv").write_text(Path("reviews.csv").read_text().replace("good", "fine"))
    assert "have changed since" in seqnets("inspect", "runs/reviews-classifier").err


def test_tokens_are_labeled(seqnets, files):
    assert seqnets("train", "tagger", "names.tsv", *TINY).code == 0
    found = seqnets("predict", "runs/names-tagger", "--text", "Mr Smith3 left")
    assert [line.split("\t")[0] for line in found.out.splitlines()] == ["Mr", "Smith3", "left", ""]
    Path("lines.txt").write_text("\nMr\n\n \n")
    entries = seqnets("predict", "runs/names-tagger", "lines.txt", "--json").out.split("\n")[:-1]
    assert [json.loads(entry)["tokens"] for entry in entries] == [[], ["Mr"], [], []]
    entry = json.loads(seqnets("predict", "runs/names-tagger", "--text", "Mr Smith3", "--json").out)
    assert len(entry["labels"]) == len(entry["probabilities"]) == 2
    assert inspected(seqnets, "runs/names-tagger", ["labels", "confusion"], "names.tsv")["confusion"]["examples"] == 2


def test_frames_are_labeled(seqnets, files):
    assert seqnets("train", "tagger", "frames.npz", *TINY).code == 0
    found = seqnets("predict", "runs/frames-tagger", "frames.npz")
    assert [len(line.split()) for line in found.out.splitlines()] == [5] * 9
    assert inspected(seqnets, "runs/frames-tagger", ["labels", "confusion"], "frames.npz")["confusion"]["examples"] == 5
    assert "numeric frames, not texts" in seqnets("predict", "runs/frames-tagger", "--text", "hello").err
    both = seqnets("train", "tagger", "frames.npz", "names.tsv")
    assert (both.code, "give it alone" in both.err) == (2, True)


def test_trees_are_labeled(seqnets, files):
    Path("trees.txt").write_text("".join(f"({n % 2} (0 a{n}) (1 (1 b) ({n % 2} c)))\n" for n in range(20)))
    trained = seqnets("train", "tree-classifier", "trees.txt", "--validation", "trees.txt", *TINY[:6])
    assert trained.code == 0, trained.err
    assert "40 trees (20 for train, 20 for validation)" in trained.err
    run = "runs/trees-tree-classifier"
    lines = seqnets("predict", run, "--text", "(a1 (b c))", "--text", "", "--text", "(0 (0 a1) (1 b))").out.split("\n")
    assert [line.count("(") for line in lines] == [5, 0, 3, 0]
    entry = json.loads(seqnets("predict", run, "--text", "(a1 (b c))", "--json").out)
    assert [node["phrase"] for node in entry["nodes"]] == ["a1", "b", "c", "b c", "a1 b c"]
    assert entry["label"] == entry["nodes"][-1]["label"]
    found = inspected(seqnets, run, ["trees", "confusion"], "trees.txt")
    assert found["confusion"]["examples"] == 100
    pytest.importorskip("matplotlib")
    assert seqnets("predict", run, "--text", "(a1 (b c))", "--figure", "tree.png").code == 0
    assert Path("tree.png").read_bytes().startswith(b"\x89PNG")
    refused = seqnets("predict", run, "--text", "(a (b c)")
    assert (refused.code, "lacks 1 closing parentheses" in refused.err) == (2, True)
    assert "must hold a single tree" in seqnets("predict", run, "--text", "(a) (b)").err
    assert "--beam is for runs of translator" in seqnets("predict", run, "--text", "(a)", "--beam", 3).err


def test_texts_are_translated(seqnets, files):
    assert seqnets("train", "translator", "pairs.tsv", *TINY).code == 0
    words = ("predict", "runs/pairs-translator", "--text", "3 cats", "--max-length", 5)
    entry = json.loads(seqnets(*words, "--beam", 2, "--n-best", 2, "--json").out)
    assert entry["source"] == "3 cats"
    scores = [one["log_prob"] for one in entry["translations"]]
    assert len(scores) == 2
    Path("others.tsv").write_text("cats 3\tKatzen\n" + "x" * 99 + "\ty\n")
    (pair,) = inspected(seqnets, "runs/pairs-translator", ["translations"], "others.tsv")["translations"]
    assert pair["target"].endswith(" Katzen")
    assert np.shape(pair["beam of 5"][0]["attention"])[-1] == len(pair["source"])
    pytest.importorskip("matplotlib")
    refused = seqnets(*words, "--figure", "a.doc")
    assert (refused.code, refused.out, "cannot draw a 'doc'" in refused.err) == (2, "", True)
    drawn = seqnets(*words, "--figure", "a.png")
    assert drawn.code == 0, drawn.err
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_questions_are_answered(seqnets, files):
    words = ("--images", "pictures", "--questions", "questions.json", "--model.image-size", 16, "--model.encoder-width", 2)
    test = ("--test-questions", "questions.json", "--data.validation-fraction", 0.2, "--model.attention", "additive")
    trained = seqnets("train", "vqa", *words, *test, *TINY)
    assert trained.code == 0, trained.err
    assert "on 6 questions about 6 pictures" in trained.out
    found = seqnets("answer", "runs/questions-vqa", "pictures/1.png", "is it bright?", "is it?", "--json")
    entries = [json.loads(line) for line in found.out.splitlines()]
    assert [entry["question"] for entry in entries] == ["is it bright?", "is it?"]
    assert sum(top["probability"] for top in entries[0]["top"]) == pytest.approx(1)
    pytest.importorskip("matplotlib")
    assert seqnets("answer", "runs/questions-vqa", "pictures/1.png", "is it?", "what?", "--figure", "seen.png").code == 0
    refused = seqnets("answer", "runs/questions-vqa", "pictures/1.png", "is it?", "--figure", "seen.doc")
    assert (refused.code, refused.out, "cannot draw a 'doc'" in refused.err) == (2, "", True)
    assert Path("seen-1.png").exists()
    assert Path("seen-2.png").exists()


@pytest.mark.parametrize("layouts", ["given", "learned"])
def test_questions_are_answered_by_modules(seqnets, files, layouts):
    pictures = np.stack([np.full((9, 9, 3), 40 * n, np.uint8) for n in range(6)])
    np.savez("pictures.npz", images=pictures)
    words = ("--images", "pictures.npz", "--questions", "questions.json", "--test-questions", "questions.json")
    shape = ("--model.kind", "modules", "--model.layouts", layouts, "--model.image-size", 9)
    small = (*shape, "--data.validation-fraction", 0.2, *TINY)
    trained = seqnets("train", "vqa", *words, *small)
    assert trained.code == 0, trained.err
    assert "on 6 questions about 6 pictures" in trained.out
    assert ("no question has a layout, so the policy" in trained.err) == (layouts == "learned")
    run = "runs/questions-vqa"
    found = seqnets("answer", run, "pictures/1.png", "is it bright?", "is it left of a dog?", "--json")
    assert len(found.out.splitlines()) == 2, found.err
    assert seqnets("show", run, "--html", "page.html").code == 0
    data = json.loads(Path("page.html").read_text().partition('id="data">')[2].partition("</script>")[0])
    (panel,) = (one for one in data["panels"] if one["name"] == "questions")
    looks = panel["data"]["examples"][0]["looks"]
    assert looks == ["find bright"] if layouts == "given" else looks[0].startswith("find ")  # whatever it learned in a few steps
    pytest.importorskip("matplotlib")
    assert seqnets("answer", run, "pictures/1.png", "is it left of a dog?", "--figure", "seen.png").code == 0
    assert Path("seen.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "vqa"), "--images DIR"),
        (("train", "vqa", "--images", "none", "--questions", "questions.json"), "'none' is not a folder"),
        (("train", "vqa", "--images", "pictures", "--model.layouts", "learned"), "add --model.kind modules"),
        (("train", "text-classifier", "none.csv"), "no such file or folder"),
        (("train", "tagger", "reviews.csv", "--data.max-length", 0), "data.max_length must be at least 1"),
        (("train", "translator", "pairs.tsv", "--model.dropout", 1), "model.dropout must be at least 0 and below 1"),
        (("predict", "none", "--text", "a"), "'none' is not a folder"),
        (("answer", "none", "pictures/1.png", "why?"), "'none' is not a folder"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(seqnets, files, words, message):
    outcome = seqnets(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["text-classifier", "tagger", "translator", "vqa"])
def test_every_setting_is_explained(seqnets, name):
    help_text = seqnets("train", name, "--help").out
    assert "--model.unknown-rate X" in help_text
    assert TASKS[name].summary in help_text
    described = help_text.partition("[model]:")[2]
    assert "Units of each recurrent layer and direction" in described


def test_predict_says_what_it_is_not_for(seqnets, files):
    seqnets("train", "text-classifier", "reviews.csv", *TINY)
    folder = "runs/reviews-classifier"
    assert "--beam is for runs of translator" in seqnets("predict", folder, "--text", "a", "--beam", 3).err
    assert "give texts as files" in seqnets("predict", folder).err
    assert f"try `seqnets predict {folder} --text TEXT`" in seqnets("answer", folder, "pictures/1.png", "why?").err


def test_texts_from_standard_input_are_utf_8_whatever_the_locale(seqnets, files, monkeypatch):
    assert seqnets("train", "text-classifier", "reviews.csv", *TINY).code == 0

    def piped(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
        return seqnets("predict", "runs/reviews-classifier", "-", "--json")

    entries = piped("\ufeffgüt\r\nbad\n".encode()).out.split("\n")[:-1]
    assert [json.loads(entry)["text"] for entry in entries] == ["güt", "bad"]
    refused = piped("güt".encode("latin-1"))
    assert (refused.code, refused.out) == (2, "")
    assert "standard input" in refused.err
    assert "UTF-8" in refused.err

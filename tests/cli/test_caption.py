"""`seqnets caption`: lines, JSON, COCO results that `seqnets score` reads, pictures and pages, and images it cannot use."""

import json
from dataclasses import asdict

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.data import Vocabulary
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.decode import decode_captions, extract_features
from seqnets.decode.captions.hypothesis import square_grid
from seqnets.models import create_model
from seqnets.models.captioner import Captioner
from seqnets.models.char_lm import CharLM
from seqnets.run import load, write_json, write_weights

WORDS = WordVocabulary.from_captions(["a small red circle above a blue square"])


def make_run(folder, **settings):
    sizes = {"image_size": 16, "encoder_width": 2, "hidden_features": 8, "embedding_features": 6}
    model = Captioner(WORDS, rngs=nnx.Rngs(0), **sizes, **settings)
    graph, values = nnx.split(model)
    model = nnx.merge(graph, jax.tree.map(lambda leaf: 3 * leaf, values))
    folder.mkdir()
    header = {"format": "seqnets-run", "format_version": 1, "task": "captioner", "train": {}, "data": {}}
    write_json(folder / "config.json", {**header, "model": model.describe()})
    write_json(folder / "vocabulary.json", WORDS.to_json())
    write_weights(folder / "model.safetensors", nnx.state(model))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("captioner") / "run")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "more/b.jpg", "more/COCO_val2014_000000000042.jpg"):
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8)).save(folder / name)
    (folder / "broken.jpg").write_bytes((folder / "more/b.jpg").read_bytes()[:200])
    return folder


def test_one_image_gives_its_caption_alone(seqnets, run, photos):
    outcome = seqnets("caption", run, photos / "a.png")
    assert (outcome.code, outcome.err) == (0, "")
    (line,) = outcome.out.splitlines()
    assert set(line.split()) <= set(WORDS.words)
    assert seqnets("caption", run, photos / "a.png").out == outcome.out


def test_a_folder_gives_a_line_each_and_tells_what_is_broken(seqnets, run, photos):
    outcome = seqnets("caption", run, photos)
    assert outcome.code == 0
    files = [line.partition("\t")[0] for line in outcome.out.splitlines()]
    names = ["a.png", "more/COCO_val2014_000000000042.jpg", "more/b.jpg"]
    assert files == [str(photos / name) for name in names]
    assert outcome.err.startswith(f"seqnets: left out: '{photos}/broken.jpg' is damaged or cut short")
    assert outcome.err.splitlines()[1:] == ["seqnets: 1 of 4 images is left out"]
    single = [seqnets("caption", run, photos / name).out.strip() for name in names]
    assert [line.partition("\t")[2] for line in outcome.out.splitlines()] == single


def test_only_broken_images(seqnets, run, photos):
    outcome = seqnets("caption", run, photos / "broken.jpg", "--out", "captions.json")
    assert (outcome.code, outcome.out) == (2, "")
    assert not (photos.parent / "captions.json").exists()


def test_results_are_what_score_reads(seqnets, run, photos, tmp_path):
    seqnets("caption", run, photos, "--out", "captions.json")
    results = json.loads((tmp_path / "captions.json").read_text())
    assert [entry["image_id"] for entry in results] == [str(photos / "a.png"), 42, str(photos / "more/b.jpg")]
    annotations = [{"image_id": entry["image_id"], "id": 0, "caption": entry["caption"]} for entry in results]
    (tmp_path / "references.json").write_text(json.dumps({"images": [], "annotations": annotations}))
    outcome = seqnets("score", "captions.json", "references.json", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["BLEU-1"] == pytest.approx(1)


def test_json_and_n_best(seqnets, run, photos):
    outcome = seqnets("caption", run, photos / "a.png", "--json", "--n-best", "3", "--beam", "4", "--max-length", 5)
    (entry,) = json.loads(outcome.out)
    assert entry["image_id"] == str(photos / "a.png")
    scores = [caption["score"] for caption in entry["captions"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert all(caption["log_prob"] <= caption["score"] <= 0 for caption in entry["captions"])
    lines = seqnets("caption", run, photos / "a.png", "--n-best", "3", "--beam", "4", "--max-length", 5).out.splitlines()
    assert lines == [caption["caption"] for caption in entry["captions"]]


def test_drawing(seqnets, run, photos):
    def drawn(seed):
        return seqnets("caption", run, photos / "a.png", "--temperature", 1.5, "--n-best", 4, "--seed", seed)

    assert drawn(1).out == drawn(1).out != drawn(2).out
    unseeded = seqnets("caption", run, photos / "a.png", "--top-k", 5)
    assert unseeded.err.startswith("seqnets: seed ")
    assert seqnets("caption", run, photos / "a.png", "--top-k", 5, "--seed", unseeded.err.split()[-1]).out == unseeded.out


def test_pictures_and_page(seqnets, run, photos, tmp_path):
    pytest.importorskip("matplotlib")
    words = ("caption", run, photos / "a.png", photos / "more", "--max-length", 4)
    assert seqnets(*words, "--figure", "out.png", "--html", "page.html").code == 0
    names = ["out-COCO_val2014_000000000042.png", "out-a.png", "out-b.png"]
    assert sorted(path.name for path in tmp_path.glob("out*")) == names
    assert (tmp_path / "page.html").read_text().count("data:image/png;base64,") == 3
    assert seqnets(*words[:3], "--figure", "one.svg").code == 0
    assert (tmp_path / "one.svg").read_text().lstrip().startswith("<?xml")


MISUSES = {
    "no run": (["nothing", "a.png"], "'nothing' is not a folder"),
    "no image": (["RUN", "nothing.png"], "'nothing.png' does not exist"),
    "beam": (["RUN", "PHOTOS", "--beam", 2, "--n-best", 3], "a beam of 2 finds 2 captions at most"),
    "drawing and beam": (["RUN", "PHOTOS", "--beam", 2, "--top-p", 0.5], "--top-p draws and --beam searches"),
    "drawing and greedy": (["RUN", "PHOTOS", "--method", "greedy", "--temperature", 1], "--temperature is for drawing"),
    "seed": (["RUN", "PHOTOS", "--seed", -1], "--seed must be at least 0"),
    "folder": (["RUN", "PHOTOS", "--out", "no/such/x.json"], "the folder 'no/such' does not exist"),
    "figure": (["RUN", "PHOTOS/a.png", "--figure", "x.docx"], "--figure x.docx: cannot draw a 'docx'; end it in .png"),
    "batch": (["RUN", "PHOTOS", "--batch-size", 0], "--batch-size must be at least 1"),
    "store": (["RUN", "PHOTOS", "--features", "nothing"], "'nothing' is not a feature store"),
}


@pytest.mark.parametrize("case", MISUSES)
def test_misuse_is_one_sentence(seqnets, run, photos, case):
    words, message = MISUSES[case]
    named = {"RUN": str(run), "PHOTOS": str(photos)}
    outcome = seqnets("caption", *(str(word).replace("PHOTOS", named["PHOTOS"]).replace("RUN", named["RUN"]) for word in words))
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_two_images_of_one_name(seqnets, run, photos, tmp_path):
    Image.new("RGB", (8, 8)).save(photos / "more" / "a.png")
    for folder in "xy":  # as cameras number the pictures of each day
        (photos / folder).mkdir()
        Image.new("RGB", (8, 8), (folder == "x" and "red") or "blue").save(photos / folder / "000000000001.png")
    outcome = seqnets("caption", run, "photos", "./photos/a.png", "--out", "c.json", "--html", "p.html", "--figure", "f.png")
    assert outcome.code == 0, outcome.err
    results = json.loads((tmp_path / "c.json").read_text())
    names = ["a.png", "more/a.png", "more/b.jpg", "x/000000000001.png", "y/000000000001.png"]
    assert [each["image_id"] for each in results] == ["photos/a.png", 42, *(f"photos/{name}" for name in names[1:])]
    assert (tmp_path / "p.html").read_text().count("data:image/") == len(results) == len(list(tmp_path.glob("f*.png")))
    lines = ["image,caption", *(f"{each['image_id']},{each['caption']}" for each in results if each["image_id"] != 42)]
    (tmp_path / "c.csv").write_text("\n".join([*lines, f"COCO_val2014_000000000042.jpg,{results[1]['caption']}"]))
    scores = seqnets("score", "c.json", "c.csv", "--json")
    assert json.loads(scores.out)["BLEU-1"] == pytest.approx(1)


def test_without_attention(seqnets, photos, tmp_path):
    blind = make_run(tmp_path / "blind", attention="none")
    assert seqnets("caption", blind, photos / "a.png").code == 0
    assert seqnets("caption", blind, photos / "a.png", "--html", "page.html").code == 0
    assert '"maps":null' in (tmp_path / "page.html").read_text()
    outcome = seqnets("caption", blind, photos / "a.png", "--figure", "a.png")
    assert outcome.code == 2
    assert "this captioner has no attention" in outcome.err


def test_stored_features(seqnets, photos, tmp_path):
    rule = Preprocessing(resize=(28, 28), crop=None)
    network = create_model("lenet5", in_channels=3, rngs=nnx.Rngs(1))
    files = sorted(photos.rglob("*.[pj]*g"))
    kept = extract_features(network, files, tmp_path / "store", name="lenet5", layers=["stage2"], preprocessing=rule)
    shape = kept.layers["stage2"].shape
    folder = make_run(tmp_path / "stored", encoder="features", feature_map=(*square_grid(shape[0]), shape[-1]))
    Image.new("RGB", (8, 8)).save(photos / "new.png")
    words = ("caption", folder, photos / "a.png", photos / "broken.jpg", photos / "new.png", photos / "more/b.jpg")
    outcome = seqnets(*words, "--features", "store", "--html", "page.html")
    assert outcome.code == 0
    assert "broken.jpg' has no features: " in outcome.err
    assert "new.png' is not in the store" in outcome.err
    model = load(folder).model
    features = kept.gather([photos / "a.png", photos / "more/b.jpg"])
    expected = [captions[0].text for captions in decode_captions(model, features)]
    assert [line.partition("\t")[2] for line in outcome.out.splitlines()] == expected
    assert (tmp_path / "page.html").read_text().count("data:image/") == 2
    without = seqnets(*words)
    assert without.code == 2
    assert "reads stored features, not images" in without.err


def test_another_model(seqnets, run, photos, tmp_path):
    other = tmp_path / "text"
    other.mkdir()
    model = CharLM(Vocabulary.from_text("ab"), hidden_features=4, rngs=nnx.Rngs(0))
    header = json.loads((run / "config.json").read_text())
    write_json(other / "config.json", {**header, "task": "text", "model": {"kind": "CharLM", "config": asdict(model.config)}})
    write_json(other / "vocabulary.json", model.vocabulary.to_json())
    write_weights(other / "model.safetensors", nnx.state(model))
    outcome = seqnets("caption", "text", photos / "a.png")
    assert outcome.code == 2
    assert "'text' is a run of `seqnets train text`; try `seqnets sample text`" in outcome.err
    assert "give a run of `seqnets train captioner`" in outcome.err

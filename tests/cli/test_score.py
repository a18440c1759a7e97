"""`seqnets score`: figures as JSON and as a table, and what it says to files it cannot use."""

import json
import math

import pytest

RESULTS = [{"image_id": 1, "caption": "A dog runs."}, {"image_id": "b.jpg", "caption": "two cats on a sofa"}]
ANNOTATIONS = [
    {"image_id": "b.jpg", "id": 0, "caption": "Two cats sleep on a sofa."},
    {"image_id": 1, "id": 1, "caption": "A dog is running."},
    {"image_id": 1, "id": 1, "caption": "The dog runs fast."},
]
KEYS = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr", "images"]


@pytest.fixture
def files(tmp_path):
    """Write both files; anything but text and bytes is written as JSON."""

    def write(results=RESULTS, annotations=ANNOTATIONS, references=None):
        references = {"images": [{"id": 1}, {"id": "b.jpg"}], "annotations": annotations} if references is None else references
        for name, content in (("results.json", results), ("references.json", references)):
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            (tmp_path / name).write_bytes(data)
        return "results.json", "references.json"

    return write


def test_json_holds_the_figures(seqnets, files):
    from seqnets.metrics import Scorer

    outcome = seqnets("score", *files(), "--json")
    assert (outcome.code, outcome.err) == (0, "")
    figures = json.loads(outcome.out)
    assert list(figures) == KEYS
    captions = {1: ["A dog is running.", "The dog runs fast."], "b.jpg": ["Two cats sleep on a sofa."]}
    expected = Scorer(captions)({entry["image_id"]: entry["caption"] for entry in RESULTS})
    assert figures == {**expected.corpus, "images": 2}


def test_json_of_every_image(seqnets, files):
    outcome = seqnets("score", *files(), "--json", "--per-image")
    rows = json.loads(outcome.out)["per_image"]
    assert [list(row) for row in rows] == [["image_id", *KEYS[:-1]]] * 2
    assert [row["image_id"] for row in rows] == [1, "b.jpg"]
    assert rows[0]["BLEU-1"] == pytest.approx(math.exp(1 - 4 / 3))  # every word matches, but one is missing
    assert json.loads(outcome.out)["CIDEr"] == pytest.approx(sum(row["CIDEr"] for row in rows) / 2)


def test_figures_of_the_reference_code(seqnets, files, shared_data):
    folder = shared_data / "metrics"
    given = json.loads((folder / "input_fakecap126.json").read_text(encoding="utf-8"))
    expected = json.loads((folder / "expected_fakecap126.json").read_text(encoding="utf-8"))["scores"]
    results = [{"image_id": int(image), "caption": caption} for image, caption in given["results"].items()]
    annotations = [{"image_id": int(i), "caption": caption} for i, captions in given["refs"].items() for caption in captions]
    figures = json.loads(seqnets("score", *files(results, annotations), "--json").out)
    theirs = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr", "n_images"]
    assert [figures[key] for key in KEYS] == pytest.approx([expected[key] for key in theirs], abs=1e-12)


def test_table_for_people(seqnets, files):
    outcome = seqnets("score", *files(), "--per-image")
    lines = outcome.out.splitlines()
    assert outcome.code == 0
    assert all(name in outcome.out for name in KEYS)
    assert any("b.jpg" in line for line in lines)
    assert any("all 2" in line for line in lines)
    assert "2 images" in seqnets("score", *files()).out


def test_partial_results_are_scored_among_themselves(seqnets, files):
    more = [*ANNOTATIONS, {"image_id": 3, "caption": "a bird on a wire"}]
    whole = json.loads(seqnets("score", *files(), "--json").out)
    part = json.loads(seqnets("score", *files(annotations=more), "--json", "--partial").out)
    assert part == whole


def test_captions_without_a_word_are_reported(seqnets, files):
    results = [{"image_id": 1, "caption": ""}, {"image_id": "b.jpg", "caption": "a sofa"}]
    outcome = seqnets("score", *files(results), "--json")
    assert (outcome.code, outcome.err) == (0, "seqnets: 1 of 2 captions have no word and score 0\n")


def test_references_without_a_word_end_nothing(seqnets, files):
    annotations = [*ANNOTATIONS, {"image_id": 3, "caption": "🐕"}, {"image_id": 3, "caption": "..."}]
    results = [*RESULTS, {"image_id": 3, "caption": "a dog"}]
    outcome = seqnets("score", *files(results, annotations), "--json", "--per-image")
    assert (outcome.code, outcome.err) == (0, "seqnets: 1 of 3 images have no reference with a word and score 0\n")
    assert {**json.loads(outcome.out)["per_image"][2], "image_id": 0} == {"image_id": 0, **dict.fromkeys(KEYS[:-1], 0)}


FORMS = {
    "coco": {
        "images": [{"id": n, "file_name": f"{folder}/1.jpg"} for n, folder in enumerate("ab")],
        "annotations": [{"image_id": 0, "caption": "a red dog runs"}, {"image_id": 1, "caption": "two cats sleep here"}],
    },
    "karpathy": {
        "images": [
            {"filename": f"{folder}/1.jpg", "split": "test", "sentences": [{"raw": text}]}
            for folder, text in (("a", "a red dog runs"), ("b", "two cats sleep here"))
        ]
    },
    "csv": b"image,caption\na/1.jpg,a red dog runs\nb/1.jpg,two cats sleep here\n",
    "without a header": b"a/1.jpg,a red dog runs\nb/1.jpg,two cats sleep here\n",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", ["", "photos/", "/data/photos/", ".\\"])
def test_results_by_file_name(seqnets, files, form, before):
    texts = {"a": "A red dog runs.", "b": "Two cats sleep here!"}
    results = [{"image_id": f"{before}{folder}/1.jpg", "caption": text} for folder, text in texts.items()]
    outcome = seqnets("score", *files(results, references=FORMS[form]), "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out)["CIDEr"] == pytest.approx(10)


def test_a_file_name_of_two_images(seqnets, files):
    outcome = seqnets("score", *files([{"image_id": "1.jpg", "caption": "a dog"}], references=FORMS["coco"]), "--partial")
    assert outcome.code == 2
    assert "image '1.jpg' of the results matches several of the references; give more of its path" in outcome.err
    advised = files([{"image_id": "a/1.jpg", "caption": "a dog"}], references=FORMS["coco"])
    assert seqnets("score", *advised, "--partial").code == 0


def test_scripts_without_spaces(seqnets, files):
    texts = ["一只棕色的狗在草地上奔跑", "两只猫睡在沙发上"]
    annotations = [{"image_id": number, "caption": text} for number, text in enumerate(texts)]
    results = [{"image_id": number, "caption": f"{text}吧。"} for number, text in enumerate(texts)]
    outcome = seqnets("score", *files(results, annotations), "--json")
    assert json.loads(outcome.out)["CIDEr"] > 5
    assert "each character counts as a word; --unit words undoes that" in outcome.err
    words = seqnets("score", *files(results, annotations), "--json", "--unit", "words")
    assert json.loads(words.out)["BLEU-4"] == json.loads(words.out)["CIDEr"] == 0
    assert "a whole sentence counts as one word; try --unit chars" in words.err
    assert seqnets("score", *files(results, annotations), "--json", "--unit", "chars").out == outcome.out


def test_one_bad_annotation_of_many_is_reported(seqnets, files):
    many = [{"image_id": 1, "caption": f"a dog runs {n} times"} for n in range(200)]
    for bad in ({"image_id": 1, "caption": None}, {"image_id": None, "caption": "a"}, 3):
        outcome = seqnets("score", *files(RESULTS, [*ANNOTATIONS, *many, bad]), "--json")
        assert outcome.code == 0
        assert outcome.err.startswith("seqnets: 1 of 204 captions cannot be used and is left out: annotation 203 of")


def test_cider_of_one_image_is_reported(seqnets, files):
    outcome = seqnets("score", *files(RESULTS[:1]), "--json", "--partial")
    assert (outcome.code, json.loads(outcome.out)["CIDEr"]) == (0, 0)
    assert outcome.err == "seqnets: CIDEr of a single image is always 0; score at least two\n"


def entry(**fields):
    return [{"image_id": 1, "caption": "a dog", **fields}]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"results": b"{"}, "line 1, column 2 of the file of results 'results.json' is not JSON: Expecting property name"),
        ({"results": b""}, "line 1, column 1 of the file of results 'results.json' is not JSON: Expecting value"),
        ({"results": b"\xff\xfe\xfa"}, "the file of results 'results.json' is not UTF-8 (at byte 0)"),
        ({"results": b"[" * 200_000}, "the file of results 'results.json' cannot be read: it is nested too deeply"),
        ({"results": []}, "results 'results.json' hold no captions; give at least one"),
        ({"results": {}}, 'results \'results.json\' must be [{"image_id": 1, "caption": "a dog"}, ...], not an empty object'),
        ({"results": {"1": "a dog"}}, "results 'results.json' must be"),
        (
            {"results": {"annotations": []}},
            "results 'results.json' hold references (an object with annotations); name the results",
        ),
        ({"results": "dog"}, "results 'results.json' must be"),
        ({"results": None}, "results 'results.json' must be"),
        ({"results": ["dog"]}, 'entry 0 of results \'results.json\' must be {"image_id": ..., "caption": ...}, not a text'),
        ({"results": [{"caption": "dog"}]}, "entry 0 of results 'results.json' has no 'image_id', only 'caption'; give it one"),
        ({"results": [{}]}, "entry 0 of results 'results.json' has no 'image_id', only nothing; give it one"),
        ({"results": entry(caption=None)}, "'caption' in entry 0 of results 'results.json' must be a text, not null"),
        (
            {"results": entry(caption=["a"])},
            "'caption' in entry 0 of results 'results.json' must be a text, not a list ([\"a\"])",
        ),
        ({"results": entry(image_id=1.0)}, "'image_id' in entry 0 of results 'results.json' must be a whole number or a text"),
        ({"results": entry(image_id=True)}, "'image_id' in entry 0 of results 'results.json' must be a whole number or a text"),
        ({"results": entry(image_id={})}, "'image_id' in entry 0 of results 'results.json' must be a whole number or a text"),
        ({"results": entry() * 2}, "results 'results.json' caption image 1 twice (also at entry 1); keep one caption of it"),
        ({"results": entry()}, "1 of 2 images in the references has no caption in the results ('b.jpg'); caption them, or"),
        ({"results": entry(image_id=9)}, "1 of 1 image in the results has no reference caption (9); caption only images of the"),
        (
            {"results": entry(image_id="9")},
            "1 of 1 image in the results has no reference caption ('9'); caption only images of the",
        ),
        ({"results": [*entry(), *entry(image_id="1")]}, "1 and '1' in the results are both image 1 of the references; keep one"),
        ({"references": b"{]"}, "line 1, column 2 of 'references.json' is not JSON: Expecting property name"),
        ({"references": []}, "'references.json' has no captions; give COCO's captions JSON, Karpathy's JSON"),
        ({"references": {"images": []}}, "'references.json' has no captions; give COCO's captions JSON"),
        ({"references": {"annotations": {}}}, "'references.json' is JSON, but its form is unknown; give COCO's captions JSON"),
        ({"annotations": []}, "'references.json' has no captions; give COCO's captions JSON"),
        ({"annotations": [{"image_id": 1}]}, "annotation 0 of 'references.json' has no text 'caption'"),
        ({"annotations": [*ANNOTATIONS[:2], 3]}, "annotation 2 of 'references.json' must be"),
    ],
)
def test_files_that_cannot_be_used(seqnets, files, given, message):
    outcome = seqnets("score", *files(**given))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"seqnets: {message}")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("words", [("none.json", "references.json"), ("results.json", "none.json"), (".", "references.json")])
def test_absent_files_are_named(seqnets, files, words):
    files()
    outcome = seqnets("score", *words)
    assert (outcome.code, outcome.out) == (2, "")
    sentence = "cannot read 'none.json': " if "none.json" in words[1] else f"cannot read the file of results '{words[0]}': "
    assert outcome.err.startswith(f"seqnets: {sentence}")


def test_any_character_goes_through(seqnets, files):
    name = "é\u2028[b]\ud800"
    results, annotations = [{"image_id": name, "caption": "犬 😀"}], [{"image_id": name, "caption": "犬"}]
    assert json.loads(seqnets("score", *files(results, annotations), "--json", "--per-image").out)["BLEU-1"] == pytest.approx(1)
    assert "[b]" in seqnets("score", *files(results, annotations), "--per-image").out

"""Questions about pictures: the forms of files, how pictures are found, and what is left out."""

import json

import numpy as np
import pytest
from PIL import Image

from seqnets.data.examples.question_examples import Asked, QuestionConfig, look_up, question_examples
from seqnets.data.examples.questions import JSON_FORMS, Question, forms, read_questions
from seqnets.errors import UserError

TWO = [Question("7", "is it red?", "no"), Question("12", "what is it?", "a circle")]


def test_easy_vqa(tmp_path):
    path = tmp_path / "questions.json"
    path.write_text(json.dumps([["is it red?", "no", 7], ["what is it?", "a circle", 12]]))
    assert read_questions(path) == TWO


def test_vqa_v2(tmp_path):
    asked = [
        {"image_id": 7, "question": "is it red?", "question_id": 1},
        {"image_id": 12, "question": "what is it?", "question_id": 2},
    ]
    answered = [
        {"question_id": 2, "multiple_choice_answer": "a circle", "image_id": 12, "answers": []},
        {"question_id": 1, "multiple_choice_answer": "no", "image_id": 7, "answers": []},
    ]
    (tmp_path / "q.json").write_text(json.dumps({"questions": asked}))
    (tmp_path / "a.json").write_text(json.dumps({"annotations": answered}))
    assert read_questions(tmp_path / "q.json", tmp_path / "a.json") == TWO
    with pytest.raises(UserError, match="--annotations FILE"):
        read_questions(tmp_path / "q.json")
    (tmp_path / "a.json").write_text(json.dumps({"annotations": answered[:1]}))
    with pytest.raises(UserError, match=r"question 1 of .* lacks"):
        read_questions(tmp_path / "q.json", tmp_path / "a.json")


def test_a_table(tmp_path):
    (tmp_path / "q.csv").write_text("image,question,answer\n7,is it red?,no\n12,what is it?,a circle\n")
    assert read_questions(tmp_path / "q.csv") == TWO


ENTRIES = [{"question": "is it red?", "answer": "no"}, {"question": "what is it?", "answer": "a circle"}]
SETS = {
    "CLEVR": {"questions": [{"image_filename": n, "image_index": 3, **entry} for n, entry in zip(("7", "12"), ENTRIES)]},
    "GQA": {f"q{n}": {"imageId": n, "fullAnswer": "No.", **entry} for n, entry in zip(("7", "12"), ENTRIES)},
    "Visual Genome": [{"id": n, "qas": [{"qa_id": 1, **entry}]} for n, entry in zip((7, 12), ENTRIES)],
    "VQA-RAD": [{"qid": 5, "image_name": n, "answer_type": "OPEN", **entry} for n, entry in zip(("7", "12"), ENTRIES)],
    "SLAKE": [{"img_id": 99, "img_name": n, "q_lang": "en", **entry} for n, entry in zip(("7", "12"), ENTRIES)],
    "VQA with answers": {"questions": [{"image_id": n, **entry} for n, entry in zip((7, 12), ENTRIES)]},
}


@pytest.mark.parametrize("name", SETS)
def test_forms_of_json(tmp_path, name):
    (tmp_path / "q.json").write_text(json.dumps(SETS[name]))
    assert read_questions(tmp_path / "q.json") == TWO


def test_forms_are_listed_where_help_and_errors_need_them():
    from seqnets.tasks.vqa import RECIPE

    assert all(form.name in forms() for form in JSON_FORMS)
    assert RECIPE.words["--questions"]["help"] == forms()


@pytest.mark.parametrize("between", [";", "\t", "|"])
def test_tables_with_other_delimiters_and_names(tmp_path, between):
    lines = [("Image Name", "question", "answer"), ("7", "is it red?", "no"), ("12", "what is it?", "a circle")]
    (tmp_path / "q.csv").write_text("\n".join(map(between.join, lines)))
    assert read_questions(tmp_path / "q.csv") == TWO


@pytest.mark.parametrize("answer", ["", "  ", None, [], {}])
def test_a_question_without_an_answer_is_refused_or_left_out(tmp_path, answer):
    many, reported = [["is it red?", "no", n] for n in range(150)], []
    (tmp_path / "q.json").write_text(json.dumps([*many, ["is it blue?", answer, 3]]))
    assert len(read_questions(tmp_path / "q.json", tell=reported.append)) == 150
    assert reported[0].startswith("1 of 151 questions cannot be used and is left out: entry 150")
    (tmp_path / "q.json").write_text(json.dumps([["is it blue?", answer, 3]]))
    with pytest.raises(UserError, match="entry 0"):
        read_questions(tmp_path / "q.json")


def test_a_table_with_an_empty_answer_is_refused(tmp_path):
    (tmp_path / "q.csv").write_text("image,question,answer\n7,is it red?,\n12,what is it?,a circle\n")
    with pytest.raises(UserError, match=r"line 2 of .* has an empty 'answer'; fill it in"):
        read_questions(tmp_path / "q.csv")


def test_one_vqa_question_without_annotation_is_left_out(tmp_path):
    asked = [{"image_id": n, "question": "is it red?", "question_id": n} for n in range(200)]
    answered = [{"question_id": n, "multiple_choice_answer": "no"} for n in range(1, 200)]
    (tmp_path / "q.json").write_text(json.dumps({"questions": asked}))
    (tmp_path / "a.json").write_text(json.dumps({"annotations": answered}))
    with pytest.warns(UserWarning, match="1 of 200 questions cannot be used and is left out: question 0 of"):
        assert len(read_questions(tmp_path / "q.json", tmp_path / "a.json")) == 199


def test_answers_that_differ_in_case_and_blanks_are_one():
    answers = ["Yes", "yes", "yes ", " YES", "yes", "light  blue", "Light blue", "light blue"]
    questions = [Question(str(n), "?", answer) for n, answer in enumerate(answers)]
    asked = Asked(questions, np.arange(8, dtype=np.int32), np.zeros((8, 1, 1, 3), np.uint8), [])
    found = question_examples(asked, QuestionConfig(validation_fraction=0))
    assert found.answers == ("yes", "light blue")
    assert found.splits["train"].columns["label"].tolist() == [0] * 5 + [1] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[1, 2]]", "entry 0"),
        ("{}", "its form is unknown; give easy_vqa's JSON, CLEVR's JSON"),
        ("{", "is not JSON"),
        ("[]", "no question"),
    ],
)
def test_what_is_wrong_is_reported(tmp_path, content, message):
    (tmp_path / "q.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_questions(tmp_path / "q.json", "x.json" if content == "{}" else "")


def test_a_name_of_two_pictures_is_none(tmp_path):
    for name in ("a/1.png", "b/1.png", "b/dog.png", "COCO_val2014_000000000042.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    names = ["1", "1.png", "a/1.png", "pics/b/1", "dog", "42"]
    asked = look_up([Question(name, "?", "a") for name in names], tmp_path, 2)
    files = [asked.pictures.paths[row].removeprefix(f"{tmp_path}/") for row in asked.rows]
    assert [question.image for question in asked.questions] == names[2:]
    assert files == ["a/1.png", "b/1.png", "b/dog.png", "COCO_val2014_000000000042.jpg"]
    assert asked.left_out[0] == "2 names of pictures match several files and are left out, for example '1'"


def test_pictures_are_read_once_and_damaged_ones_left_out(tmp_path):
    for number in (7, 8):
        Image.new("RGB", (4, 6), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "9.png").write_bytes(b"no picture")
    questions = [Question(name, "?", "a") for name in ("8", "7", "8", "9", "10")]
    asked = look_up(questions, tmp_path, 2)
    assert (len(asked.questions), asked.rows.tolist(), asked.pictures.shape) == (3, [0, 1, 0], (2, 2, 2, 3))
    assert asked.pictures[:][:, 0, 0, 0].tolist() == [8, 7]
    assert "1 pictures cannot be read" in asked.left_out[0]
    assert "2 questions are left out" in asked.left_out[1]
    with pytest.raises(UserError, match="none of the pictures asked about"):
        look_up(questions[3:], tmp_path, 2)


@pytest.mark.parametrize("picture", range(10))
def test_a_picture_is_on_one_side_and_rare_answers_are_not_learned(picture):
    """A question with a rare answer is not trained on, and where it is held out it counts, as a mistake."""
    questions = [Question(str(n % 10), f"q{n}", "rare" if n == 50 + picture else "yes" if n % 3 else "no") for n in range(100)]
    asked = Asked(questions, np.arange(100) % 10, np.zeros((10, 1, 1, 3), np.uint8), [])
    found = question_examples(asked, QuestionConfig(answers=2, validation_fraction=0.3))
    assert found.answers == ("yes", "no")
    # by their pictures, which are numbered as they are named
    train, held = (set(found.splits[name].columns["image"].tolist()) for name in ("train", "validation"))
    assert not train & held
    assert len(held) == 3
    sizes = {name: len(examples) for name, examples in found.splits.items()}
    assert sizes["validation"] == 30
    assert sizes["train"] == (69 if picture in train else 70)
    assert (found.splits["validation"].columns["label"] < 0).sum() == (picture in held)


def test_easy_vqa_itself(shared_data):
    folder = shared_data / "vqa" / "easy_vqa" / "test"
    questions = read_questions(folder / "questions.json")
    asked = look_up(questions[:50], folder / "images", 64)
    assert len(questions) == 9673
    assert len(asked.questions) == 50
    assert not asked.left_out

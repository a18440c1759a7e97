import gzip

import numpy as np
import pytest

from seqnets.data.words.vectors import read_vectors
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.errors import UserError

WORDS = WordVocabulary(("a", "dog", "café", "zebra"))
LINES = ["the 9 9 9", "dog 1 2 3", "Dog 7 7 7", "A 4 5 6", ". . . 0 0 0", "café -1e-2 0.5 2"]
EXPECTED = np.array([[0, 0, 0]] * 4 + [[4, 5, 6], [1, 2, 3], [-0.01, 0.5, 2], [0, 0, 0]], np.float32)
FORMS = {
    "glove": "\n".join(LINES) + "\n",
    "word2vec": "\n".join([f"{len(LINES)} 3", *LINES]) + "\n",
    "trailing spaces": "\n".join([f"{len(LINES)} 3", *(line + " " for line in LINES)]) + "\n",
    "other order": "\n".join([LINES[0], LINES[2], LINES[1], *LINES[3:]]),
    "tabs": "\n".join(line.replace(" ", "\t") for line in LINES),
    "windows": "\r\n".join(LINES),
}


def write(path, text, packed=False):
    content = text.encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path, form, packed):
    vectors = read_vectors(write(tmp_path / "vectors", FORMS[form], packed), WORDS, features=3)
    np.testing.assert_array_equal(vectors.table, EXPECTED)
    assert vectors.table.dtype == np.float32
    assert vectors.found.tolist() == [False] * 4 + [True, True, True, False]
    assert vectors.coverage == 0.75
    assert str(vectors) == "vectors of 3 features for 3 of 4 words"


WRONG = {
    "empty": ("", "has no word vectors"),
    "header only": ("3 2\n", "is cut short|has no word vectors"),
    "cut short": ("5 3\ndog 1 2 3\n", "its first line says 5 words, and it has 1"),
    "short line": ("the 1 2 3\ndog 1 2\n", "line 2 of '.*' has 2 numbers, not 3"),
    "no number": ("the 1 2 3\ndog 1 x 3\n", "line 2 of '.*' does not have 3 numbers"),
    "infinite": ("the 1 2 3\ndog 1 inf 3\n", "line 2 of '.*' does not have 3 finite numbers"),
    "words only": ("the\ndog\n", "line 1 of '.*' has 0 numbers"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files(tmp_path, case):
    text, message = WRONG[case]
    with pytest.raises(UserError, match=message):
        read_vectors(write(tmp_path / "vectors", text), WORDS)


@pytest.mark.parametrize("form", ["glove", "word2vec"])
def test_other_features_than_asked_for(tmp_path, form):
    path = write(tmp_path / "vectors", FORMS[form])
    with pytest.raises(UserError, match=r"has vectors of 3 features \(line 1\), not 50; set the embedding's size to 3"):
        read_vectors(path, WORDS, features=50)


def test_a_gzip_file_cut_short(tmp_path):
    path = write(tmp_path / "vectors", FORMS["glove"] * 100, packed=True)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="not a complete gzip file"):
        read_vectors(path, WORDS)

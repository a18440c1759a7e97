"""What can be typed: names with dashes, empty names, values that are missing."""

import pytest

from seqnets.cli.parser import Parser
from seqnets.errors import UserError


@pytest.fixture
def parser():
    parser = Parser("seqnets act", "act")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("file", nargs="*", metavar="FILE")
    parser.add_argument("--out", metavar="FILE")
    parser.add_argument("--prompt", metavar="TEXT")
    parser.add_argument("--json", action="store_true")
    parser.add_setting("top_k", int, "k", metavar="N")
    return parser


@pytest.mark.parametrize(
    ("words", "run", "files"),
    [
        (["--", "-run"], "-run", []),
        (["--", "--run", "--"], "--run", ["--"]),
        (["run", "--", "-a", "b", "--json"], "run", ["-a", "b", "--json"]),
        (["--json", "run", "a", "--", "-b"], "run", ["a", "-b"]),
        (["--out", "x", "--", "run"], "run", []),
        (["run", "--", "--top_k"], "run", ["--top_k"]),
        (["-5"], "-5", []),
        (["-"], "-", []),
    ],
)
def test_words_after_two_dashes_are_names(parser, words, run, files):
    found = parser.read(words)
    assert (found.run, found.file) == (run, files)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([""], "RUN is empty; give a name or leave it out"),
        (["--", ""], "RUN is empty; give a name or leave it out"),
        (["run", "--out", ""], "--out is empty; give a name or leave it out"),
        (["run", "--out"], "--out needs a value"),
        (["run", "--prompt", "-x"], "--prompt needs a value; if the value begins with a dash, write --prompt=-x"),
        (["--json"], "RUN is missing; see `seqnets act --help`"),
        (["run", "-x", "--", "-y"], "unknown option '-x'; see `seqnets act --help`"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(parser, words, sentence):
    with pytest.raises(UserError) as refused:
        parser.read(words)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("prompt", ["", "-x", "--json", "a=b"])
def test_a_text_may_be_empty_and_begin_with_a_dash(parser, prompt):
    assert parser.read(["run", f"--prompt={prompt}"]).prompt == prompt

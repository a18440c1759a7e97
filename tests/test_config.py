"""Settings: exact round trips through TOML, and mistakes reported in one sentence."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Literal

import pytest

from seqnets import settings
from seqnets.data.captions.config import CaptionDataConfig
from seqnets.data.text.config import TextConfig
from seqnets.errors import UserError
from seqnets.tasks.text import TextRunConfig


@dataclass(frozen=True)
class Inner:
    rate: float = 1.0
    size: int | None = None
    limit: int | None = 3
    names: tuple[str, ...] = ()
    numbers: tuple[float, ...] = (0.5,)
    flag: bool = False
    kind: Literal["a", "b"] = "a"

    def __post_init__(self):
        if self.rate < 0:
            raise UserError(f"inner.rate must be at least 0, not {self.rate}")


@dataclass(frozen=True)
class Outer:
    title: str = ""
    inner: Inner = field(default_factory=Inner)


AWKWARD_TEXTS = ["", "none", '"quoted"', "back\\slash", "line\nbreak\ttab", "é\U0001f600\u2028", "'''", "# no comment", "\x01"]
AWKWARD_NUMBERS = [0.0, -0.0, 1e-300, 0.1 + 0.2, 5e-3, 1e22, math.inf, 123456789.123456789]


@pytest.mark.parametrize("text", AWKWARD_TEXTS)
def test_texts_come_back_from_toml_as_they_were(text):
    outer = Outer(text, Inner(names=(text, "b")))
    assert settings.loads(settings.dumps(outer), Outer()) == outer


@pytest.mark.parametrize("number", AWKWARD_NUMBERS)
def test_numbers_come_back_from_toml_as_they_were(number):
    inner = settings.loads(settings.dumps(Outer(inner=Inner(rate=number))), Outer()).inner
    assert (inner.rate, math.copysign(1, inner.rate)) == (number, math.copysign(1, number))


def test_none_comes_back_even_where_it_is_not_the_default():
    outer = Outer(inner=Inner(size=4, limit=None))
    assert settings.loads(settings.dumps(outer), Outer()) == outer


def test_every_setting_of_a_run_comes_back_when_each_is_changed():
    config = TextRunConfig(corpus=("a.txt", "b.txt"))
    for section in ("data", "model", "train"):
        for entry in dataclasses.fields(getattr(config, section)):
            if entry.name == "vocabulary_size":  # which vocabularies of characters lack
                continue
            value = getattr(getattr(config, section), entry.name)
            other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else value
            other = 0.25 if isinstance(value, float) else other
            config = settings.replaced(config, {section: {entry.name: other}})
    assert config != TextRunConfig()
    assert settings.loads(settings.dumps(config), TextRunConfig()) == config


MISTAKES = {
    "titel = 'x'": "a.toml: unknown key 'titel'; did you mean 'title'?",
    "[iner]\nrate = 1": "a.toml: unknown key 'iner'; did you mean 'inner'?",
    "[inner]\nrat = 1": "a.toml: unknown key 'rat' in [inner]; did you mean 'rate'?",
    "[inner]\nxyzzy = 1": "a.toml: unknown key 'xyzzy' in [inner]; known are rate, size, limit, names, numbers, flag, kind",
    "rate = 1.0": "a.toml: unknown key 'rate'; it belongs in the section [inner]",
    "inner = 3": "a.toml: inner is a section, not the value 3; write it as [inner] with keys below",
    "title = 3": "a.toml: title must be a text, not 3",
    "[inner]\nrate = 'fast'": "a.toml: inner.rate must be a number, not 'fast'",
    "[inner]\nrate = true": "a.toml: inner.rate must be a number, not True",
    "[inner]\nsize = 1.5": "a.toml: inner.size must be a whole number or none, not 1.5",
    "[inner]\nsize = true": "a.toml: inner.size must be a whole number or none, not True",
    "[inner]\nflag = 1": "a.toml: inner.flag must be true or false, not 1",
    "[inner]\nkind = 'c'": "a.toml: inner.kind must be 'a' or 'b', not 'c'",
    "[inner]\nnames = 'one'": "a.toml: inner.names must be a list, each a text, not 'one'",
    "[inner]\nnames = [1]": "a.toml: inner.names must be a list, each a text, not [1]",
    "[inner]\nrate = -1": "a.toml: inner.rate must be at least 0, not -1.0",
    "[inner": "a.toml is not valid TOML: Expected ']' at the end of a table declaration (at end of document)",
    "title = " + "[" * 100_000: "a.toml is not valid TOML: it is nested too deeply",
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_reported_in_one_sentence(text):
    with pytest.raises(UserError) as refused:
        settings.loads(text, Outer(), "a.toml")
    assert str(refused.value) == MISTAKES[text]


BOUNDS = [  # what just fits, and what just does not
    (settings.Range(least=2), (2, 3), (1, 1.999)),
    (settings.Range(above=2), (2.001, 3), (2, 1)),
    (settings.Range(most=2), (2, -1), (2.001, 3)),
    (settings.Range(below=2), (1.999, -1), (2, 3)),
    (settings.Range(least=0, below=1), (0, 0.5), (1, 1.0, -0.001)),
    (settings.Range(above=0, most=1), (1, 0.001), (0, 0.0, 1.001)),
]


@pytest.mark.parametrize(("allowed", "inside", "outside"), BOUNDS, ids=lambda value: str(value))
def test_a_range_ends_where_it_says(allowed, inside, outside):
    for value in inside:
        allowed.check("rate", value)
    for value in outside:
        with pytest.raises(UserError, match=f"rate must be {allowed}, not {value!r}"):
            allowed.check("rate", value)


def test_a_whole_number_does_for_a_number():
    rate = settings.loads("[inner]\nrate = 3", Outer()).inner.rate
    assert (rate, type(rate)) == (3.0, float)


def test_files_that_cannot_be_read_are_reported(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b"title = '\xe9'")
    with pytest.raises(UserError, match=r"'.*latin.toml' is not UTF-8 \(at byte 9\); save it as UTF-8"):
        settings.read(tmp_path / "latin.toml")
    with pytest.raises(UserError, match=r"cannot read the configuration '.*': Is a directory; check the path"):
        settings.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("3", int, 3),
        ("-3", int, -3),
        ("3", float, 3.0),
        ("inf", float, math.inf),
        ("None", int | None, None),
        ("7", int | None, 7),
        ("off", bool, False),
        ("TRUE", bool, True),
        ("", str, ""),
        ("3", str, "3"),
        ("b", Literal["a", "b"], "b"),
        ("2", Literal[1, 2], 2),
        ("", tuple[str, ...], ()),
        ("0.1,2", tuple[float, ...], (0.1, 2.0)),
    ],
)
def test_words_become_values(text, hint, value):
    found = settings.parsed(text, hint)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "hint", "message"),
    [
        ("3.5", int, "must be a whole number, not '3.5'"),
        ("nan", float, "must be a number, not 'nan'"),
        ("maybe", bool, "must be true or false, not 'maybe'"),
        ("c", Literal["a", "b"], "must be 'a' or 'b', not 'c'"),
        ("x", int | None, "must be a whole number or none, not 'x'"),
    ],
)
def test_wrong_words_are_reported(text, hint, message):
    with pytest.raises(UserError) as refused:
        settings.parsed(text, hint)
    assert str(refused.value) == message


def test_names_lists_every_setting_once():
    names = [name for name, _ in settings.names(TextRunConfig)]
    assert {"task", "corpus", "data.window", "model.cell", "train.steps"} <= set(names)
    assert len(names) == len(set(names))


def test_what_older_versions_wrote_is_read_with_the_names_of_today(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('task = "labeller"\n[model]\nside_heads = true\nkind = "labeller"\n')  # old name
    assert settings.read(path) == {"task": "tagger", "model": {"auxiliary_heads": True, "kind": "labeller"}}  # old name
    found = {"task": ["odd"], "model": {"kind": "Labeller", "config": {"side_heads": False}}}  # old name
    assert settings.renewed(found) == {"task": ["odd"], "model": {"kind": "Tagger", "config": {"auxiliary_heads": False}}}


@pytest.mark.parametrize("kind", [TextConfig, CaptionDataConfig])
def test_held_out_shares_that_leave_nothing_are_refused(kind):
    assert kind(validation_fraction=0.5, test_fraction=0.4).test_fraction == 0.4
    with pytest.raises(UserError, match="leave nothing to train on; lower one of them"):
        kind(validation_fraction=0.5, test_fraction=0.5)

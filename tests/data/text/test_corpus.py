"""Texts read into a corpus: content, splits, encodings, separators, and what is refused."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqnets.data import TextConfig, Vocabulary, bytes_vocabulary, read_text
from seqnets.data.text import encoding as encoding_module
from seqnets.data.text import sources as sources_module
from seqnets.data.text.splits import check_long_enough
from seqnets.errors import UserError

ALL = TextConfig(window=1, validation_fraction=0.0)
BYTES = TextConfig(window=1, validation_fraction=0.0, vocabulary="bytes")
MIXED = "Fünf 😀 naïve\r\n\tline — ключ\n" * 50


@pytest.fixture(autouse=True)
def _private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=[64, 0], ids=["memory", "mapped"])
def megabytes(request):
    return request.param


def written(tmp_path, content, name="text.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def text_of(corpus):
    return corpus.vocabulary.decode(corpus.tokens)


def test_nanogpt_split_of_tinyshakespeare(shared_data):
    path = shared_data / "text" / "tinyshakespeare.txt"
    corpus = read_text(path)
    text = path.read_text()
    assert (len(corpus.train), len(corpus.validation)) == (1_003_854, 111_540)
    assert len(corpus.vocabulary) == 65
    assert corpus.vocabulary.decode(corpus.train.tokens) == text[:1_003_854]
    assert corpus.vocabulary.decode(corpus.validation.tokens) == text[1_003_854:]


@pytest.mark.parametrize("block", [1, 2, 3, 5, 64, 1 << 22])
@pytest.mark.parametrize("kind", ["chars", "bytes"])
def test_blocks_of_any_size_give_the_text(tmp_path, monkeypatch, megabytes, block, kind):
    monkeypatch.setattr(sources_module, "BLOCK_BYTES", block)
    path = written(tmp_path, MIXED)
    config = TextConfig(window=1, validation_fraction=0, vocabulary=kind, in_memory_megabytes=megabytes)
    corpus = read_text(path, config=config)
    assert text_of(corpus) == MIXED
    expected = Vocabulary.from_text(MIXED) if kind == "chars" else bytes_vocabulary()
    assert corpus.vocabulary == expected
    assert corpus.tokens.dtype == np.uint8


@pytest.mark.parametrize("shares", [(0.1, 0.0), (0.1, 0.2), (0.0, 0.0), (0.0, 0.5), (0.3, 0.3), (0.05, 0.05)])
@pytest.mark.parametrize("size", [1000, 1001, 99, 100])
def test_splits_are_contiguous_and_exact(tmp_path, shares, size):
    text = "".join(chr(0x4E00 + i) for i in range(size))
    config = TextConfig(window=4, validation_fraction=shares[0], test_fraction=shares[1])
    corpus = read_text(written(tmp_path, text), config=config)
    percent = [round(100 * share) for share in shares]
    cuts = [0, size * (100 - sum(percent)) // 100, size * (100 - percent[1]) // 100, size]
    wanted = ("train", 1), ("validation", percent[0]), ("test", percent[1])
    for (name, share), start, stop in zip(wanted, cuts, cuts[1:]):
        if share:
            assert corpus.vocabulary.decode(corpus.splits[name].tokens) == text[start:stop]
        else:
            with pytest.raises(UserError, match=f"no {name} split; train with --data.{name}-fraction"):
                getattr(corpus, name)


def test_line_ends_stay_and_only_a_byte_order_mark_goes(tmp_path):
    text = "\ufeffa\r\nb\rc\n\u2028\x85\ufeffd"
    path = written(tmp_path, text)
    assert text_of(read_text(path, config=ALL)) == text[1:]
    assert read_text(path, config=BYTES).tokens.tobytes() == text.encode()


@pytest.mark.parametrize("name", ["latin-1", "utf-16", "utf-16-le", "utf-8-sig", "shift_jis", "cp1252"])
def test_other_encodings(tmp_path, name):
    text = "naïve café\n" if name != "shift_jis" else "日本語\n"
    path = written(tmp_path, text.encode(name))
    config = TextConfig(window=1, validation_fraction=0, encoding=name)
    assert text_of(read_text(path, config=config)) == text


@pytest.mark.parametrize("block", [3, 1 << 22])
@pytest.mark.parametrize(
    ("content", "at"), [(b"caf\xe9 noir", 3), ("é—".encode() + b"\xff", 5), (b"abc\xf0\x9f", 3), (b"\x80", 0)]
)
def test_not_utf8_names_file_byte_and_remedy(tmp_path, monkeypatch, content, at, block):
    monkeypatch.setattr(sources_module, "BLOCK_BYTES", block)
    with pytest.raises(UnicodeDecodeError) as oracle:
        content.decode()
    assert oracle.value.start == at
    with pytest.raises(UserError, match=rf"text.txt' is not UTF-8 \(at byte {at}\); pass --data.encoding") as raised:
        read_text(written(tmp_path, content), config=ALL)
    assert "--data.vocabulary bytes" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("hello".encode("utf-16"), "--data.encoding utf-16"),
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"ELF\0\1\2\3", "binary file \\(a zero byte at byte 3\\)"),
        ("hi there".encode("utf-16-le"), "--data.encoding utf-16"),
    ],
)
def test_what_is_no_text_is_recognized(tmp_path, content, hint):
    with pytest.raises(UserError, match=hint):
        read_text(written(tmp_path, content), config=ALL)
    assert read_text(written(tmp_path, content), config=BYTES).tokens.tobytes() == content


@pytest.mark.parametrize("block", [1, 5, 6, 7, 9, 11, 43])
def test_unknown_character_of_a_file_is_found_across_blocks(tmp_path, monkeypatch, megabytes, block):
    monkeypatch.setattr(sources_module, "BLOCK_BYTES", block)
    path = written(tmp_path, "é" * 20 + "ab" + "ß" + "ab")
    vocabulary = Vocabulary.from_text("éab")
    config = TextConfig(window=1, validation_fraction=0, in_memory_megabytes=megabytes)
    with pytest.raises(UserError, match=r"no character 'ß' \(at byte 42 of '.*text.txt'\)"):
        read_text(path, config=config, vocabulary=vocabulary)
    assert text_of(read_text(path, config=config, vocabulary=vocabulary, unknown="skip")) == "é" * 20 + "abab"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", [3, 4, 100])
def test_places_are_counted_from_the_first_byte_of_the_file(tmp_path, monkeypatch, mark, size):
    monkeypatch.setattr(sources_module, "BLOCK_BYTES", size)
    content = mark + b"abab" + "ß".encode()
    with pytest.raises(UserError, match=rf"no character 'ß' \(at byte {content.index(0xC3)} of "):
        read_text(written(tmp_path, content), config=ALL, vocabulary=Vocabulary.from_text("ab"))


def test_given_vocabulary_wins_over_the_config(tmp_path):
    path = written(tmp_path, "héllo")
    assert read_text(path, config=ALL, vocabulary=bytes_vocabulary()).tokens.tobytes() == "héllo".encode()
    corpus = read_text(path, config=ALL, vocabulary=Vocabulary.from_text("xyzhélo"))
    assert text_of(corpus) == "héllo"
    assert len(corpus.vocabulary) == 7


@pytest.mark.parametrize("kind", ["chars", "bytes"])
def test_separator_goes_between_files_and_is_given_to_the_streams(tmp_path, kind):
    texts = ["", "one", "two||", "", "|", "three", "x|", "|y"]
    paths = [written(tmp_path, text, f"{i}.txt") for i, text in enumerate(texts)]
    joined = ""
    for text in texts:
        joined += "||" * (joined != "" and not joined.endswith("||")) + text
    config = TextConfig(window=1, validation_fraction=0, separator="||", vocabulary=kind)
    corpus = read_text(*paths, config=config)
    assert text_of(corpus) == joined
    assert corpus.vocabulary.decode(corpus.separator) == "||"
    assert corpus.train.separator == corpus.separator
    plain = read_text(*paths, config=TextConfig(window=1, validation_fraction=0, vocabulary=kind))
    assert text_of(plain) == "".join(texts)


def test_separator_escapes(tmp_path):
    for written_as, meant in ((r"\n\n", "\n\n"), (r"\x00", "\0"), (r"\u2028", "\u2028"), (r"a\\n", r"a\n"), ("\n", "\n")):
        assert TextConfig(separator=written_as).separator_text == meant
    with pytest.raises(UserError, match=r"unknown escape '\\q'"):
        TextConfig(separator=r"\q")
    path = written(tmp_path, "a\0b\0")
    assert read_text(path, config=TextConfig(window=1, validation_fraction=0, separator=r"\0")).separator == (0,)


def test_separator_that_never_occurs_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"separator '#' does not occur"):
        read_text(written(tmp_path, "abc"), config=TextConfig(window=1, validation_fraction=0, separator="#"))


@pytest.mark.parametrize(
    ("size", "config"),
    [
        (1, TextConfig()),
        (100, TextConfig()),
        (143, TextConfig()),
        (128, TextConfig(validation_fraction=0)),
        (12, TextConfig(window=1, validation_fraction=0.1, test_fraction=0.1)),
        (9, TextConfig(window=1)),
    ],
)
def test_too_short_says_how_much_is_enough(tmp_path, size, config):
    with pytest.raises(UserError, match=rf"has {size} characters?, too few") as raised:
        read_text(written(tmp_path, "x" * size), config=config)
    least = int(str(raised.value).split("give at least ")[1].split(",")[0])
    assert len(read_text(written(tmp_path, "x" * least), config=config)) == least
    with pytest.raises(UserError, match="too few"):
        read_text(written(tmp_path, "x" * (least - 1)), config=config)


def test_too_short_for_its_window_says_which_window_would_do(tmp_path):
    path = written(tmp_path, "x" * 100)
    with pytest.raises(UserError, match=r"lower --data.window to 89 or less"):
        read_text(path)
    assert len(read_text(path, config=TextConfig(window=89)).train) == 90


@pytest.mark.parametrize("kind", ["chars", "bytes"])
def test_one_distinct_character_is_a_text(tmp_path, kind):
    corpus = read_text(written(tmp_path, "z" * 1000), config=TextConfig(vocabulary=kind))
    assert text_of(corpus) == "z" * 1000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation_fraction": -0.1}, "data.validation_fraction must be at least 0"),
        ({"test_fraction": 1.0}, "data.test_fraction must be .* below 1"),
        ({"validation_fraction": float("nan")}, "data.validation_fraction must be"),
        ({"validation_fraction": 0.5, "test_fraction": 0.5}, "leave nothing to train on"),
        ({"window": 0}, "data.window must be"),
        ({"vocabulary": "letters"}, "data.vocabulary must be"),
        ({"encoding": "klingon"}, "data.encoding 'klingon' is unknown"),
        ({"encoding": "base64"}, "data.encoding 'base64' is unknown"),
        ({"encoding": "latin-1", "vocabulary": "bytes"}, "no effect"),
        ({"in_memory_megabytes": -1}, "data.in_memory_megabytes must be"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        read_text(written(tmp_path, "text" * 100), config=TextConfig(**settings))


def test_fingerprint_names_what_changed(tmp_path, megabytes):
    config = TextConfig(window=4, in_memory_megabytes=megabytes)
    text = "to be or not to be " * 20
    one = read_text(written(tmp_path, text), config=config).fingerprint()
    assert one == read_text(written(tmp_path, text, "copy.txt"), config=TextConfig(window=9)).fingerprint()
    swapped = read_text(written(tmp_path, text.replace("or", "ro")), config=config).fingerprint()
    assert [name for name in one if one[name] != swapped[name]] == ["text"]
    shares = TextConfig(window=4, validation_fraction=0.2, in_memory_megabytes=megabytes)
    resplit = read_text(written(tmp_path, text), config=shares).fingerprint()
    assert [name for name in one if one[name] != resplit[name]] == ["train_tokens", "validation_tokens"]


def test_progress_reaches_the_total_once_a_pass(tmp_path, monkeypatch, megabytes):
    monkeypatch.setattr(sources_module, "BLOCK_BYTES", 64)
    monkeypatch.setattr(encoding_module, "_REPORT_BYTES", 128)
    paths = [written(tmp_path, MIXED, "a"), written(tmp_path, MIXED, "b")]
    size = len(MIXED.encode())
    for kind, passes in (("chars", 2), ("bytes", 1)):
        calls = []
        config = TextConfig(vocabulary=kind, in_memory_megabytes=megabytes)
        read_text(*paths, config=config, progress=lambda done, total, calls=calls: calls.append((done, total)))
        assert [total for _, total in calls] == [2 * size * passes] * len(calls)
        done = [done for done, _ in calls]
        assert done == sorted(done)
        assert done[-1] == 2 * size * passes
        assert len(calls) > 4 * passes


def test_reading_text_needs_no_jax():
    # the package itself may well import JAX, so stand in for it
    package = "import sys, types; s = types.ModuleType('seqnets'); s.__path__ = [sys.argv[1]]; sys.modules['seqnets'] = s"
    code = f"{package}; import seqnets.data; print('jax' in sys.modules or 'flax' in sys.modules)"
    command = [sys.executable, "-c", code, str(Path(encoding_module.__file__).parents[2])]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9, 10, 11, 20, 66, 100, 1000])
@pytest.mark.parametrize(
    "settings",
    [{}, {"window": 3}, {"test_fraction": 0.1}, {"validation_fraction": 1e-5}, {"validation_fraction": 0.0, "window": 1}],
)
def test_every_way_out_of_a_text_too_short_works(size, settings):
    config = TextConfig(**settings)
    try:
        check_long_enough(size, config, "'a'", "character")
    except UserError as error:
        sentence = str(error)
    else:
        return
    least = int(re.search(r"give at least ([\d,]+)", sentence)[1].replace(",", ""))
    check_long_enough(least, config, "'a'", "character")
    with pytest.raises(UserError):
        check_long_enough(least - 1, config, "'a'", "character")
    changes = {}
    if found := re.search(r"--data.window to ([\d,]+)", sentence):
        changes["window"] = int(found[1].replace(",", ""))
    changes |= {f"{name}_fraction": 0.0 for name in re.findall(r"--data.(validation|test)-fraction", sentence)}
    assert changes or size < 2 or (settings.get("window") == 1)
    if changes:
        check_long_enough(size, replace(config, **changes), "'a'", "character")


def test_what_is_too_short_is_named():
    with pytest.raises(UserError, match="has 1,000 characters, too few to hold out 1e-05 of it for validation, which takes 2"):
        check_long_enough(1000, TextConfig(validation_fraction=1e-5), "'a'", "character")
    with pytest.raises(UserError, match=r"'a' has 1 character, too few to read one and predict one; give at least 2$"):
        check_long_enough(1, TextConfig(window=1, validation_fraction=0.0), "'a'", "character")


@pytest.mark.parametrize("megabytes", [64, 0])
@pytest.mark.parametrize("policy", ["skip", "replace"])
def test_unknown_characters_are_counted(tmp_path, monkeypatch, megabytes, policy):
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / "cache"))
    text, vocabulary = written(tmp_path, "abéc Ωab" * 50), Vocabulary.from_text("abc ?")
    config = TextConfig(window=4, in_memory_megabytes=megabytes)
    for _ in range(2):  # the second time from the cache
        corpus = read_text(text, config=config, vocabulary=vocabulary, unknown=policy)
        assert (corpus.unknown, len(corpus)) == (100, 300 if policy == "skip" else 400)
    assert read_text(written(tmp_path, "abc" * 50), config=config, vocabulary=vocabulary).unknown == 0

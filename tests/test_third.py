"""The list of tests that run on two generations of JAX."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_tests_for_the_second_python_exist_and_are_about_a_third():
    listed = [line for line in (ROOT / ".ci" / "third.txt").read_text().splitlines() if not line.startswith("#")]
    assert [name for name in listed if not (ROOT / name).exists()] == []
    files = {file for name in listed for file in ((ROOT / name).rglob("test_*.py") if (ROOT / name).is_dir() else [ROOT / name])}
    assert 0.25 < len(files) / len(list((ROOT / "tests").rglob("test_*.py"))) < 0.6

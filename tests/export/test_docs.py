"""The programs of docs/export.md run as they are written."""

import re
from pathlib import Path

import pytest
from flax import nnx

import seqnets as sn

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
PROGRAMS = dict(re.findall(r"<!-- runs: (\w+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.mark.parametrize("name", ["onnxruntime", "jax"])
def test_the_page_runs(name, tmp_path, monkeypatch, capsys):
    for module in (name, *(["onnx"] if name == "onnxruntime" else [])):
        pytest.importorskip(module)
    vocabulary = sn.Vocabulary.from_text("ROMEO: but soft")
    model = sn.CharLM(vocabulary, hidden_features=8, layers=2, rngs=nnx.Rngs(0))
    sn.export_run(model, tmp_path / "bard", format="onnx" if name == "onnxruntime" else "stablehlo", window=4, platforms=["cpu"])
    monkeypatch.chdir(tmp_path)
    exec(compile(PROGRAMS[name], str(PAGE), "exec"), {})
    said = capsys.readouterr().out
    if name == "onnxruntime":
        assert said.startswith("ROMEO:")
        assert len(said) == 302  # 301 characters and the end of the line

"""The script that checks a GPU, in a form that a CPU can do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "check_gpu.py"


def _report(tmp_path, parts):
    pytest.importorskip("torch")
    file = tmp_path / "report.json"
    subprocess.run(
        [sys.executable, SCRIPT, "--small", "--parts", parts, "--json", file], check=True, capture_output=True, timeout=540
    )
    return json.loads(file.read_text())["parts"]


@pytest.mark.slow
def test_every_part_runs_in_a_small_form(tmp_path):
    parts = _report(tmp_path, "self_checks,parity,contexts,recurrent,layer,fused,graphs,images,sampling,captions")
    assert [name for name, part in parts.items() if part["failure"] or not part["rows"]] == []
    errors = [row["error_highest"] for row in parts["parity"]["rows"] if "error_highest" in row]
    assert len(errors) >= 8
    assert max(errors) < 1e-5
    assert all(row.get("ms", 1) > 0 for part in parts.values() for row in part["rows"])

"""The panels of every run: curves, and what the run is."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from seqnets import settings
from seqnets.decoders import read_text
from seqnets.run import CARD, SETTINGS, Run
from seqnets.web.panels.subject import Subject


def curves(subject: Subject) -> dict[str, Any] | None:
    """Return the figures of training, and the settings in which runs differ."""
    if not (subject.served or any(run.metrics for run in subject.runs)):  # a server may get some later
        return None
    runs = [{"name": _name(run), "metrics": run.metrics, "samples": run.samples} for run in subject.runs]
    return {"runs": runs, "objective": "nats", "differences": _differences(subject.runs)}


def _differences(runs: Sequence[Run]) -> list[list[str]]:
    """One row for each setting in which the runs differ."""
    tables = [_flat(settings.read(run.directory / SETTINGS)) if run.directory else {} for run in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = {name: [str(table.get(name, "")) for table in tables] for name in names}
    return [[name, *row] for name, row in rows.items() if len(set(row)) > 1]


def model(subject: Subject) -> dict[str, Any]:
    """Return the sizes of the model, its card, and the command that made it."""
    run = subject.run
    from flax import nnx

    from seqnets.named_arrays import host_arrays

    described = run.config["model"]
    facts = [["kind", described.get("kind", "")]]
    if run.model is not None:
        count = sum(array.size for array in host_arrays(nnx.state(run.model, nnx.Param)).values())
        facts.append(["parameters", f"{count:,}"])
    if run.vocabulary is not None:
        facts.append(["vocabulary", str(run.vocabulary)])
    facts += [[name.replace("_", " "), str(value)] for name, value in described.get("config", {}).items()]
    card = run.directory / CARD if run.directory else None
    return {
        "facts": facts,
        "command": _command(run),
        "card": read_text(card) if card is not None and card.is_file() else "",
    }


def _command(run: Run) -> str:
    if run.directory is None:
        return "(made in Python)"
    return f"seqnets train --config {shlex.quote(str(run.directory / SETTINGS))} --out NEW-FOLDER"


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return found


def _name(run: Run) -> str:
    return run.directory.name if run.directory else "in memory"

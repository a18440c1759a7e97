"""The files written when a run ends: the model card and the loss curve."""

import platform
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import jax

from seqnets import __version__
from seqnets.named_arrays import named_arrays
from seqnets.run import CARD, CURVE, Run, replace_file
from seqnets.train.curve import write_curve

_PACKAGES = ("seqnets", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def write_summary(run: Run, best: dict[str, Any] | None, tell: Callable[[str], None]) -> None:
    """Write curve.png, if matplotlib is installed, and README.md."""
    if run.directory is None:
        return
    drawn = write_curve(run.directory / CURVE, run.metrics, tell)
    replace_file(run.directory / CARD, model_card(run, best, CURVE if drawn else None))


def model_card(run: Run, best: Mapping[str, Any] | None, curve: str | None) -> str:
    """Return the model card of a finished run as Markdown.

    Args:
        run: the run.
        best: the step and value of the best validation figure; None without validation.
        curve: the file name of the loss curve; None if there is none.
    """
    name = run.directory.resolve().name if run.directory else "model"
    sections = {
        "Figures": _figures(run, best),
        "Model": _table({"parameters": f"{_parameters(run):,}", **_flat(run.config["model"])}),
        "Data": _table({**_flat(run.config["data"]), **_vocabulary(run)}),
        "Training": _table(run.config["train"]),
        **({"Begun with": _table(_flat(run.config["from"]))} if run.config.get("from") else {}),
        "Made by": _made_by("fit" if run.config["train"] else "save_run"),
    }
    front = f"---\nlibrary_name: seqnets\ntags: [jax, {run.config['task']}]\n---\n\n# {name}\n"
    picture = f"\n![loss curve]({curve})\n" if curve else ""
    return front + picture + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())


def _figures(run: Run, best: Mapping[str, Any] | None) -> str:
    training = next((line for line in reversed(run.metrics) if "loss" in line), {})
    chosen = {line["step"]: line for line in run.metrics if any(name.startswith("validation_") for name in line)}
    validation = chosen.get(best["step"], {}) if best else {}
    if not run.config["train"]:
        return "The model was saved without training by seqnets."
    sentence = f"The weights are those of step {best['step']:,}, the best on validation." if best else "The weights are the last."
    return f"{sentence}\n\n{_table({**validation, **{f'last training {k}': v for k, v in training.items() if k != 'step'}})}"


def _parameters(run: Run) -> int:
    from flax import nnx

    return sum(leaf.size for leaf in named_arrays(nnx.state(run.model, nnx.Param)).values())


def _vocabulary(run: Run) -> dict[str, Any]:
    return {} if run.vocabulary is None else {"vocabulary": str(run.vocabulary)}


def _made_by(function: str) -> str:
    device = jax.devices()[0]
    versions = {package: _version(package) for package in _PACKAGES}
    return _table({
        "command": " ".join(["seqnets", *sys.argv[1:]]) if sys.argv[0].endswith("seqnets") else f"seqnets.train.{function}(...)",
        "device": f"{jax.device_count()} x {device.device_kind}",
        "python": platform.python_version(),
        **versions,
    })  # fmt: skip


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # a source folder on the path
        return __version__ if package == "seqnets" else "not installed"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _table(rows: Mapping[str, Any]) -> str:
    lines = (f"| {name} | {_shown(value)} |" for name, value in rows.items())
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _shown(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"`{text}`".replace("|", "\\|").replace("\n", "\\n") if text else ""

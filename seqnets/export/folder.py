"""A folder of exported programs, with a JSON file that names their arrays."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from flax import nnx

from seqnets.errors import UserError
from seqnets.export.programs import Program, programs_of
from seqnets.export.stablehlo import PLATFORMS, stablehlo
from seqnets.files import json_text, replace_file
from seqnets.models.captioner.captioner import Captioner
from seqnets.named_arrays import host_arrays

Format = Literal["stablehlo", "onnx", "npz"]
DESCRIPTION, ARRAYS = "export.json", "weights.npz"


def export_run(
    model: nnx.Module,
    directory: str | os.PathLike[str],
    *,
    format: Format = "stablehlo",
    window: int = 64,
    image_size: int | tuple[int, int] | None = None,
    platforms: Sequence[str] = PLATFORMS,
    description: dict[str, Any] | None = None,
) -> list[Path]:
    """Write a trained model for other runtimes, with `export.json` beside it.

    A text model becomes `step`, which reads one token per row, and `window`, which reads T; a network becomes `network`, a
    captioner `encode` and `step`. The weights are in each file. `export.json` names the inputs and outputs with their shapes
    and dtypes, the tokens of the vocabulary, and the preprocessing of images.

    Args:
        model: a `CharLM`, a convolutional network or a `Captioner`, such as `sn.load("runs/bard").model`; for "npz" any model.
        directory: a folder, made if it does not exist; files in it are replaced.
        format: "stablehlo" for JAX's `jax.export.deserialize`, "onnx", or "npz" for the arrays alone, by our names.
        window: T, tokens of the window.
        image_size: pixels of a network's images, one number or (height, width); those of its preprocessing when None.
        platforms: those that StableHLO is for.
        description: further entries of `export.json`.

    Returns:
        The files.

    Raises:
        UserError: the format does not exist, there are no programs for such a model, onnx is not installed, or an operation
            has no counterpart in ONNX. Nothing is written.

    Example:
        >>> import tempfile
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models import CharLM
        >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in export_run(model, folder, window=16)]
        ['step.stablehlo', 'window.stablehlo', 'export.json']
    """
    if format not in get_args(Format):
        raise UserError(f"format {format!r} does not exist; choose one of {', '.join(get_args(Format))}")
    if window < 1:
        raise UserError(f"window must be at least 1, not {window}")
    facts = {"format": format, **_vocabulary(model), **_images(model), **(description or {})}
    if format == "npz":
        arrays = {name: [*array.shape] for name, array in host_arrays(_weights(model)).items()}
        contents, facts = {ARRAYS: _npz(model)}, facts | {"arrays": arrays}
    else:
        programs = programs_of(model, window=window, image_size=image_size)
        contents = {f"{program.name}.{format}": _content(program, format, platforms) for program in programs}
        facts |= {"programs": [_described(program, format) for program in programs]}
        facts |= {"platforms": list(platforms)} if format == "stablehlo" else {}
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**contents, DESCRIPTION: json_text(facts)}.items():
        replace_file(folder / name, content)
    return [folder / name for name in (*contents, DESCRIPTION)]


def _content(program: Program, format: str, platforms: Sequence[str]) -> bytes:
    if format == "stablehlo":
        return stablehlo(program, platforms)
    from seqnets.export.onnx.write import onnx_model

    return onnx_model(program)


def _described(program: Program, format: str) -> dict[str, Any]:
    import jax

    outputs = jax.eval_shape(program.afresh(), *program.inputs.values())
    return {
        "name": program.name,
        "file": f"{program.name}.{format}",
        "what": program.what,
        "inputs": [_array(name, spec) for name, spec in program.inputs.items()],
        "outputs": [_array(name, spec) for name, spec in zip(program.outputs, outputs, strict=True)],
    }


def _array(name: str, spec: Any) -> dict[str, Any]:
    sizes = [size if isinstance(size, int) else str(size) for size in spec.shape]
    return {"name": name, "shape": sizes, "dtype": str(spec.dtype)}


def _vocabulary(model: Any) -> dict[str, Any]:
    vocabulary = getattr(model, "vocabulary", None)
    if vocabulary is None:
        return {}
    ends = {"begin": vocabulary.begin, "end": vocabulary.end} if isinstance(model, Captioner) else {}
    return {"vocabulary": vocabulary.to_json(), **ends}


def _images(model: Any) -> dict[str, Any]:
    preprocessing, labels = getattr(model, "preprocessing", None), getattr(model, "labels", None)
    found = {} if preprocessing is None else {"preprocessing": preprocessing.to_json()}
    return found | ({"labels": list(labels)} if labels else {})


def _weights(model: nnx.Module) -> Any:
    return nnx.state(model, (nnx.Param, nnx.BatchStat))


def _npz(model: nnx.Module) -> bytes:
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **host_arrays(_weights(model)))  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()

"""Run on a GPU all that a GPU changes, within minutes, and write what it says as JSON.

    python scripts/check_gpu.py --json gpu.json                     # everything: at most eight minutes on one H100
    python scripts/check_gpu.py --parts parity,recurrent --small    # a small form, also on a CPU

Parts: `self_checks` (what each backend proves itself by), `parity` (every backend's outputs and gradients against the
reference), `contexts` (what `auto` chooses, within JAX's transformations), `recurrent` (training steps at the sizes of
benchmark_recurrent.py, and torch's on the same GPU), `layer` (one LSTM at B16 T1024 H768, the setting of published figures),
`fused` (layers that fit into one kernel), `graphs` (steps as CUDA graphs: the same losses, and how fast), `images` (ResNet
inference and training against torch), `sampling`, and `captions` (beam search). A part that fails is recorded with its error,
and the next one runs. The file is rewritten after each part, so that a run that is cut off keeps what it has.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # torch lives in the same process and wants memory, too
sys.path.insert(0, str(Path(__file__).parent))

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import seqnets as sn
from recurrent_peers import seqnets_peer
from recurrent_peers.sizes import PEERS, SIZES, Size
from seqnets.ops import self_check
from seqnets.ops.recurrent import GRU, LSTM, VANILLA, highway

CELLS = {
    "lstm": lambda rngs: sn.nn.LSTMCell(24, 48, rngs=rngs),
    "gru": lambda rngs: sn.nn.GRUCell(24, 48, rngs=rngs),
    "gru-before": lambda rngs: sn.nn.GRUCell(24, 48, reset="before", rngs=rngs),
    "vanilla": lambda rngs: sn.nn.VanillaCell(24, 48, rngs=rngs),
    "highway": lambda rngs: sn.nn.HighwayCell(24, 48, depth=2, rngs=rngs),
    "mingru": lambda rngs: sn.nn.MinGRUCell(24, 48, rngs=rngs),
    "minlstm": lambda rngs: sn.nn.MinLSTMCell(24, 48, rngs=rngs),
}
SMALL = Size(4, 6, 16, 1)


def main(options: argparse.Namespace) -> int:
    """Run the parts and return how many failed."""
    report: dict[str, Any] = {"machine": machine(), "small": options.small, "parts": {}}
    for name in options.parts.split(","):
        begin = time.perf_counter()
        try:
            rows = list(PARTS[name](options.small))
            failure = None
        except Exception as error:
            rows, failure = [], f"{type(error).__name__}: {error}"[:2000]
            traceback.print_exc()
        report["parts"][name] = {"rows": rows, "failure": failure, "seconds": round(time.perf_counter() - begin, 1)}
        print(f"{name}: {failure or f'{len(rows)} rows'} in {time.perf_counter() - begin:.0f} s", flush=True)
        if options.json:
            options.json.write_text(json.dumps(report, indent=1))
    return sum(part["failure"] is not None for part in report["parts"].values())


def machine() -> dict[str, Any]:
    """Return what the figures belong to."""
    device = jax.devices()[0]
    versions = {
        "jax": jax.__version__,
        "jaxlib": jax.lib.__version__,
        "python": platform.python_version(),
        "seqnets": sn.__version__,
    }
    return {"date": time.strftime("%Y-%m-%d"), "device": device.device_kind, "platform": device.platform, **versions}


def parity(small: bool) -> Iterator[dict[str, Any]]:
    """Compare outputs, last states and gradients of every backend with the reference, computed on the CPU."""
    for cell, cases, backends in PARITY[: 1 if small else None]:
        for case in cases:
            expected = _on_the_cpu(partial(_results, cell, case, "reference"))
            for backend in backends:
                yield _row({"cell": cell, "case": case, "backend": backend}, partial(_compared, cell, case, backend, expected))


PARITY = (
    ("lstm", ("plain", "lengths", "reverse", "bidirectional"), ("auto", "scan", "cudnn", "pallas")),
    ("gru", ("plain", "lengths", "reverse"), ("scan", "pallas")),
    ("gru-before", ("lengths",), ("scan", "pallas")),
    ("vanilla", ("plain", "lengths"), ("scan", "pallas")),
    ("highway", ("plain", "lengths"), ("scan", "pallas")),
    ("mingru", ("plain", "lengths"), ("scan", "parallel")),
    ("minlstm", ("lengths",), ("scan", "parallel")),
)


def self_checks(small: bool) -> Iterator[dict[str, Any]]:
    """Compute the small problem by which each accelerated backend proves itself on a machine; `difference` is None if it does."""
    recurrences = (VANILLA["tanh"], VANILLA["relu"], LSTM, GRU["after"], GRU["before"], highway(2))
    backends = (
        ("native", recurrences[: 1 if small else None]),
        ("cudnn", (LSTM,)),
        ("cuda_graphs", (LSTM,)),
        ("pallas", recurrences),
    )
    for backend, held in backends[: 1 if small else None]:
        for recurrence in held:
            begin = time.perf_counter()
            row = {"backend": backend, "recurrence": recurrence.name, "difference": self_check.check(backend, recurrence)}
            print(json.dumps(row), flush=True)
            yield {**row, "seconds": time.perf_counter() - begin}


def _on_the_cpu(work: Callable[[], Any]) -> Any:
    with jax.default_device(jax.devices("cpu")[0]):
        return jax.tree.map(np.asarray, work())


def _compared(cell: str, case: str, backend: str, expected: Any) -> dict[str, Any]:
    found = {}
    for precision in ("default", "highest") if case == "plain" else ("highest",):
        with jax.default_matmul_precision(precision):
            results = jax.tree.map(np.asarray, _results(cell, case, backend))
        errors = jax.tree.map(lambda a, b: float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3)), results, expected)
        found[f"error_{precision}"] = max(jax.tree.leaves(errors))
    return found


def _results(cell: str, case: str, backend: str) -> Any:
    """Return outputs, last state and all gradients of a layer, the same problem everywhere."""
    make, rngs = CELLS[cell], nnx.Rngs(0)
    settings: dict[str, Any] = {"return_carry": True} | ({} if backend == "cudnn" else {"backend": backend})
    if case == "bidirectional":
        forward, backward = (sn.nn.RNN(make(rngs), reverse=reverse, **settings) for reverse in (False, True))
        layer: Any = sn.nn.BidirectionalRNN(forward, backward, return_carry=True)
    else:
        layer = sn.nn.RNN(make(rngs), reverse=case == "reverse", **settings)
    layer = sn.nn.CuDNN(layer) if backend == "cudnn" else layer
    numbers = np.random.default_rng(0)
    x = jnp.asarray(numbers.standard_normal((20, 17, 24), np.float32))
    lengths = jnp.asarray(numbers.integers(0, 18, 20)) if case == "lengths" else None
    graph, parameters, rest = nnx.split(layer, nnx.Param, ...)

    def loss(parameters: Any, x: Any) -> Any:
        carry, outputs = nnx.merge(graph, parameters, rest)(x, lengths=lengths)
        total = sum(jnp.sum(leaf * jnp.cos(jnp.arange(leaf.size, dtype=jnp.float32)).reshape(leaf.shape)) for leaf in
                    jax.tree.leaves((outputs, carry)))  # fmt: skip
        return total, (outputs, carry)

    (_, results), gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(parameters, x)
    return jax.tree.leaves((results, gradients))


def contexts(small: bool) -> Iterator[dict[str, Any]]:
    """Use what `auto` chooses within JAX's transformations, and compare with the scan."""
    del small
    layers = {backend: sn.nn.RNN(CELLS["lstm"](nnx.Rngs(0)), backend=backend) for backend in ("auto", "scan")}
    x = jnp.asarray(np.random.default_rng(0).standard_normal((4, 20, 17, 24), np.float32))

    def total(layer: Any, x: Any) -> Any:
        return jnp.sin(layer(x)).sum()

    uses: dict[str, Callable[[Any], Any]] = {
        "eager": lambda layer: layer(x[0]),
        "jit": lambda layer: jax.jit(lambda x: layer(x))(x[0]),
        "vmap": lambda layer: jax.vmap(layer)(x),
        "vmap of grad": lambda layer: jax.vmap(jax.grad(partial(total, layer)))(x),
        "scan": lambda layer: jax.lax.scan(lambda carry, x: (carry + total(layer, x), None), 0.0, x)[0],
        "grad of scan": lambda layer: jax.grad(
            lambda x: jax.lax.scan(lambda carry, x: (carry + total(layer, x), None), 0.0, x)[0]
        )(x),
        "checkpoint": lambda layer: jax.grad(jax.checkpoint(partial(total, layer)))(x[0]),
        "jvp": lambda layer: jax.jvp(partial(total, layer), (x[0],), (x[1],))[1],
        "grad of grad": lambda layer: jax.grad(lambda x: (jax.grad(partial(total, layer))(x) ** 2).sum())(x[0]),
        "mesh": lambda layer: _within_a_mesh(layer, x[0]),
    }
    with jax.default_matmul_precision("highest"):
        for name, use in uses.items():
            yield _row({"context": name}, lambda use=use: {"error": _largest(use(layers["auto"]), use(layers["scan"]))})


def _within_a_mesh(layer: Any, x: Any) -> Any:
    with jax.set_mesh(jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))):
        return jax.jit(jax.grad(lambda x: jnp.sin(layer(x)).sum()))(x)


def _largest(found: Any, expected: Any) -> float:
    return float(jnp.abs(found - expected).max() / jnp.maximum(jnp.abs(expected).max(), 1e-3))


def recurrent(small: bool) -> Iterator[dict[str, Any]]:
    """Time training steps of the character models of benchmark_recurrent.py, ours and torch's in turn."""
    runs = (("small", "lstm"),) if small else (*((size, "lstm") for size in "abcg"), ("b", "gru"), ("b", "vanilla"))
    for size, cell in runs:
        backends = ("scan", "scan*8", "pallas", "cudnn", "cudnn*8") if cell == "lstm" else ("scan", "scan*8", "pallas")
        ours = {name: partial(_our_step, size, cell, name) for name in backends}
        yield from _raced({"size": size, "cell": cell}, {**ours, "torch": partial(_torch_step, size, cell)})


def _size(name: str) -> Size:
    return SMALL if name == "small" else SIZES[name]


def _our_step(size: str, cell: str, backend: str) -> Callable[[], Any]:
    return seqnets_peer.work(_size(size), cell, "train_step", backend)


def _torch_step(size: str, cell: str) -> Callable[[], Any]:
    from recurrent_peers import torch_peer

    assert cell in PEERS["torch"]["train_step"]  # noqa: S101
    return torch_peer.work(_size(size), cell, "train_step", "")


def layer(small: bool) -> Iterator[dict[str, Any]]:
    """Time one LSTM layer alone, forward and forward with backward, at the published setting."""
    size = Size(2, 8, 16, 1) if small else SIZES["g"]
    for work in ("forward", "both"):
        ours = {name: partial(_our_layer, size, work, name, jnp.float32) for name in ("scan", "cudnn")}
        ours |= {"scan bfloat16": partial(_our_layer, size, work, "scan", jnp.bfloat16)}
        peers = {f"torch {kind}": partial(_torch_layer, size, work, kind) for kind in ("float32", "float16", "bfloat16")}
        yield from _raced({"work": work, "shape": [size.batch, size.steps, size.hidden]},
                          {**ours, **peers})  # fmt: skip


def fused(small: bool) -> Iterator[dict[str, Any]]:
    """Time layers that fit into one kernel of the pallas backend, forward and backward, beside the scan."""
    steps, rows = (4, 2) if small else (128, 64)
    layers = (("lstm", 64, "float32"), ("lstm", 128, "bfloat16"), ("gru", 64, "float32"), ("vanilla", 128, "float32"))
    for cell, hidden, dtype in layers[: 1 if small else None]:
        backends = ("scan",) if small else ("scan", "pallas")
        ours = {
            name: partial(_our_layer, Size(rows, steps, hidden, 1), "both", name, jnp.dtype(dtype), cell) for name in backends
        }
        yield from _raced({"cell": cell, "shape": [rows, steps, hidden], "dtype": dtype}, ours)


def _our_layer(size: Size, work: str, backend: Any, dtype: Any, name: str = "lstm") -> Callable[[], Any]:
    make: Any = {"lstm": sn.nn.LSTMCell, "gru": sn.nn.GRUCell, "vanilla": sn.nn.VanillaCell}[name]
    cell = make(size.hidden, size.hidden, dtype=dtype, rngs=nnx.Rngs(0))
    graph, state = nnx.split(sn.nn.CuDNN(sn.nn.RNN(cell)) if backend == "cudnn" else sn.nn.RNN(cell, backend=backend))
    x = jnp.ones((size.batch, size.steps, size.hidden), dtype)

    def total(state: Any, x: Any) -> Any:
        return nnx.merge(graph, state)(x).astype(jnp.float32).sum()

    run = jax.jit(total if work == "forward" else jax.grad(total, argnums=(0, 1)))
    return lambda: jax.block_until_ready(run(state, x))


def _torch_layer(size: Size, work: str, kind: str) -> Callable[[], Any]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, kind)
    module = torch.nn.LSTM(size.hidden, size.hidden, batch_first=False).to(device, dtype)
    x = torch.ones(size.steps, size.batch, size.hidden, device=device, dtype=dtype, requires_grad=True)

    def run() -> None:
        if work == "forward":
            with torch.no_grad():
                module(x)[0].float().sum().item()
        else:
            module.zero_grad()
            x.grad = None
            module(x)[0].float().sum().backward()
            if device == "cuda":
                torch.cuda.synchronize()

    return run


def graphs(small: bool) -> Iterator[dict[str, Any]]:
    """Train a small text with and without CUDA graphs: the losses must agree; the seconds of the later steps are compared."""
    if jax.default_backend() != "gpu":
        yield {"skipped": "there is no GPU"}
        return
    losses: dict[bool, list[float]] = {}
    for wanted in (False, True, False, True):
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder, "text.txt")
            text.write_text("It was a bright cold day in April, and the clocks were striking thirteen.\n" * 3000)
            corpus = sn.read_text(text, config=sn.TextConfig(window=50))
            shape: dict[str, Any] = {"hidden_features": 128, "layers": 2, "backend": "scan"}
            model = sn.CharLM(corpus.vocabulary, cell="lstm", rngs=nnx.Rngs(0), **shape)
            pace: dict[str, Any] = {"steps_per_dispatch": 16, "log_every": 16, "evaluate_every": 320}
            config = sn.TrainConfig(steps=320, batch_size=50, cuda_graphs=wanted, **pace)
            begin = time.perf_counter()
            run = sn.fit(sn.CharLMTask(model, corpus), config, directory=Path(folder, "run"))
            losses[wanted] = [line["loss"] for line in run.metrics if "loss" in line]
            yield {"cuda_graphs": wanted, "last_loss": losses[wanted][-1], "seconds": time.perf_counter() - begin}
    yield {"largest_difference_of_losses": float(np.abs(np.subtract(losses[False], losses[True])).max())}


def images(small: bool) -> Iterator[dict[str, Any]]:
    """Time ResNets against torch with the same weights."""
    import torch

    from image_peers import seqnets_peer as ours
    from image_peers import torch_peer
    from image_peers.torch_resnet import make
    from image_peers.works import WORKS, Work

    works = {"small": Work("resnet18", 1)} if small else {
        name: WORKS[name] for name in ("resnet50_1", "resnet50_256", "resnet18_train_256")
    }  # fmt: skip
    for name, work in works.items():
        with tempfile.TemporaryDirectory() as folder:
            weights = str(Path(folder, "weights.pth"))
            torch.save(make(work.network).state_dict(), weights)
            contestants: dict[str, Callable[[], Any]] = {
                variant: partial(ours.work, work, variant, weights) for variant in ("plain", "bfloat16")
            }
            contestants |= {f"torch {layout}": partial(torch_peer.work, work, layout, weights) for layout in ("", "nhwc")}
            yield from _raced({"work": name, "images": work.batch}, contestants)


def sampling(small: bool) -> Iterator[dict[str, Any]]:
    """Time texts out of a model, one and many at once."""
    for size in ("small",) if small else ("s", "t"):
        yield from _raced({"size": size, "characters": _size(size).characters}, {
            "ours": lambda size=size: seqnets_peer.work(_size(size), "lstm", "sample", "auto"),
            "torch": lambda size=size: _torch_sampling(size),
        })  # fmt: skip


def _torch_sampling(size: str) -> Callable[[], Any]:
    from recurrent_peers import torch_peer

    return torch_peer.work(_size(size), "lstm", "sample", "")


def captions(small: bool) -> Iterator[dict[str, Any]]:
    """Time beam search over stored features."""
    from benchmark_captioning import random_model

    shape, count = ((3, 3, 8), 4) if small else ((13, 13, 512), 1000)
    model = random_model(50 if small else 2500, shape, 16 if small else 256)
    drawn = np.maximum(np.random.default_rng(0).standard_normal((count, *model.feature_map)), 0).astype(np.float32)
    stored = jnp.asarray(drawn.reshape(count, -1, shape[-1]))
    config = sn.decode.CaptionConfig(beam=5, min_length=8, max_length=20)
    works = {f"batch {batch}": (lambda batch=batch: lambda: sn.decode_captions(model, stored, config, batch=batch))
             for batch in ((4,) if small else (64, 500))}  # fmt: skip
    yield from _raced({"images": count, "beam": 5}, works)


def _raced(row: dict[str, Any], contestants: dict[str, Callable[[], Callable[[], Any]]]) -> Iterator[dict[str, Any]]:
    """Prepare every contestant, then time them in turn; yield a row for each, with seconds a step or why there is none."""
    ready: dict[str, tuple[Callable[[], Any], float]] = {}
    for name, prepare in contestants.items():
        begin = time.perf_counter()
        try:
            run = prepare()
            run()
            run()
        except Exception as failure:
            yield {**row, "who": name, "failure": f"{type(failure).__name__}: {failure}"[:500]}
        else:
            ready[name] = run, time.perf_counter() - begin
    rounds = [{name: _seconds(run) for name, (run, _) in ready.items()} for _ in range(3)]
    for name, (_, first) in ready.items():
        times = sorted(each[name] for each in rounds)
        result = {
            **row,
            "who": name,
            "ms": 1e3 * times[1],
            "ms_range": [1e3 * times[0], 1e3 * times[-1]],
            "first_calls_s": round(first, 1),
        }
        print(json.dumps(result), flush=True)
        yield result


def _seconds(run: Callable[[], Any], enough: float = 0.25) -> float:
    """Return the seconds of a step, over calls that fill a quarter of a second."""
    begin, calls = time.perf_counter(), 0
    while time.perf_counter() - begin < enough:
        run()
        calls += 1
    return (time.perf_counter() - begin) / calls / getattr(run, "calls", 1)


def _row(row: dict[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        result = {**row, **work()}
    except sn.UserError as refusal:
        result = {**row, "refused": str(refusal)}
    except Exception as failure:
        result = {**row, "failure": f"{type(failure).__name__}: {failure}"[:500]}
    print(json.dumps(result), flush=True)
    return result


PARTS: dict[str, Callable[[bool], Iterator[dict[str, Any]]]] = {
    "self_checks": self_checks,
    "parity": parity,
    "contexts": contexts,
    "recurrent": recurrent,
    "layer": layer,
    "fused": fused,
    "graphs": graphs,
    "images": images,
    "sampling": sampling,
    "captions": captions,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--small", action="store_true", help="sizes that a CPU does in a minute")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(arguments()) > 0)

"""Calls with a random mistake in the shape, the dtype or the structure of one argument, and what each must end in.

What an argument means is stated here once more, in NumPy and apart from the package; `None` is an argument that means nothing. A
call with one must end in one sentence, any other in the numbers of a naive loop, or of the reference on the plain arguments.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import seqnets as sn
import seqnets.nn as snn
from cell_table import CASES
from numerics import assert_close
from oracles import recurrent as oracle
from seqnets.data import Vocabulary
from seqnets.data.words.vocabulary import token_vocabulary
from seqnets.errors import UserError
from seqnets.models.captioner import Captioner
from seqnets.models.sequence.translator import Source, Translator, TranslatorConfig
from seqnets.ops import stack_step
from seqnets.ops.backends import reference
from seqnets.ops.backends.gpu import cudnn
from seqnets.ops.native import build
from seqnets.ops.over_time import sequence
from seqnets.ops.recurrent import GRU, LSTM, LSTMState, RecurrentWeights
from seqnets.ops.stack_step import LayerWeights
from seqnets.ops.timestep import TimeInputs
from seqnets.weights.cudnn import cudnn_weights, load_cudnn_weights

ROWS, STEPS, FEATURES, UNITS = 3, 4, 2, 5
LETTERS = token_vocabulary(["abc"], "chars")
Meaning = Callable[[Any], np.ndarray | None]


class Entry(NamedTuple):
    """An entry point: its plain arguments, what each may mean, the call, its right numbers, and calls that are always wrong."""

    plain: dict[str, np.ndarray]
    meanings: dict[str, Meaning]
    call: Callable[..., Any]
    right: Callable[..., Any] | None
    wrong: tuple[Callable[[], Any], ...] = ()


def draw(rng: np.random.Generator, entry: Entry) -> bool:
    """Make a call with one mistake; return whether it gave numbers."""
    if entry.wrong and rng.random() < 0.2:
        return settle(entry.wrong[rng.integers(len(entry.wrong))], None, "structure")
    name = str(rng.choice(list(entry.plain)))
    spoiled = spoil(rng, entry.plain[name])
    meant = entry.meanings[name](spoiled)
    said = f"{name}: {type(spoiled).__name__} {getattr(spoiled, 'dtype', '')} {getattr(spoiled, 'shape', '')}"
    call = partial(entry.call, **entry.plain | {name: spoiled})
    if meant is None:
        return settle(call, None, said)
    right = None if entry.right is None else partial(entry.right, **entry.plain | {name: meant})
    return settle(call, right, said, or_refused=meant.itemsize == 2 or right is None)


def settle(call: Callable[[], Any], right: Callable[[], Any] | None, said: str, or_refused: bool = False) -> bool:
    found, refusal = outcome(call)
    if refusal is not None:
        assert right is None or or_refused, f"{said}: refused: {refusal}"
        assert isinstance(refusal, UserError), f"{said}: {type(refusal).__name__}: {str(refusal)[:300]}"
        assert "\n" not in str(refusal), f"{said}: {refusal}"
        return False
    assert right is not None or or_refused, f"{said}: gave numbers"
    if right is not None and not or_refused:
        found, right = (jax.tree.map(np.asarray, jax.tree.leaves(tree)) for tree in (found, right()))
        assert_close(found, right)
    return True


def outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except Exception as error:
        return None, error


# Mistakes, and other ways to write the same.


def spoil(rng: np.random.Generator, array: np.ndarray) -> Any:
    kinds = [_resized, _resized, _resized, _reshaped, _retyped, _retyped, _rewritten]
    return kinds[rng.integers(len(kinds))](rng, array)


def _resized(rng, array):
    shape, axis = list(array.shape), rng.integers(array.ndim)
    size = shape[axis]
    shape[axis] = int(rng.choice([1, 1, size + 1, size - 1, 2 * size, size + 17]))
    return np.resize(array, shape)


def _reshaped(rng, array):
    ways = [array[None], array[..., None], array.ravel(), array.T, array[0], np.stack([array, array]), array[:0]]
    return ways[rng.integers(len(ways))]


def _retyped(rng, array):
    return jnp.asarray(array.astype(bool) if array.dtype == bool else array).astype(
        str(rng.choice(["float16", "bfloat16", "int32", "bool", "complex64", "float32", "uint8", "int8"]))
    )


def _rewritten(rng, array):
    ways = [
        array.tolist(),
        jnp.asarray(array),
        array.astype(np.float64),
        "text",
        {"a": array},
        object(),
        (array, array, array),
        np.array(["a"]),
    ]
    return ways[rng.integers(len(ways))]


# What an argument may be.


def numbers(value: Any) -> np.ndarray | None:
    if isinstance(value, (tuple, dict, str)):
        return None
    array = np.asarray(value)
    return None if array.dtype.kind in "OUSc" else array


def floats(shape: tuple[int, ...]) -> Meaning:
    def meaning(value):
        array = numbers(value)
        fits = array is not None and (array.dtype.kind == "f" or array.dtype == jnp.bfloat16) and array.shape == shape
        return array if fits else None

    return meaning


def real(features: int, any_length: bool = False) -> Meaning:
    def meaning(value):
        array = numbers(value)
        fits = array is not None and array.ndim == 3 and array.shape[::2] == (ROWS, features)
        return array if fits and (any_length or array.shape[1] == STEPS) else None

    return meaning


def integers(*shapes: tuple[int, ...]) -> Meaning:
    def meaning(value):
        array = numbers(value)
        fits = array is not None and array.dtype.kind in "iu" and array.shape in shapes
        return np.broadcast_to(array, shapes[0]) if fits else None

    return meaning


def windows(value: Any) -> np.ndarray | None:
    array = numbers(value)
    return array if array is not None and array.dtype.kind in "iu" and array.ndim == 2 and len(array) == ROWS else None


def flags(shape: tuple[int, int], one_row: tuple[int, int]) -> Meaning:
    def meaning(value):
        array = numbers(value)
        fits = array is not None and array.shape in (shape, one_row)
        return np.broadcast_to(array.astype(np.float32) != 0, shape) if fits else None

    return meaning


def vectors(shape: tuple[int, ...]) -> Meaning:
    def meaning(value):
        array = floats(np.shape(value))(value)
        try:
            return None if array is None or np.broadcast_shapes(array.shape, shape) != shape else array
        except ValueError:
            return None

    return meaning


# The entry points.


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


INPUTS = {"x": random(1, ROWS, STEPS, FEATURES)}
LENGTHS = {"lengths": np.array([4, 0, 2], np.int32)}
RESETS = {"resets": np.random.default_rng(2).random((ROWS, STEPS)) < 0.3}
TOKENS = np.random.default_rng(3).integers(0, 3, (ROWS, STEPS)).astype(np.int32)
MASKS = {"lengths": integers((ROWS,), (1,), ()), "resets": flags((ROWS, STEPS), (1, STEPS))}


def parts_of(cell: Any, features: int = UNITS) -> dict[str, np.ndarray]:
    return {name: random(4, ROWS, features) for name in ("c", "h")[-cell.carry_parts :]}


def carry_of(parts: dict[str, Any]) -> Any:
    return (parts["c"], parts["h"]) if "c" in parts else parts["h"]


def wrong_states(call: Callable[[Any], Any], parts: dict[str, np.ndarray]) -> tuple[Callable[[], Any], ...]:
    h, pair = parts["h"], "c" in parts
    states = [(h, h, h), {"h": h}, "zeros", (h,), (), h[0]]
    return tuple(partial(call, state) for state in [*states, h if pair else LSTMState(h, h)])


def randomized(module: Any) -> Any:
    for number, (_, param) in enumerate(nnx.to_flat_state(nnx.state(module, nnx.Param))):
        param[...] = jnp.asarray(0.5 * random(number, *param.shape))
    return module


@cache
def layer(name: str, backend: str, reverse: bool) -> Entry:
    case = next(case for case in CASES if case.name == name)
    cell = randomized(case.build(FEATURES, UNITS, rngs=nnx.Rngs(3), **case.options))
    rnn = snn.RNN(cell, backend=backend, reverse=reverse, keep_order=True, return_carry=True)
    parts = parts_of(cell)

    def call(x, lengths, resets, **parts):
        return rnn(x, initial_carry=carry_of(parts), lengths=lengths, resets=resets)[::-1]

    def right(x, lengths, resets, **parts):
        rates = dict(zip(parts, cell.zoneout)) if any(cell.zoneout) else None
        x = np.asarray(x, np.float64)
        return oracle.run(case.oracle, cell, x, parts, lengths=lengths, resets=resets, reverse=reverse, zoneout=rates)

    meanings = {"x": real(FEATURES), **MASKS} | {name: floats((ROWS, UNITS)) for name in parts}
    wrong = wrong_states(lambda state: rnn(INPUTS["x"], initial_carry=state), parts)
    return Entry(INPUTS | LENGTHS | RESETS | parts, meanings, call, right, wrong + wrong_weights(case))


def wrong_weights(case: Any) -> tuple[Callable[[], Any], ...]:
    def with_another(name: str, shape: tuple[int, ...]) -> Any:
        cell = case.build(FEATURES, UNITS, rngs=nnx.Rngs(3), **case.options)
        setattr(cell, name, nnx.Param(jnp.ones(shape)))
        return snn.RNN(cell)(INPUTS["x"])

    cell = case.build(FEATURES, UNITS, rngs=nnx.Rngs(3), **case.options)
    names = [name for name in ("kernel", "bias", "recurrent_kernel", "recurrent_bias") if hasattr(cell, name)]
    shapes = {name: getattr(cell, name).shape for name in names}
    grown = [(name, (*shape[:-1], shape[-1] + 1)) for name, shape in shapes.items()]
    return tuple(partial(with_another, *each) for each in grown)


def stacked(backend: str, bidirectional: bool) -> Any:
    rngs, sizes = nnx.Rngs(1), (FEATURES, UNITS * (1 + bidirectional))

    def one(size, reverse=False):
        return snn.RNN(snn.GRUCell(size, UNITS, rngs=rngs), backend=backend, reverse=reverse)

    layers = [snn.BidirectionalRNN(one(size), one(size, True)) if bidirectional else one(size) for size in sizes]
    return randomized(snn.StackedRNN(layers, return_carry=True))


@cache
def stack(backend: str, bidirectional: bool) -> Entry:
    h = {f"h{k}": random(k, ROWS, UNITS) for k in range(4 if bidirectional else 2)}
    given = INPUTS | LENGTHS | h | ({} if bidirectional else RESETS)
    meanings = {"x": real(FEATURES, any_length=bidirectional), **MASKS} | {name: floats((ROWS, UNITS)) for name in h}
    model, plain = stacked(backend, bidirectional), stacked("reference", bidirectional)

    def called(model, x, h0, h1, h2=None, h3=None, **masks):
        return model(x, initial_carry=((h0, h1), (h2, h3)) if bidirectional else (h0, h1), **masks)

    one = (h["h0"], h["h0"]) if bidirectional else h["h0"]
    carries = [(one,), (one,) * 3, (), h["h0"], LSTMState(h["h0"], h["h0"]), {"a": one, "b": one}, (one, (one,)), (one, "x")]
    wrong = tuple(partial(model, INPUTS["x"], initial_carry=carry) for carry in carries)
    wrong += (partial(model, INPUTS["x"], resets=RESETS["resets"]),) if bidirectional else ()
    return Entry(given, meanings, partial(called, model), partial(called, plain), wrong)


@cache
def char_lm(cell: str, backend: str) -> Any:
    vocabulary = Vocabulary.from_text("abcdefg")
    options = {"hidden_features": UNITS, "embedding_features": FEATURES, "layers": 2, "backend": backend}
    return randomized(sn.CharLM(vocabulary, cell=cell, rngs=nnx.Rngs(0), **options))


def carries_of(model: Any, parts: dict[str, Any]) -> Any:
    lstm = len(parts) == 4
    return ((parts["c0"], parts["h0"]), (parts["c1"], parts["h1"])) if lstm else (parts["h0"], parts["h1"])


@cache
def text(cell: str, backend: str, way: str) -> Entry:
    model, plain = char_lm(cell, backend), char_lm(cell, "reference")
    parts = {f"{part}{k}": random(k, ROWS, UNITS) for k in range(2) for part in ("ch" if cell == "lstm" else "h")}
    single = way != "whole"
    tokens = TOKENS[:, 0] if single else TOKENS

    def called(run, tokens, resets=None, **parts):
        more = {} if single else {"resets": resets}
        return run(tokens, carries_of(model, parts), **more)

    run = model.stepper(model.pack() if way == "packed" else None) if single else model
    meanings = MASKS | {name: floats((ROWS, UNITS)) for name in parts} | {"tokens": integers(tokens.shape)}
    given = {"tokens": tokens} | parts | ({} if single else RESETS)
    whole = carries_of(model, parts)
    carries = [whole[:1], (*whole, whole[0]), (), "x", {"a": whole[0]}, (whole[0], whole), parts["h0"]]
    return Entry(
        given,
        meanings,
        partial(called, run),
        partial(called, plain.step if single else plain),
        tuple(partial(run, tokens, c) for c in carries),
    )


@cache
def operation(backend: str) -> Entry:
    given = {"carry": random(0, ROWS, UNITS), "x": random(1, STEPS, ROWS, 3 * UNITS), "kernel": random(2, UNITS, 3 * UNITS)}
    given |= {"bias": random(3, UNITS)} | LENGTHS | {"resets": np.asarray(RESETS["resets"].T)}
    meanings = {"carry": floats((ROWS, UNITS)), "x": floats((STEPS, ROWS, 3 * UNITS)), "kernel": floats((UNITS, 3 * UNITS))}
    meanings |= {"bias": vectors((UNITS,)), "lengths": MASKS["lengths"], "resets": flags((STEPS, ROWS), (STEPS, 1))}

    def call(carry, x, kernel, bias, lengths, resets):
        weights = RecurrentWeights((kernel,), {"recurrent_bias": bias})
        return sequence(GRU["after"], weights, carry, x, lengths=lengths, resets=resets, backend=backend)

    def right(carry, x, kernel, bias, lengths, resets):
        valid = np.arange(STEPS)[:, None] < np.asarray(lengths)[None]
        inputs = TimeInputs(jnp.asarray(x), resets & valid, valid)
        weights = RecurrentWeights((jnp.asarray(kernel),), {"recurrent_bias": jnp.broadcast_to(bias, UNITS)})
        return reference.run(GRU["after"], False, weights, jnp.asarray(carry), inputs)

    more = RecurrentWeights((given["kernel"],) * 2, {}), RecurrentWeights((given["kernel"],), {})
    return Entry(
        given, meanings, call, right, tuple(partial(sequence, GRU["after"], w, given["carry"], given["x"]) for w in more)
    )


@cache
def packed_step() -> Entry:
    given = {name: random(k, UNITS, 4 * UNITS) for k, name in enumerate(("first", "second", "kernel"))}
    given |= {
        "bias": random(3, 4 * UNITS),
        "x": random(4, ROWS, 4 * UNITS),
        "c": random(5, ROWS, UNITS),
        "h": random(6, ROWS, UNITS),
    }
    shapes = {name: array.shape for name, array in given.items()}

    def call(first, second, kernel, bias, x, c, h):
        weights = [RecurrentWeights((kernel,), {}) for kernel in (first, second)]
        layers = [LayerWeights(None, None, weights[0]), LayerWeights(kernel, bias, weights[1])]
        return stack_step.step(LSTM, stack_step.pack(layers), [(c, h), (c, h)], x)

    return Entry(given, {name: floats(shape) for name, shape in shapes.items()}, call, partial(one_by_one, call))


def one_by_one(call, **given):
    """Take the step of both layers in NumPy."""
    del call
    given = {name: np.asarray(array, np.float64) for name, array in given.items()}

    def lstm(x, kernel):
        i, f, g, o = np.split(x + given["h"] @ kernel, 4, axis=-1)
        c = oracle.sigmoid(f) * given["c"] + oracle.sigmoid(i) * np.tanh(g)
        return c, oracle.sigmoid(o) * np.tanh(c)

    first = lstm(given["x"], given["first"])
    return first, lstm(first[1] @ given["kernel"] + given["bias"], given["second"])


@cache
def captioner(step: bool, attention: str) -> Entry:
    shape = {"encoder": "features", "feature_map": (2, 2, 6), "hidden_features": UNITS, "embedding_features": 4, "layers": 2}
    model = randomized(Captioner(LETTERS, **shape, attention=attention, rngs=nnx.Rngs(0)))
    features, parts = random(1, ROWS, 4, 6), {f"{part}{k}": random(k, ROWS, UNITS) for k in range(2) for part in "ch"}

    def whole(model, tokens, features, lengths):
        return model(features, tokens, lengths=lengths)[0]

    def single(model, tokens, features, **parts):
        return model.step(tokens, carries_of(model, parts), model.encode(features))[:2]

    tokens = TOKENS[:, 0] if step else TOKENS
    given = {"tokens": tokens, "features": features} | (parts if step else LENGTHS)
    meanings = MASKS | {"tokens": integers(tokens.shape) if step else windows, "features": one_or_all(features.shape)}
    meanings |= {name: floats((ROWS, UNITS)) for name in parts}
    call = single if step else whole
    carries = [((parts["c0"], parts["h0"]),), ((parts["c0"], parts["h0"]),) * 3, (), None, (parts["h0"], parts["h1"])]
    wrong = tuple(partial(model.step, tokens, carry, model.encode(features)) for carry in carries) if step else ()
    return Entry(given, meanings, partial(call, model), partial(call, model), wrong)


def one_or_all(shape: tuple[int, ...]) -> Meaning:
    def meaning(value):
        array = numbers(value)
        fits = array is not None and array.shape in (shape, (1, *shape[1:]))
        return np.broadcast_to(array, shape) if fits else None

    return meaning


@cache
def translator(step: bool) -> Entry:
    config = TranslatorConfig(cell="gru", hidden_features=UNITS, embedding_features=4, layers=2)
    model = randomized(Translator(LETTERS, LETTERS, config, rngs=nnx.Rngs(0)))

    def whole(tokens, source, lengths):
        return model(Source(source, lengths), tokens)[0]

    def single(tokens, source, lengths, h0, h1):
        return model.step(tokens, (h0, h1), model.encode(Source(source, lengths)))[:2]

    tokens, parts = TOKENS[:, 0] if step else TOKENS, {f"h{k}": random(k, ROWS, UNITS) for k in range(2)} if step else {}
    meanings = MASKS | {"tokens": integers(tokens.shape) if step else windows, "source": windows}
    meanings |= {name: floats((ROWS, UNITS)) for name in parts}
    call = single if step else whole
    encoded, h = model.encode(Source(TOKENS, LENGTHS["lengths"])), random(0, ROWS, UNITS)
    carries = [(h,), (h,) * 3, (), None, h, (h, (h, h))] if step else []
    wrong = tuple(partial(model.step, tokens, carry, encoded) for carry in carries)
    return Entry({"tokens": tokens, "source": TOKENS} | LENGTHS | parts, meanings, call, call, wrong)


@cache
def flat_weights(layers: int, bidirectional: bool) -> Entry:
    def build_one():
        rngs, sizes = nnx.Rngs(0), [FEATURES] + [UNITS * (1 + bidirectional)] * (layers - 1)

        def one(size, reverse=False):
            return snn.RNN(snn.LSTMCell(size, UNITS, rngs=rngs), reverse=reverse)

        return snn.StackedRNN([snn.BidirectionalRNN(one(n), one(n, True)) if bidirectional else one(n) for n in sizes])

    model, size = build_one(), cudnn_weights(build_one()).size
    shape = cudnn.Shape(FEATURES, UNITS, layers, bidirectional)

    def call(flat):
        load_cudnn_weights(model, flat)
        return [part.kernel[...] for part in model_directions(model)]

    def right(flat):
        return [part.kernel for part in cudnn.unpack(jnp.asarray(flat, jnp.float32), shape)]

    def meaning(value):
        array = numbers(value)
        return array if array is not None and array.shape == (size,) else None

    one = cudnn.Direction(jnp.ones((FEATURES, 4 * UNITS)), jnp.ones((UNITS, 4 * UNITS)), jnp.ones(4 * UNITS))
    zeros, x = LSTMState(*(jnp.zeros((ROWS, UNITS)),) * 2), jnp.asarray(INPUTS["x"])
    narrow = [one._replace(**{name: array[..., :-1]}) for name, array in one._asdict().items()]
    runs = [([part], [zeros], x) for part in narrow] + [([one, one], [zeros, zeros], x), ([one], [zeros] * 2, x), ([one], [], x)]
    runs += [([one], [LSTMState(zeros.cell[:1], zeros.hidden)], x), ([one], [zeros], x[..., :1]), ([one], [zeros], x[0])]
    wrong = [partial(cudnn.run, *run) for run in runs] + [partial(cudnn.run, [one], [zeros], x, lengths=[1, 2])]
    wrong += [partial(cudnn.pack, [part]) for part in narrow] + [
        partial(cudnn.unpack, jnp.zeros(size + n), shape) for n in (-1, 1)
    ]
    return Entry({"flat": random(0, size)}, {"flat": meaning}, call, right, tuple(wrong))


def model_directions(model: Any) -> list[Any]:
    both = isinstance(model.layers[0], snn.BidirectionalRNN)
    return [rnn.cell for layer in model.layers for rnn in ((layer.forward, layer.backward) if both else (layer,))]


WAYS = ("layer", "stack", "text", "operation", "packed", "captioner", "translator", "flat")


def draw_entry(rng: np.random.Generator, way: str) -> Entry:
    """Draw an entry point of a kind; those that were drawn before are built already."""
    backends = ["auto", "auto", "scan", "reference", "native" if build.library() else "auto"]
    backend, coin = str(rng.choice(backends)), bool(rng.random() < 0.5)
    match way:
        case "layer":
            case = CASES[rng.integers(len(CASES))]
            plainly = case.build(FEATURES, UNITS, rngs=nnx.Rngs(0), **case.options)
            runs = not any(plainly.zoneout) and not plainly.layer_norm and plainly.recurrence.linear is None
            return layer(case.name, "auto" if backend == "native" and not runs else backend, coin)
        case "stack":
            return stack(backend, coin)
        case "text":
            return text(str(rng.choice(["lstm", "gru", "highway"])), backend, str(rng.choice(["whole", "stepper", "packed"])))
        case "operation":
            return operation(backend)
        case "packed":
            return packed_step()
        case "captioner":
            return captioner(coin, str(rng.choice(["additive", "none"])))
        case "translator":
            return translator(coin)
        case _:
            return flat_weights(1 + int(rng.integers(2)), coin)

"""Programs as StableHLO by `jax.export`, for several platforms in one file; a process that has only JAX runs them."""

from collections.abc import Sequence

import jax
from jax import export

from seqnets.errors import UserError
from seqnets.export.programs import Program
from seqnets.models.captioner.decoder import Annotations
from seqnets.ops.over_time import portable, run_by
from seqnets.ops.recurrent import LSTMState

PLATFORMS = ("cpu", "cuda", "tpu")
_CARRIES = {"seqnets.LSTMState": LSTMState, "seqnets.Annotations": Annotations}


def stablehlo(program: Program, platforms: Sequence[str] = PLATFORMS) -> bytes:
    """Return a program in the form that `jax.export.deserialize` reads; the weights are in it.

    Native kernels and those of one kind of GPU are replaced by operations that all platforms have.

    Args:
        program: the program.
        platforms: of "cpu", "cuda", "rocm" and "tpu".

    Raises:
        UserError: a platform does not exist.

    Example:
        >>> import jax.numpy as jnp
        >>> twice = Program("twice", lambda x: (2 * x,), {"x": jax.ShapeDtypeStruct((2,), jnp.float32)}, ("y",), "Doubles.")
        >>> export.deserialize(stablehlo(twice)).call(jnp.ones(2))[0].tolist()
        [2.0, 2.0]
    """
    unknown = [platform for platform in platforms if platform not in (*PLATFORMS, "rocm")]
    if unknown or not platforms:
        raise UserError(f"platforms are of cpu, cuda, rocm and tpu, not {', '.join(unknown) or 'none'}")
    with run_by(portable):
        return bytes(export.export(jax.jit(program.afresh()), platforms=list(platforms))(*program.inputs.values()).serialize())


def register_carries() -> None:
    """Let `jax.export` write functions of our states, such as those that users export themselves.

    Example:
        >>> import jax.numpy as jnp
        >>> register_carries()
        >>> state = LSTMState(jnp.zeros(2), jnp.ones(2))
        >>> content = export.export(jax.jit(lambda state: state.hidden + 1))(state).serialize()
        >>> export.deserialize(content).call(state).tolist()
        [2.0, 2.0]
    """
    for name, kind in _CARRIES.items():
        try:
            export.register_namedtuple_serialization(kind, serialized_name=name)
        except ValueError:  # they are registered
            return

"""The warpgroups of a block on a Hopper GPU, and their common products, in Pallas's Mosaic.

A product needs all hidden units of its left side, of which each warpgroup has 64: they share them through the multiprocessor's
memory, where the kernels stay from the first step to the last. Everything else is in registers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.experimental import pallas
from jax.experimental.pallas import mosaic_gpu

from seqnets.ops.across_devices import varying, varying_axes
from seqnets.ops.backends.gpu.tiles import ROWS, UNITS, gates, parts_of, pieces

Ref = Any  # the references that a kernel reads and writes

_LANE = mosaic_gpu.LoweringSemantics.Lane  # layouts are as written here; JAX 0.12 would infer them
_load_tile: Any = mosaic_gpu.load
_store_tile: Any = getattr(mosaic_gpu, "store", None)  # from JAX 0.12 on
if jax.__version_info__ < (0, 11):
    _load_tile = partial(_load_tile, idx=None)
_RESULTS, _SCRATCH = ("out_shape", "scratch_shapes") if jax.__version_info__ < (0, 10, 2) else ("out_type", "scratch_types")


class Warpgroup(NamedTuple):
    """A warpgroup of a block, and the memory that it shares with the others.

    Attributes:
        block: its rows.
        part: its hidden units.
        kernels: as of `tiled_kernel`.
        shared: `(lefts, pieces, parts, 64, 16)`: the left sides of a product.
        together: the barrier at which all warpgroups of the block wait for each other.
        interpreted: whether there is no GPU, and so no registers to lay out.
    """

    block: Any
    part: Any
    kernels: Sequence[Ref]
    shared: Ref
    together: Ref
    interpreted: bool

    def multiply(self, index: int, lefts: Sequence[Array]) -> Any:
        """Return this warpgroup's part of lefts @ kernels[index], where the left sides are separate, like gates."""
        self._meet()  # wait for warpgroups that still multiply by the previous content
        for left, array in enumerate(lefts):
            for k, piece in enumerate(pieces(array, self.shared.shape[1])):
                self.shared[left, k, self.part] = piece
        mosaic_gpu.commit_smem()
        self._meet()
        height = self.kernels[index].shape[-2]
        sums = pallas.run_scoped(
            partial(self._accumulated, self.kernels[index], len(lefts)), mosaic_gpu.ACC((height, ROWS), jnp.float32)
        )
        return gates(height // UNITS, lambda gate: jax.lax.slice(sums, (gate * UNITS, 0), ((gate + 1) * UNITS, ROWS)))

    def _accumulated(self, kernel: Ref, lefts: int, sums: Ref) -> Array:
        _, count, parts, *_ = self.shared.shape
        for left, a, b, part in product(range(lefts), range(count), range(count), range(parts)):
            if a + b < count:  # the product of two smaller pieces is below the precision of float32
                tile = kernel.at[self.part, (left * count + b) * parts + part]
                mosaic_gpu.wgmma(sums, tile, self.shared.at[left, a, part])
        return sums[...]

    def _meet(self) -> None:
        mosaic_gpu.barrier_arrive(self.together)
        mosaic_gpu.barrier_wait(self.together)

    def read(self, refs: Any, *where: Any) -> Any:
        """Load a tree of arrays, one tile per gate."""

        def every_gate(ref: Ref) -> Any:
            block = self.block if ref.shape[len(where)] > 1 else 0  # arrays shared by all rows have a single block
            place = (*where, block, self.part)
            return gates(ref.shape[len(place)], lambda gate: self._tile(ref, *place, gate))

        return jax.tree.map(every_gate, refs)

    def read_mask(self, ref: Ref, step: Any) -> Array:
        """Load a mask of `tiled_mask`."""
        return self._tile(ref, step, self.block) != 0

    def _tile(self, ref: Ref, *where: Any) -> Array:
        if self.interpreted:
            return ref[where]
        tile: Any = _load_tile(ref.at[where], layout=mosaic_gpu.Layout.WGMMA, optimized=False)
        # arithmetic in a kernel forgets over which devices an array varies, so the type of loaded values must not mention it
        return tile * 1

    def write(self, refs: Any, values: Any, *where: Any) -> None:
        """Store a tree of arrays, one tile per gate."""

        def every_gate(ref: Ref, value: Any) -> None:
            for gate, tile in enumerate(parts_of(value)):
                self._write_tile(ref, tile.astype(ref.dtype), (*where, self.block, self.part, gate))

        jax.tree.map(every_gate, refs, values)

    def _write_tile(self, ref: Ref, tile: Array, where: tuple[Any, ...]) -> None:
        if self.interpreted or _store_tile is None:
            ref[where] = tile
        else:
            _store_tile(ref.at[where], tile, optimized=False)

    def zeros(self) -> Array:
        """Return a tile of zeros."""
        empty = jnp.zeros((UNITS, ROWS), jnp.float32)
        return empty if self.interpreted else mosaic_gpu.layout_cast(empty, mosaic_gpu.Layout.WGMMA)


def call(kernel: Callable[..., None], given: Any, kernels: Sequence[Array], count: int, results: Any, interpret: Any) -> Any:
    """Run a kernel once for every 16 rows.

    Args:
        kernel: called with a `Warpgroup`, and references for every array of `given` and of `results`.
        given: a tree of arrays.
        kernels: as of `tiled_kernel`.
        count: the number of pieces they are in.
        results: a tree of arrays or shapes like the results, which end in tiles.
        interpret: parameters of the interpreter of such kernels, to run them on any device, slowly; or None.
    """
    leaves, structure = jax.tree.flatten((given, tuple(kernels)))
    shapes, found_structure = jax.tree.flatten(results)
    blocks, parts = shapes[0].shape[-5:-3]

    def body(*arguments: Ref) -> None:
        *refs, copies, shared, loaded, together = arguments
        given, kernels = jax.tree.unflatten(structure, refs[: len(leaves)])
        block, part = jax.lax.axis_index("block"), jax.lax.axis_index("part")
        _load(kernels, copies, part, loaded)
        group = Warpgroup(block, part, copies, shared, together, interpret is not None)
        kernel(group, given, jax.tree.unflatten(found_structure, refs[len(leaves) :]))

    found = mosaic_gpu.kernel(
        body,
        **{_RESULTS: tuple(jax.ShapeDtypeStruct(like.shape, like.dtype) for like in shapes), _SCRATCH: _scratch(kernels, count)},
        grid=(blocks,),
        grid_names=("block",),
        num_threads=parts,
        thread_name="part",
        # barriers in `multiply` separate the writes of one warpgroup from the reads of another
        compiler_params=mosaic_gpu.CompilerParams(
            unsafe_no_auto_barriers=True, lowering_semantics=mosaic_gpu.LoweringSemantics.Lane
        ),
        interpret=interpret,
    )(*leaves)
    axes = frozenset().union(*map(varying_axes, leaves))  # which the kernel forgets
    return jax.tree.unflatten(found_structure, [varying(array, axes) for array in found])


def _load(kernels: Sequence[Ref], copies: Sequence[Ref], part: Any, loaded: Ref) -> None:
    """Let each warpgroup fetch its kernels, and wait for all of them."""
    for source, target in zip(kernels, copies, strict=True):
        for k in range(source.shape[1]):
            mosaic_gpu.copy_gmem_to_smem(source.at[part, k], target.at[part, k], loaded)
    mosaic_gpu.barrier_wait(loaded)


def _scratch(kernels: Sequence[Array], count: int) -> Sequence[Any]:
    parts = len(kernels[0])
    lefts = max(kernel.shape[1] for kernel in kernels) // (count * parts)

    def matrix(*shape: int) -> Any:
        tile = mosaic_gpu.TilingTransform((8, ROWS)), mosaic_gpu.SwizzleTransform(2 * ROWS)
        return mosaic_gpu.SMEM(shape, jnp.bfloat16, transforms=tile)

    return (
        [matrix(*kernel.shape) for kernel in kernels],
        matrix(lefts, count, parts, UNITS, ROWS),
        mosaic_gpu.Barrier(num_arrivals=sum(kernel.shape[0] * kernel.shape[1] for kernel in kernels)),
        mosaic_gpu.Barrier(num_arrivals=parts),
    )

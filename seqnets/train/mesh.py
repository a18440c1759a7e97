"""Several devices, on one or several hosts: how the state and each batch are divided among them.

A mesh has an axis `data`, over which the rows of a batch and of the carry are divided, and may have an axis `model`, over
which large parameters and their moments are divided. XLA adds the communication; the step is the same program as on one
device, up to the order of its sums.
"""

import contextlib
import functools
import math
import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from seqnets.errors import UserError
from seqnets.ops.backends import native
from seqnets.processes import gathered

AXES = ("data", "model")
AUTO = "auto"
_LEAST_DIVIDED = 1 << 14  # values in an array below which dividing it over `model` costs more than it saves


def parse_mesh(text: str) -> dict[str, int]:
    """Return the sizes of a mesh's axes.

    Raises:
        UserError: it is not data=N, data=N,model=M or "auto" (which has no sizes yet).

    Example:
        >>> parse_mesh("data=4,model=2")
        {'data': 4, 'model': 2}
        >>> parse_mesh("")
        {}
    """
    sizes: dict[str, int] = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        name, _, size = part.partition("=")
        if name not in AXES or name in sizes or not size.isdigit() or int(size) < 1:
            raise UserError(f"train.mesh must look like data=4 or data=4,model=2, not {text!r}")
        sizes[name] = int(size)
    return sizes


def request_devices(text: str, processes: int = 1) -> None:
    """Ask JAX for the devices of a mesh if it runs on CPUs; call this before JAX is first used.

    Args:
        text: the mesh, "data=4,model=2".
        processes: how many processes share the mesh.
    """
    count = _cores() if text == AUTO else math.prod(parse_mesh(text).values()) // processes
    if count > 1:
        with contextlib.suppress(RuntimeError):  # JAX has already been used; `Layout` reports the devices it has
            jax.config.update("jax_num_cpu_devices", count)


def _cores() -> int:
    if "NPROC" in os.environ:  # which XLA also uses
        return int(os.environ["NPROC"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Layout:
    """The placement of a run's state and batches.

    Args:
        text: the mesh, "data=4,model=2"; "auto" for as many devices as divide the batch evenly; "" for one device, or
            all of them where there are several processes.
        batch_size: rows of a batch, B.

    Raises:
        UserError: there are fewer devices, or the batch cannot be divided evenly.

    Example:
        >>> layout = Layout("", batch_size=8)
        >>> layout.mesh is None, layout.is_primary
        (True, True)
    """

    def __init__(self, text: str, batch_size: int) -> None:
        self.batch_size, self.processes = batch_size, jax.process_count()
        self.is_primary = jax.process_index() == 0
        sizes = {"data": jax.device_count() if self.processes > 1 and not text else 1, **_sizes(text, batch_size)}
        self.mesh = _mesh(sizes, batch_size) if math.prod(sizes.values()) > 1 or self.processes > 1 else None

    def threads(self) -> contextlib.AbstractContextManager[None]:
        """Return the context in which the devices train: CPU devices share its cores."""
        if self.mesh is None or jax.default_backend() != "cpu":
            return contextlib.nullcontext()
        # a kernel with one thread per core would wait for the other devices' threads
        return native.limited_threads(max(1, _cores() // jax.local_device_count()))

    def place(self, state: Any) -> Any:
        """Put a state, equal in every process, onto the devices."""
        if self.mesh is None:
            return state
        return jax.tree.map(_put, state, self.shardings(state))

    def place_batches(self, batches: Any) -> Any:
        """Put batches, `rows` of them stacked to (K, rows, ...), onto the devices; each holds its rows."""
        if self.mesh is None:
            return jax.device_put(batches)
        return jax.tree.map(self._assembled, batches)

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """The rows of a batch that the devices of this process hold, in order; this process needs only these."""
        every = np.arange(self.batch_size)
        if self.mesh is None:
            return every
        parts = self._rows(every, axis=0).addressable_devices_indices_map(every.shape).values()
        return np.unique(np.concatenate([every[part] for part in parts]))

    def shardings(self, state: Any) -> Any:
        """Return how each array of a state is divided."""
        divided = jax.tree.map(self._divided, state)
        return divided._replace(carry=jax.tree.map(lambda array: self._rows(array, axis=0), state.carry))

    def replicated(self, tree: Any) -> Any:
        """Return the sharding of arrays that are replicated on every device."""
        return jax.tree.map(lambda _: NamedSharding(_given(self.mesh), PartitionSpec()), tree)

    def gather(self, tree: Any) -> Any:
        """Return the complete arrays in this process's memory; all processes must call it together."""
        if self.mesh is None:
            return tree
        return jax.tree.map(_whole, tree)

    def any(self, claim: bool) -> bool:
        """Return whether the claim is true in any process; all processes must call it together."""
        if self.processes == 1:
            return claim
        from jax.experimental import multihost_utils

        return bool(np.any(multihost_utils.process_allgather(np.array(claim))))

    def shared(self, arrays: Any) -> Any:
        """Return the primary process's arrays, a pytree; all processes must call it together."""
        if self.processes == 1:
            return arrays
        from jax.experimental import multihost_utils

        return multihost_utils.broadcast_one_to_all(arrays)

    def shared_json(self, value: Any) -> Any:
        """Return the primary process's value, which must be JSON data; all processes must call it together."""
        return gathered(value if self.is_primary else None)[0]

    def _assembled(self, own: np.ndarray) -> jax.Array:
        if own.shape[1:2] != self.rows.shape:  # without rows: equal in every process
            return _put(own, NamedSharding(_given(self.mesh), PartitionSpec()))
        shape = (len(own), self.batch_size, *own.shape[2:])
        sharding = NamedSharding(_given(self.mesh), PartitionSpec(None, "data"))

        def part(index: Any) -> np.ndarray:
            return own[:, np.searchsorted(self.rows, np.arange(self.batch_size)[index[1]])]

        return jax.make_array_from_callback(shape, sharding, part)

    def _rows(self, array: Any, axis: int) -> NamedSharding:
        is_rows = np.ndim(array) > axis and np.shape(array)[axis] == self.batch_size
        return NamedSharding(_given(self.mesh), PartitionSpec(*(None,) * axis, "data") if is_rows else PartitionSpec())

    def _divided(self, array: Any) -> NamedSharding:
        mesh = _given(self.mesh)
        parts = mesh.shape.get("model", 1)
        axes = [axis for axis, size in enumerate(np.shape(array)) if size % parts == 0]
        if parts == 1 or not axes or math.prod(np.shape(array)) < _LEAST_DIVIDED:
            return NamedSharding(mesh, PartitionSpec())
        widest = max(axes, key=lambda axis: np.shape(array)[axis])
        return NamedSharding(mesh, PartitionSpec(*(None,) * widest, "model"))


def _sizes(text: str, batch_size: int) -> dict[str, int]:
    if text != AUTO:
        return parse_mesh(text)
    return {"data": max(n for n in range(1, jax.device_count() + 1) if batch_size % n == 0)}


def _mesh(sizes: Mapping[str, int], batch_size: int) -> Mesh:
    count, there = math.prod(sizes.values()), jax.device_count()
    if count > there or (jax.process_count() > 1 and count != there):
        raise UserError(
            f"train.mesh asks for {count} devices and JAX has {there}; on a CPU, before JAX is used, "
            f"jax.config.update('jax_num_cpu_devices', {count}) makes more (seqnets train --mesh does it)"
        )
    if batch_size % sizes["data"]:
        raise UserError(f"train.batch_size ({batch_size}) must be a multiple of the mesh's data axis ({sizes['data']})")
    devices = np.array(jax.devices()[:count]).reshape(*sizes.values())
    return Mesh(devices, tuple(sizes), axis_types=(AxisType.Auto,) * len(sizes))


def _put(array: Any, sharding: NamedSharding) -> jax.Array:
    if jax.process_count() == 1:
        return jax.device_put(array, sharding)
    host = np.asarray(array)  # every process has the whole array and gives its devices their parts
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _whole(array: jax.Array) -> Any:
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(array, tiled=True)


def _given(mesh: Mesh | None) -> Mesh:
    if mesh is None:
        raise RuntimeError("a layout without a mesh divides nothing")
    return mesh

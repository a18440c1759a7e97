"""Selects parameters by path: which are frozen, and which have other learning rates.

A pattern is a dotted path of the kind `seqnets train --dry-run` lists, in which * matches anything: `stem` and
`stage1.0` mean everything below, `*.bias` every bias.
"""

import difflib
import fnmatch
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
from flax import nnx

from seqnets.errors import UserError
from seqnets.named_arrays import named_arrays
from seqnets.nn.batch_norm import BatchNorm
from seqnets.train.config import parsed_multiplier

_SHOWN = 12


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that a pattern selects: those it matches, and all below a path it matches.

    Example:
        >>> matching("stage*", ["stem.kernel", "stage1.0.kernel", "stage1.0.bias"])
        ['stage1.0.kernel', 'stage1.0.bias']
        >>> matching("*.bias", ["stem.kernel", "stage1.0.bias"])
        ['stage1.0.bias']
    """
    return [name for name in names if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}.*")]


def frozen_names(model: nnx.Module, patterns: Sequence[str]) -> frozenset[str]:
    """Return the names of the frozen parameters.

    Raises:
        UserError: a pattern matches no parameter, or nothing is left to train.

    Example:
        >>> sorted(frozen_names(BatchNorm(2), ("sc*",)))
        ['scale']
    """
    names = _parameter_names(model)
    frozen = frozenset(itertools.chain.from_iterable(_matched("train.freeze", pattern, names) for pattern in patterns))
    if len(frozen) == len(names):
        raise UserError(f"train.freeze {', '.join(patterns)} leaves nothing to train; leave a pattern out")
    return frozen


def trained(model: nnx.Module, patterns: Sequence[str]) -> Callable[..., Any] | type:
    """Return the `nnx` filter of the trained parameters; `nnx.Not` of it selects all other variables.

    Raises:
        UserError: see `frozen_names`.
    """
    frozen = frozen_names(model, patterns) if patterns else frozenset()
    if not frozen:
        return nnx.Param
    return nnx.All(nnx.Param, lambda path, value: ".".join(map(str, path)) not in frozen)


def freeze_norms(model: nnx.Module, patterns: Sequence[str]) -> nnx.Module:
    """Return a copy whose batch norms keep their running statistics where all their parameters are frozen."""
    frozen, copy = frozen_names(model, patterns), nnx.clone(model)
    for path, module in nnx.iter_modules(copy):
        if isinstance(module, BatchNorm):
            prefix = ".".join(map(str, path))
            module.frozen = module.frozen or {f"{prefix}.scale", f"{prefix}.bias"} <= frozen
    return copy


def multipliers(params: Any, settings: Sequence[str]) -> Any:
    """Return the factor of each parameter's update, a pytree like `params`; if several patterns match, the last counts.

    Args:
        params: the trained parameters.
        settings: each "pattern=factor".

    Raises:
        UserError: a pattern matches no trained parameter, or a factor is not a number above 0.

    Example:
        >>> import numpy as np
        >>> multipliers({"logits": np.zeros(2), "stem": np.zeros(2)}, ["st*=0.1"])
        {'logits': 1.0, 'stem': 0.1}
    """
    factors = dict.fromkeys(named_arrays(params), 1.0)
    for setting in settings:
        pattern, factor = parsed_multiplier(setting)
        factors |= dict.fromkeys(_matched("train.rate_multipliers", pattern, list(factors)), factor)
    return jax.tree.unflatten(jax.tree.structure(params), list(factors.values()))


def check_selection(model: nnx.Module, freeze: Sequence[str], rate_multipliers: Sequence[str]) -> None:
    """Refuse patterns that match nothing, before anything is written.

    Raises:
        UserError: see `frozen_names` and `multipliers`.
    """
    multipliers(nnx.state(model, trained(model, freeze)), rate_multipliers)


def _parameter_names(model: nnx.Module) -> list[str]:
    return list(named_arrays(nnx.state(model, nnx.Param)))


def _matched(setting: str, pattern: str, names: Sequence[str]) -> list[str]:
    found = matching(pattern, names)
    if not found:
        raise UserError(f"{setting}: {pattern!r} matches no parameter to train; {_near(pattern, names)}")
    return found


def _near(pattern: str, names: Sequence[str]) -> str:
    paths = dict.fromkeys(".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2))
    close = difflib.get_close_matches(pattern.strip("*."), paths, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    first = list(dict.fromkeys(name.partition(".")[0] for name in names))
    more = f" and {len(first) - _SHOWN} more" if len(first) > _SHOWN else ""
    return f"the model has {', '.join(first[:_SHOWN])}{more}"

"""The network that a picture is made with, by name: random filters, a run, or a network of the registry with its weights."""

from typing import Any

from seqnets.errors import UserError

RANDOM = "random"


def network(name: str, weights: str | None = None) -> Any:
    """Return a network by name.

    Args:
        name: `random` for untrained filters; a run of a classifier, such as `shapes`; or a network of the registry.
        weights: those of a network of the registry; torchvision's when None.

    Raises:
        UserError: there is no such network, or the run holds no convolutional network.

    Example:
        >>> sorted(network("random")(__import__("numpy").zeros((1, 16, 16, 3), "float32")))[:2]
        ['size11', 'size15']
    """
    from seqnets.hub import is_repository
    from seqnets.models.registry import create_model, model_names
    from seqnets.run import load, run_folder

    if name == RANDOM:
        from seqnets.dream.random_filters import random_filters

        return random_filters()
    if weights is None and (name not in model_names()) and run_folder(name).is_dir():
        return _of_run(name, load(name).model)
    if name in model_names() or is_repository(name):
        return create_model(name, weights=weights or "torchvision")
    from difflib import get_close_matches

    close = get_close_matches(name, [RANDOM, "shapes", *model_names()], n=3)
    near = f"did you mean {' or '.join(close)}?" if close else "give random, a run, or a network of `seqnets summary --list`"
    raise UserError(f"there is no network or run {name!r}; {near}")


def _of_run(name: str, model: Any) -> Any:
    from seqnets.models.cnn.network import ConvNet

    found = next((part for part in (model, getattr(model, "network", None)) if isinstance(part, ConvNet)), None)
    if found is None:
        raise UserError(
            f"'{name}' holds a {type(model).__name__}, not a network of pictures; give a run of `seqnets train classifier`"
        )
    return found

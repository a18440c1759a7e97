"""Tables of names, one for each family of networks; a family without a table is saved under our own names only."""

from importlib import import_module

from seqnets.weights.naming import OURS, Naming

FAMILIES = (
    *("alexnet", "vgg", "googlenet", "inception_v3", "inception_v4"),
    *("resnet", "densenet", "squeezenet", "mobilenet"),
    "stylizer",
)


def known_namings(family: str | None = None) -> tuple[Naming, ...]:
    """List a family's tables, our own names first.

    Args:
        family: as in `seqnets.models.registry.FAMILIES`; all families when None.

    Example:
        >>> [naming.source for naming in known_namings("vgg")]
        ['seqnets', 'torchvision', 'timm', 'hed', 'keras', 'caffe']
    """
    tables = (import_module(f"{__name__}.{known}") for known in FAMILIES if family in (None, known))
    return (OURS, *(naming for table in tables for naming in table.NAMINGS))

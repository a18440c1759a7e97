"""Numbers that count things."""

from seqnets.errors import UserError


def check_at_least_one(**sizes: int) -> None:
    """Refuse a size that is not a whole number of at least 1.

    Raises:
        UserError: naming it.

    Example:
        >>> check_at_least_one(width=0)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: width must be a whole number of at least 1, not 0
    """
    for name, size in sizes.items():
        if size != int(size) or size < 1:
            raise UserError(f"{name} must be a whole number of at least 1, not {size}")

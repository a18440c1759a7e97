"""The shares of a data set that are held out."""

from seqnets.errors import UserError


def check_fractions(validation: float, test: float) -> None:
    """Refuse shares that leave nothing to train on.

    Raises:
        UserError: they add up to 1 or more.

    Example:
        >>> check_fractions(0.5, 0.5)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: data.validation_fraction (0.5) and data.test_fraction (0.5) leave nothing to train on; lower one of them so that they add up to less than 1
    """  # noqa: E501
    if validation + test >= 1:
        raise UserError(
            f"data.validation_fraction ({validation}) and data.test_fraction ({test}) leave nothing to train on; "
            "lower one of them so that they add up to less than 1"
        )

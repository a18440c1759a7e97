"""What goes wrong because of what the user gave, told in one sentence."""


class UserError(ValueError):
    """Input that cannot be used. The message names it, shows what came and says what to do.

    The command line prints the message alone, without a traceback, and leaves with exit code 2.

    Example:
        >>> raise UserError("corpus 'a.txt' is empty; give a file with at least 66 characters")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: corpus 'a.txt' is empty; give a file with at least 66 characters
    """

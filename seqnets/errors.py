"""The error for bad input, with a message of one sentence."""


class UserError(ValueError):
    """Input that cannot be used. The message names it, shows what came and says what to do.

    The command line prints only the message, without a traceback, and exits with code 2.

    Example:
        >>> raise UserError("corpus 'a.txt' is empty; give a file with at least 66 characters")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: corpus 'a.txt' is empty; give a file with at least 66 characters
    """

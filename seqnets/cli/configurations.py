"""The configurations that come with seqnets, and the argument of --config."""

from pathlib import Path

from seqnets.errors import UserError
from seqnets.suggestion import likely

_FOLDER = Path(__file__).parents[1] / "configs"


def names() -> list[str]:
    """Return the names of the configurations that come with seqnets.

    Example:
        >>> "tinyshakespeare-3min" in names()
        True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def find(given: str) -> Path:
    """Return the file or folder that --config names: a path wins over a name.

    Raises:
        UserError: there is neither.

    Example:
        >>> find("mnist-lenet").name
        'mnist-lenet.toml'
        >>> find("mnist-lenets")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: there is no file or configuration 'mnist-lenets'; did you mean 'mnist-lenet'?
    """
    path, known = Path(given), names()
    if not path.exists() and path.name.removesuffix(".toml") == given.removesuffix(".toml"):
        if path.stem in known:
            return _FOLDER / f"{path.stem}.toml"
        if not path.suffix:
            near = likely(given, known)
            advice = f"did you mean {near!r}?" if near else f"give a TOML file, a run folder, or one of {', '.join(known)}"
            raise UserError(f"there is no file or configuration {given!r}; {advice}")
    return path

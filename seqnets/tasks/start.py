"""The run whose weights a new run begins with (`seqnets train --from RUN`)."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqnets import settings
from seqnets.checkpoint import Checkpoints
from seqnets.data.text.differences import listed
from seqnets.errors import UserError
from seqnets.models.description import TRAINING_ONLY
from seqnets.run import CHECKPOINTS, VOCABULARY, Run, assembled, load, read_config, read_vocabulary, run_folder, weights_digest
from seqnets.tasks.recipe import best_line
from seqnets.train.folder import is_locked

if TYPE_CHECKING:
    from seqnets.tasks.recipe import Recipe

Tell = Callable[[str], None]

_LISTS = {"source": "the vocabulary of sources", "module_names": "the list of modules"}
SHOWN = 20  # new characters, words or classes that a sentence lists


class Start:
    """A run whose model a new run begins with, its vocabulary and classes grown by what the new data bring.

    Args:
        name: the run, as it was named.
        folder: its folder; or, if the new run itself is continued, that of the new run, so that the first one is no longer
            needed.
        continues: whether the new run is continued.

    Raises:
        UserError: the folder is not a run, or is damaged.
    """

    def __init__(self, name: str, folder: Path, *, continues: bool = False) -> None:
        self.name, self.folder, self.continues = name, folder, continues
        self.config, self.vocabulary = read_config(folder), read_vocabulary(folder / VOCABULARY)
        self._grown: dict[str, str] = {}

    @classmethod
    def of(cls, name: str, task: str, directory: Path) -> "Start":
        """Find the run that is named, for a new run of a task in a directory.

        Raises:
            UserError: it is a run of another task, is being trained, is the new run's own folder, or the run in that folder
                began otherwise.
        """
        folder = run_folder(name)
        if folder.is_dir() and directory.is_dir() and os.path.samefile(folder, directory):
            raise UserError(
                f"'{name}' is the run to begin with and also the folder of the new run; give another folder with --out"
            )
        if any(path.name.isdigit() for path in (directory / CHECKPOINTS).glob("[0-9]*")):
            began = (read_config(directory).get("from") or {}).get("run", "random weights")
            if began not in (name, os.path.abspath(os.path.expanduser(name))):  # the run may be gone
                raise UserError(f"the run in '{directory}' began with {began}, not with '{name}'; give another folder with --out")
            return cls(name, directory, continues=True)
        found = cls(name, folder)
        other = found.config["task"]
        if other != task:
            raise UserError(f"'{name}' is a run of `seqnets train {other}`; give --from a run of `seqnets train {task}`")
        if is_locked(folder):
            raise UserError(f"'{name}' is being trained; wait for its end, or stop it")
        return found

    def settings(
        self, recipe: "Recipe", config: Any, sources: Sequence[tuple[Mapping[str, Any], str]]
    ) -> tuple[Mapping[str, Any], str]:
        """Return its settings that hold for the new run: the shape of the model and the kind of its vocabulary.

        Args:
            recipe: that of the task.
            config: the settings of the new run.
            sources: the settings that were given, by section and name, each with where.

        Returns:
            Settings by section and name, and where they are from.

        Raises:
            UserError: one of those given says otherwise.
        """
        model = settings.as_mapping(recipe.shape(self.config["model"], config.model))
        words = {name: getattr(self.vocabulary, of) for name, of in recipe.of_vocabulary.items() if self.vocabulary is not None}
        fixed = {"model": {name: value for name, value in model.items() if name not in TRAINING_ONLY}, "data": words}
        for (values, where), (section, own) in product(sources, fixed.items()):
            self._check(section, own, values.get(section, {}), where)
        return {"model": model, "data": words}, f"'{self.name}'"

    def _check(self, section: str, own: Mapping[str, Any], values: Mapping[str, Any], where: str) -> None:
        for name in own.keys() & values.keys():
            if _plain(values[name]) != own[name]:
                raise UserError(
                    f"{where}: {section}.{name} is {_plain(values[name])!r}, but that of '{self.name}' is {own[name]!r}; "
                    "leave it out, or train without --from"
                )

    @cached_property
    def run(self) -> Run:
        """The run with its weights: the best ones, or, if the new run is continued, those of its newest checkpoint."""
        if not self.continues:
            return load(self.folder)
        checkpoints = Checkpoints(self.folder / CHECKPOINTS)
        for step in reversed(checkpoints.steps()):
            try:
                saved = checkpoints.read(step).arrays
            except UserError:  # the loop reports it
                continue
            arrays = {name.partition(".")[2]: array for name, array in saved.items() if name.startswith(("params.", "rest."))}
            return assembled(self.folder, arrays, f"the checkpoint of step {step:,}")
        raise UserError(f"every checkpoint of '{self.folder}' is damaged; start again in another folder")

    @property
    def model(self) -> Any:
        """Its model."""
        return self.run.model

    def grown(self, config: Any, tell: Tell, *, rngs: Any, **lists: Any) -> Any:
        """Return its model for the vocabulary and the classes of new data, and report what is new.

        Args:
            config: the settings of the new model; None for those of the old one.
            tell: called with the sentences.
            rngs: an `nnx.Rngs`, the source of the rows that are drawn.
            **lists: see `seqnets.models.growth.grown`.
        """
        from seqnets.models.growth import grown

        for name, new in lists.items():
            self._grown[name] = _sentence(name, getattr(self.model, name), new)
        if not self.continues:
            tell(f"beginning with the weights of '{self.name}'{''.join(f'; {said}' for said in self._grown.values())}")
        return grown(self.model, rngs=rngs, config=config, **lists)

    def origin(self, task: Any) -> dict[str, Any] | None:
        """Return what a run folder records about its beginning; None if the run is continued and has recorded it."""
        if self.continues:
            return None
        from flax import nnx

        from seqnets.named_arrays import host_arrays

        best = best_line(self.run.metrics, task.objective, maximize=task.maximize)
        step = (best or (self.run.metrics or [{}])[-1]).get("step", 0)
        digest = weights_digest(host_arrays(nnx.state(self.model)))
        return {"run": _lasting(self.name), "weights": digest, "step": step, "grown": self._grown}


def _sentence(name: str, old: Any, new: Any) -> str:
    if name in ("labels", "answers", "styles"):
        return _classes(name, list(old), list(new))
    lacking, what = old.lacking(new), _LISTS.get(name, "the vocabulary")
    return f"{what} grows by {len(lacking):,}: {listed(lacking, SHOWN)}" if lacking else f"{what} stays as it is ({old})"


def _classes(what: str, old: Sequence[str], new: Sequence[str]) -> str:
    known, added = [name for name in new if name in old], [name for name in new if name not in old]
    gone = len(old) - len(known)
    if not added and not gone:
        return f"the {what} are the same, and the output layer is kept"
    parts = [f"new {what}: {listed(added, SHOWN)}"] if added else []
    parts += [f"old {what} left out: {gone:,}"] if gone else []
    return ", ".join([f"rows of the output layer are kept for {len(known):,} of {len(new):,} {what}", *parts])


def _lasting(name: str) -> str:
    return os.path.abspath(os.path.expanduser(name)) if Path(name).expanduser().is_dir() or os.sep in name else name


def _plain(value: Any) -> Any:
    return "none" if value is None else list(value) if isinstance(value, tuple) else value

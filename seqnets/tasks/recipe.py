"""The data that `seqnets train TASK` needs about a task: the package of each task has one `Recipe`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqnets import places, settings
from seqnets.tasks.starting_weights import NO_WEIGHTS

if TYPE_CHECKING:
    from seqnets.run import Run
    from seqnets.tasks.start import Start
    from seqnets.train.task import Task

Tell = Callable[[str], None]


def _as_they_are(given: Any) -> Any:
    return given


def _stated_shape(description: Mapping[str, Any], default: Any) -> Any:
    from seqnets.models.description import stated

    return stated(description["config"], type(default)())


def _nothing(*_: Any) -> tuple[str, ...]:
    return ()


def _never(*_: Any) -> bool:
    return False


@dataclass(frozen=True)
class Recipe:
    """How a task is trained from the command line.

    The help of the command line reads all of it without importing JAX: `make`, `shown` and `prefers_mesh` import what they need
    when they are called.

    Args:
        config: the class of the run's settings, a frozen dataclass with a section `train`; default.toml beside it changes its
            defaults.
        usage: the arguments that name the data, in the usage line.
        words: the parameters of `Parser.add_argument` for these arguments, by flag or name; a name of a setting fills it, and a
            `type` is read as settings are.
        source: the setting that names the data, which gives a run its name.
        without: the name of a run on embedded data.
        suffix: the end of a run's name.
        make: `(config, tell, start) -> Task`: reads the data and makes the model, or takes that of another run, a `Start`.
        leaves_open: `(config, given) -> whether` settings are to be chosen by what is found in the data.
        begin: `(config, given, tell, start) -> (config, Task)`: like `make`, and chooses such settings; `given` ones stay.
        commands: `config -> commands` to try next, with {run} for the folder; other braces stay.
        figures: the validation figures shown at the end besides the objective, separated by spaces; none if empty.
        shown: `(run, config) -> lines` to show before those figures.
        paths: settings that are paths, as `name` or `section.name`.
        as_settings: turns the given arguments into settings.
        completed: fills in settings that depend on others.
        of_vocabulary: settings of the section data that follow from a vocabulary, with its attributes: a run that begins with
            another one gets that one's.
        shape: `(section model of config.json, default) -> settings of the section model`, for a run that begins with another one.
        prefers_mesh: whether one CPU device per core is faster than one for all cores.
    """

    config: type
    usage: str
    words: Mapping[str, Mapping[str, Any]]
    source: str
    without: str
    make: Callable[[Any, Tell, "Start | None"], "Task"]
    commands: Callable[[Any], Sequence[str]]
    suffix: str = ""
    figures: str = ""
    shown: Callable[["Run", Any], Sequence[str]] = _nothing
    paths: tuple[str, ...] = ()
    as_settings: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _as_they_are
    completed: Callable[[Any], Any] = _as_they_are
    leaves_open: Callable[[Any, Mapping[str, Any]], bool] = _never
    begin: Callable[[Any, Mapping[str, Any], Tell, "Start | None"], tuple[Any, "Task"]] | None = None
    of_vocabulary: Mapping[str, str] = field(default_factory=dict)
    shape: Callable[[Mapping[str, Any], Any], Any] = _stated_shape
    prefers_mesh: Callable[[Any], bool] = _never

    @classmethod
    def of_files(cls, setting: str, *, help: str, metavar: str = "FILE", **parts: Any) -> "Recipe":
        """Return the recipe of a task whose command names its files alone: `seqnets train TASK FILE ...`.

        Args:
            setting: the name of the setting, a tuple of paths.
            help: what the files are, and what is read without any.
            metavar: the word for one of them.
            parts: the rest; see `Recipe`.

        Example:
            >>> from seqnets.tasks.tagger import RECIPE
            >>> RECIPE.usage, list(RECIPE.words), RECIPE.source, RECIPE.paths
            ('FILE ...', ['sequences'], 'sequences', ('sequences',))
        """
        parts["usage"] = parts.get("usage", f"{metavar} ...")
        parts["words"] = {setting: {"nargs": "*", "metavar": metavar, "help": help}, **parts.get("words", {})}
        parts["paths"] = (setting, *parts.get("paths", ()))
        return cls(source=setting, **parts)

    def default(self) -> Any:
        """Return the default settings of a run.

        Example:
            >>> from seqnets.tasks import TASKS
            >>> [TASKS[name].recipe().default().task for name in ("text", "vqa")]
            ['text', 'vqa']
        """
        path = files(self.config.__module__) / "default.toml"
        return settings.loads(path.read_text("utf-8"), self.config(), f"{self.config.__module__}/default.toml")

    def add_words(self, parser: Any) -> None:
        """Add the arguments that name the data to a `seqnets.cli.parser.Parser`."""
        for name, options in self.words.items():
            typed = {"type": parser.value(options["type"])} if "type" in options else {}
            parser.add_argument(name, **{**options, **typed})

    def given(self, found: Any) -> Mapping[str, Any]:
        """Return the parsed arguments as settings."""
        names = [name.lstrip("-").replace("-", "_") for name in self.words]
        return self.as_settings({name: getattr(found, name) for name in names if getattr(found, name) not in (None, [])})

    def begun(self, config: Any, given: Mapping[str, Any], tell: Tell, start: "Start | None" = None) -> tuple[Any, "Task"]:
        """Return the settings, complete, and the task."""
        if self.begin is not None and self.leaves_open(config, given):
            return self.begin(config, given, tell, start)
        return config, self.make(config, tell, start)

    def settings_of(self, run: "Run") -> Any:
        """Return the settings that a run was trained with; a run in memory has the defaults.

        Raises:
            UserError: config.toml is damaged.

        Example:
            >>> from seqnets.run import load
            >>> from seqnets.tasks.captioner import RECIPE
            >>> RECIPE.settings_of(load("scenes")).data.scenes
            5000
        """
        from seqnets.run import SETTINGS, check_file

        if run.directory is None:
            return self.config()
        path = run.directory / SETTINGS
        check_file(path)
        return settings.replaced(self.config(), settings.read(path), str(path))

    def run_name(self, config: Any) -> str:
        """Return the name of a run's folder.

        Example:
            >>> from seqnets.tasks.translator import RECIPE, TranslatorRunConfig
            >>> RECIPE.run_name(TranslatorRunConfig()), RECIPE.run_name(TranslatorRunConfig(pairs=("a/b.tsv.gz",)))
            ('dates-translator', 'b-translator')
        """
        sources = getattr(config, self.source)
        return named_after([sources] if isinstance(sources, str) and sources else sources, self.without) + self.suffix

    def resolved(self, config: Any) -> Any:
        """Return the settings with absolute paths."""
        for name in self.paths:
            section, dot, setting = name.rpartition(".")
            value = reduce(getattr, name.split("."), config)
            if value and (setting, value) != ("encoder_weights", NO_WEIGHTS):
                one = isinstance(value, str)
                path = _absolute(value) if one else tuple(map(_absolute, value))
                config = settings.replaced(config, {section: {setting: path}} if dot else {setting: path})
        if config.from_run and Path(config.from_run).expanduser().is_dir():  # else it is a name
            config = settings.replaced(config, {"from_run": places.absolute(config.from_run)})
        return config

    def closing(self, run: "Run", config: Any, task: "Task") -> str:
        """Return the closing report of training: previews, the best figures, the run's folder, and commands to try next."""
        figures = dict.fromkeys([task.objective, *self.figures.split()]) if self.figures else {}
        folder = places.quoted(str(run.directory))
        return "\n".join([
            *self.shown(run, config),
            *best_figures(run.metrics, list(figures), maximize=task.maximize),
            f"the run is in {run.directory}; now try",
            *(f"  {command.replace('{run}', folder)}" for command in self.commands(config)),
        ])  # fmt: skip


def predictions(files: Sequence[str], example: str) -> list[str]:
    """Return the commands that apply a model of texts: to one's own text, or to an example in the style of the embedded data.

    Example:
        >>> predictions((), "the 3rd of May 2031")
        ["seqnets predict {run} --text 'the 3rd of May 2031'", 'seqnets predict {run} FILE']
    """
    text = "your own text" if files else example
    return [f"seqnets predict {{run}} --text {places.quoted(text)}", "seqnets predict {run} FILE"]


def _absolute(path: str) -> str:
    from seqnets.data.public_sets import is_public_set
    from seqnets.weights.named import is_name

    return path if is_name(path) or is_public_set(path) else places.absolute_pattern(path)


def named_after(sources: Sequence[str], default: str) -> str:
    """Return the name of a run that learns from some files, folders or patterns.

    Example:
        >>> named_after([], "dates"), named_after(["a/reviews.csv.gz"], ""), named_after(["a.txt", "b.txt"], "")
        ('dates', 'reviews', 'a-and-1-more')
        >>> named_after(["-"], ""), named_after(["plays/*.txt"], "")
        ('standard-input', 'plays')
    """
    names = [_stem(source) for source in sources]
    return default if not names else names[0] if len(names) == 1 else f"{names[0]}-and-{len(names) - 1}-more"


def _stem(source: str) -> str:
    if source == "-":
        return "standard-input"
    path = Path(source).absolute()
    fixed = [part for part in path.parts if path.exists() or not set(part) & set("*?[")]
    name = fixed[-1] if len(fixed) > 1 else "data"
    return name.removesuffix(".gz").partition(".")[0] or name.strip(".") or "data"


def best_figures(metrics: Sequence[Mapping[str, Any]], names: Sequence[str], *, maximize: bool) -> list[str]:
    """Return a line with the validation figures that selected the model; no line without such figures.

    Args:
        metrics: the lines of metrics.jsonl.
        names: the figures to show; the first one selected the model.
        maximize: whether the highest figure is best.

    Example:
        >>> best_figures([{"step": 9, "validation_top1": 0.5}], ["top1"], maximize=True)
        ['validation: top1 0.5000 at step 9']
    """
    best = best_line(metrics, names[0], maximize=maximize) if names else None
    if best is None:
        return []
    shown = ", ".join(f"{name.replace('_', ' ')} {_shown(best.get(f'validation_{name}'))}" for name in names)
    return [f"validation: {shown} at step {best['step']:,}"]


def best_line(metrics: Sequence[Mapping[str, Any]], name: str, *, maximize: bool) -> Mapping[str, Any] | None:
    """Return the first line with the best validation figure of a name; None without such figures."""
    lines = [line for line in metrics if line.get(f"validation_{name}") is not None]
    return (max if maximize else min)(lines, key=lambda line: line[f"validation_{name}"]) if lines else None


def _shown(figure: float | None) -> str:
    return "not finite" if figure is None else f"{figure:.4f}"


def counted(splits: Any, what: str) -> str:
    """Return how many examples each split has, in words.

    Example:
        >>> counted({"train": [1, 2], "validation": [3]}, "texts")
        '3 texts (2 for train, 1 for validation)'
    """
    parts = ", ".join(f"{len(examples):,} for {name}" for name, examples in splits.items())
    return f"{sum(map(len, splits.values())):,} {what} ({parts})"

"""`seqnets train [TASK] ...`: train a model, or continue a run."""

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from seqnets import places, settings
from seqnets.cli import configurations, runtime
from seqnets.cli.options import add_settings, chosen
from seqnets.cli.parser import Parser
from seqnets.cli.restarts import supervise
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.places import at_home
from seqnets.suggestion import nearest
from seqnets.tasks import TASKS
from seqnets.tasks.recipe import Recipe
from seqnets.train.hosts import Hosts, join_hosts

Sources = list[tuple[Mapping[str, Any], str]]  # settings by section, and where they were given

_CONFIG, _SETTINGS = "config.json", "config.toml"  # in a run folder; `seqnets.run`, which names them, needs JAX


class Instead(NamedTuple):
    """Another verb that takes the arguments of `seqnets train` and does something else with the task and its settings.

    Args:
        verb: its name.
        epilog: the last paragraph of its help.
        add_options: adds its own options.
        check: refuses parsed arguments before anything is read.
        run: `(task, TrainConfig, parsed arguments) -> exit code`.
    """

    verb: str
    epilog: str
    add_options: Callable[[Parser], None]
    check: Callable[[Any], None]
    run: Callable[[Any, Any, Any], int]


def main(argv: Sequence[str], instead: Instead | None = None) -> int:
    """Run the arguments after `seqnets train`; see `seqnets train --help`."""
    words, name = _task_name(list(argv))
    recipe = TASKS[name].recipe()
    found = _parser(name, recipe, instead).read(words)
    if instead:
        instead.check(found)
        found.dry_run = instead.run
    _refuse_runs(recipe.given(found))
    if getattr(found, "minutes", None) and "steps" in chosen(found).get("train", {}):
        raise UserError("--minutes and --train.steps both say how long to train; leave one of them out")
    sources = _sources(recipe, found)
    config = at_home(recipe.completed(_config(recipe, sources)))
    if found.sweep:
        return _sweep(name, recipe, config, sources, found)
    if found.restarts:
        return supervise(_without_restarts(words, name), found.restarts)
    directory = found.out or str(_folder(recipe, config, found.config))
    start = _start(config, found, directory) if config.from_run else None
    if start:
        sources = [start.settings(recipe, config, sources), *sources]
        config = at_home(recipe.completed(_config(recipe, sources)))
    return _run(recipe, config, sources, found, directory, start)


def _start(config: Any, found: Any, directory: str) -> Any:
    """Return the run to begin with; if the new run is continued, the new run itself."""
    if getattr(found, "from_run", None) and found.resume == "must":
        raise UserError("--from begins a run and --resume must only continues one; leave one of them out")
    if getattr(found, "size", None):
        raise UserError("--size is for new models, and the run of --from has its size; leave one of them out")
    runtime.start()
    from seqnets.tasks.start import Start

    return Start.of(config.from_run, config.task, Path(directory))


def _run(recipe: Recipe, config: Any, sources: Sources, found: Any, directory: str, start: Any) -> int:
    runtime.start()
    from seqnets.train.mesh import request_devices

    processes = join_hosts(found.hosts)
    if processes == 1 and recipe.leaves_open(config, _merged(sources)):
        sources = _as_begun(Path(directory), found) + sources
        config = at_home(recipe.completed(_config(recipe, sources)))
    config = _with_mesh(config, recipe, processes)
    request_devices(config.train.mesh, processes)  # before anything asks JAX for its devices
    first = processes == 1 or _is_first_process()
    if first and not found.dry_run:
        from seqnets.train.resume import continues
        from seqnets.train.trackers import makers

        continues(Path(directory), found.resume)  # before a long text is read
        makers(config.train.every_tracker)
    config, task = recipe.begun(config, _merged(sources), _tell if first else _tell_nobody, start)
    if found.dry_run:
        return found.dry_run(task, config.train, found)
    return _train(recipe, config, task, start, directory, found.resume)


def _with_mesh(config: Any, recipe: Recipe, processes: int) -> Any:
    """Divide a batch over the cores where that is known to be faster."""
    from seqnets.train.mesh import AUTO

    if config.train.mesh or processes > 1 or not recipe.prefers_mesh(config):
        return config
    return settings.replaced(config, {"train": {"mesh": AUTO}})


def _train(recipe: Recipe, config: Any, task: Any, start: Any, directory: str, resume: Any) -> int:
    from seqnets.train import fit

    text = settings.dumps(recipe.resolved(config))
    origin = start.origin(task) if start else None
    run = fit(task, config.train, directory=directory, resume=resume, settings=text, origin=origin)
    if run.directory:  # only the first of several processes has it
        print(recipe.closing(run, config, task))
    return 0


def _report(task: Any, config: Any, found: Any) -> int:
    from seqnets.cli.dry_run import report

    for line in report(task, config):
        print(line, flush=True)
    return 0


def _task_name(words: list[str]) -> tuple[list[str], str]:
    """Take the task from the first argument, else from the configuration file, else `text`."""
    if words and words[0] in TASKS:
        return words[1:], words[0]
    if words and not Path(words[0]).exists():
        _refuse_misspelled(words[0])
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scout.add_argument("--config")
    try:
        path = scout.parse_known_args(_options(words))[0].config
    except argparse.ArgumentError:  # the full parser gives a better message
        path = None
    name = settings.read(_settings_file(path)).get("task", "text") if path else "text"
    if name not in TASKS:
        raise UserError(f"{path}: unknown task {name!r}{nearest(str(name), TASKS)}")
    return words, name


def _refuse_misspelled(word: str) -> None:
    close = difflib.get_close_matches(word, TASKS, n=1, cutoff=0.8)
    if close:
        raise UserError(f"there is no task or file {word!r}; did you mean `seqnets train {close[0]}`?")


def _without_restarts(words: list[str], name: str) -> list[str]:
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    scout.add_argument("--restarts")
    options = _options(words)
    return [name, *scout.parse_known_args(options)[1], *words[len(options) :]]


def _options(words: list[str]) -> list[str]:
    return words[: words.index("--")] if "--" in words else words


def _parser(name: str, recipe: Recipe, instead: Instead | None) -> Parser:
    width, verb = max(map(len, TASKS)), instead.verb if instead else "train"
    tasks = "\n".join(f"  {each:{width}}  {entry.summary}" for each, entry in TASKS.items())
    tasks = f"tasks (`seqnets {verb} TASK --help` lists their settings; write ./{name} for a file of that name):\n{tasks}"
    out = "" if instead else " [--out RUN]"
    parser = Parser(
        f"seqnets {verb}{'' if name == 'text' else ' ' + name}",
        VERBS[verb].summary,
        epilog=f"{instead.epilog}\n\n{tasks}" if instead else tasks,
        usage=f"seqnets {verb} [TASK] [{recipe.usage}] [--config FILE]{out} [--SECTION.NAME VALUE ...]",
    )
    recipe.add_words(parser)
    parser.add_argument(
        "--config",
        metavar="FILE|NAME",
        help=f"settings as TOML, or one of {', '.join(configurations.names())}; options given here win",
    )
    if instead:
        instead.add_options(parser)
        parser.set_defaults(sweep=None, out=None, resume="auto", hosts="env", restarts=0)
    else:
        _add_options_of_runs(parser)
    add_settings(parser, recipe.default())
    return parser


def _add_options_of_runs(parser: Parser) -> None:
    parser.add_argument("--out", metavar="RUN", help="the run folder [runs/NAME, named after the data or the configuration]")
    parser.add_argument(
        "--from", dest="from_run", metavar="RUN", help="begin with the weights of another run of this task: its folder or name"
    )
    parser.add_argument(
        "--resume",
        choices=("auto", "never", "must"),
        default="auto",
        metavar="auto|never|must",
        help="auto continues the run in that folder or begins one; never only begins; must only continues [auto]",
    )
    parser.add_argument(
        "--mesh", type=str, dest="train.mesh", default=argparse.SUPPRESS, metavar="data=N", help="the same as --train.mesh"
    )
    parser.add_argument(
        "--hosts",
        choices=get_args(Hosts),
        default="env",
        metavar="|".join(get_args(Hosts)),
        help="how to find the other processes of a run: env reads JAX_COORDINATOR_ADDRESS etc., auto asks SLURM etc. [env]",
    )
    parser.add_argument(
        "--restarts",
        type=parser.value(int),
        default=0,
        metavar="N",
        help="restart up to N times after a crash, from the saved state",
    )
    parser.add_argument(
        "--sweep",
        metavar="FILE",
        help="a run below --out for each combination of the values that a TOML file lists, and one table",
    )
    parser.add_argument(
        "--dry-run", action="store_const", const=_report, help="show sizes, memory and time per step without training"
    )


def _sources(recipe: Recipe, found: Any) -> Sources:
    """Return the given settings, those that win last."""
    sources = [(_file_settings(found.config), found.config)] if found.config else []
    given = {**recipe.given(found), **({"from_run": found.from_run} if getattr(found, "from_run", None) else {})}
    return [*sources, (given, "command line"), (chosen(found), "command line")]


def _merged(sources: Sources) -> dict[str, Any]:
    """Return all given settings; of minutes and steps, which both say how long to train, the later one counts."""
    merged: dict[str, Any] = {}
    for values, _ in sources:
        steps, minutes = "steps" in values.get("train", {}), values.get("minutes")
        if minutes and not steps and minutes != merged.get("minutes"):
            merged.get("train", {}).pop("steps", None)
        if steps and not minutes:
            merged.pop("minutes", None)
        for name, value in values.items():
            merged[name] = {**merged.get(name, {}), **value} if isinstance(value, Mapping) else value
    return merged


def _as_begun(directory: Path, found: Any) -> Sources:
    """Return the settings of the run that the folder holds: it continues with the size and length that it began with."""
    from seqnets.train.resume import continues

    file = directory / _SETTINGS
    if found.config or found.dry_run or not (continues(directory, found.resume) and file.is_file()):
        return []
    begun = _file_settings(str(file))
    for name in ("size", "minutes"):
        asked, kept = getattr(found, name, None), begun.get(name, "none")
        if asked not in (None, "auto", kept):
            raise UserError(
                f"'{directory}' was begun with {name} {kept}, not {asked}; leave out --{name} to continue it, or give another "
                "folder with --out"
            )
    return [(begun, str(file))]


def _sweep(name: str, recipe: Recipe, config: Any, sources: Sources, found: Any) -> int:
    from seqnets.cli.sweep import points, sweep

    given = getattr(config, recipe.source)
    if "-" in ([given] if isinstance(given, str) else given):
        raise UserError("a sweep reads its data once per run, and standard input can be read only once; give a file")
    if found.resume != "auto":
        raise UserError(f"--sweep continues or skips each run as it is, so --resume {found.resume} does not fit; leave one out")

    def given_with(values: Mapping[str, Any]) -> dict[str, Any]:
        varied = [*sources, (values, found.sweep)]
        at_home(recipe.completed(_config(recipe, varied)))  # all settings are checked before the first run begins
        return {"task": name, **_merged(varied)}

    runs = points(found.sweep, given_with)
    directory = found.out or f"{_folder(recipe, config, found.config)}-{Path(found.sweep).stem}"
    if found.dry_run:
        print("\n".join(f"{directory}/{run.name}" for run in runs))
        return 0
    return sweep(runs, directory, name, ["--restarts", str(found.restarts), "--hosts", found.hosts])


def _config(recipe: Recipe, sources: Sources) -> Any:
    default = recipe.default()
    config = settings.replaced(default, {"train": {"warmup_steps": 0}})
    for values, where in sources:
        config = settings.replaced(config, values, where)
    if any("warmup_steps" in values.get("train", {}) for values, _ in sources):
        return config
    warmup = min(default.train.warmup_steps, config.train.steps // 10)  # a short run has a shorter warmup
    return settings.replaced(config, {"train": {"warmup_steps": warmup}})


def _file_settings(path: str) -> dict[str, Any]:
    file = _settings_file(path)
    if _is_of_run(file):
        from seqnets.run import check_file

        try:
            check_file(file)
        except UserError:  # it may have been changed on purpose
            _tell(f"note: '{file}' has changed since seqnets wrote it")
    return settings.read(file)


def _settings_file(path: str) -> Path:
    return _in_folder(configurations.find(path))


def _in_folder(path: str | Path) -> Path:
    return Path(path) / _SETTINGS if Path(path).is_dir() else Path(path)


def _is_of_run(path: Path) -> bool:
    return path.name == _SETTINGS and path.is_file() and path.with_name(_CONFIG).is_file()


def _folder(recipe: Recipe, config: Any, path: str | None) -> Path:
    """Return the run's folder: that of the run with this configuration, else a new one."""
    if path is None:
        return Path("runs") / recipe.run_name(config)
    file = _settings_file(path)
    if _is_of_run(file):
        return file.parent
    return Path("runs") / (file.absolute().parent.name if file.name == _SETTINGS else file.stem)


def _refuse_runs(given: Mapping[str, Any]) -> None:
    """Refuse a run folder as data: a user who names one wants to continue it."""
    for value in given.values():
        for path in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []:
            file = _in_folder(path) if isinstance(path, str) else Path()
            if _is_of_run(file):
                advice = f"to continue the run: `seqnets train --config {places.quoted(str(file))}`"
                raise UserError(f"'{path}' belongs to a run and is not data; {advice}")


def _is_first_process() -> bool:
    import jax

    return jax.process_index() == 0


def _tell_nobody(sentence: str) -> None:
    """Print nothing: another process prints it."""


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)

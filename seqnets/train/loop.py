"""The one loop that trains every task."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NoReturn

import jax
import numpy as np
from flax import nnx

from seqnets.errors import UserError
from seqnets.processes import gathered
from seqnets.run import Run
from seqnets.train.card import write_summary
from seqnets.train.clock import Clock, peak_memory
from seqnets.train.config import TrainConfig
from seqnets.train.cuda_graphs import compiler_options
from seqnets.train.feed import Dispatch, feed, settled
from seqnets.train.folder import InFolder, InMemory, NotSaved, open_store, weights_of
from seqnets.train.hosts import joined
from seqnets.train.mesh import Layout
from seqnets.train.overfitting import overfitting
from seqnets.train.progress import Progress, Silent, Status, default_progress
from seqnets.train.resume import Resume, check_alike
from seqnets.train.selection import check_selection
from seqnets.train.signals import Interrupted, StopRequest
from seqnets.train.state import evaluated_weights, initial_state, observe
from seqnets.train.step import compile_steps
from seqnets.train.task import Task
from seqnets.train.tracking import Meter
from seqnets.train.watchdog import Watchdog

FARTHEST = 100  # times the loss of the first step, and at least this much above it: training does not recover from there


class Diverged(RuntimeError):
    """Too many steps in a row had a loss or gradient that is not finite, or a loss far beyond that of the first step.

    In the first case the last good weights are saved; in the second, earlier saved weights are kept.

    Attributes:
        exit_code: 3.
    """

    exit_code = 3


def fit(
    task: Task,
    config: TrainConfig | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    resume: Resume = "auto",
    progress: Progress | Literal["auto"] | None = "auto",
    settings: str | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Run:
    """Train a task and return the model with the best validation figure.

    With a directory, everything needed to continue is kept there: the same call continues an interrupted run, and
    ends with the same bits as a run that was never interrupted. SIGINT and SIGTERM save and raise `Interrupted`.

    Args:
        task: the model, its data and its loss; its model is not changed.
        config: how to train.
        directory: the run folder; None trains in memory and writes nothing.
        resume: "auto" continues the run of that folder or begins one; "never" only begins; "must" only continues.
        progress: where to report; "auto" for a live line or plain lines on standard error, None for no output.
        settings: the text of config.toml; made from the task and the configuration by default.
        origin: what the model began with, such as {"run": "runs/novel"}: kept in config.json, with JSON values, and shown in the
            card.

    Raises:
        UserError: the folder cannot be used, or its run had other settings, another model or other data.
        Diverged: `max_bad_steps` steps in a row were not finite, or had a loss of more than 100 times that of the first
            step (and of more than 100 above it).
        Interrupted: a signal came; the state is saved.
        NotSaved: the run ended, but some of it could not be saved, for example because the disk is full.
    """
    config = config or TrainConfig()
    check_selection(task.model, config.freeze, config.rate_multipliers)
    compiler_options(config.cuda_graphs)  # an error comes before anything is written
    with contextlib.ExitStack() as stack:
        layout = Layout(config.mesh, config.batch_size)
        # only the first process reports and writes; the others get from it what they would otherwise read
        wanted = progress if layout.is_primary else None
        shown = default_progress() if wanted == "auto" else wanted or Silent()
        stack.callback(shown.close)
        stop = stack.enter_context(StopRequest()) if directory is not None else StopRequest()
        store = open_store(directory if layout.is_primary else None, task, config, resume, settings, shown.tell, origin)
        stack.callback(store.close)
        check_alike(gathered(store.description))
        stack.enter_context(layout.threads())
        with joined() if layout.processes > 1 else contextlib.nullcontext():
            return Training(task, config, layout, store, shown, stop).run()


class Training:
    """A run from its current state to its end. Use `fit`."""

    def __init__(
        self, task: Task, config: TrainConfig, layout: Layout, store: InFolder | InMemory, progress: Any, stop: StopRequest
    ) -> None:
        self.task, self.layout, self.store = task, layout, store
        self.progress, self.stop, self.stopping = progress, stop, False
        self.graphdef, state = initial_state(task, config)
        state, record = store.restore(state)
        weights = sum(leaf.size for leaf in jax.tree.leaves(state.params))
        self.config = settled(config, weights, task.units_per_step(config.batch_size))
        self.state, record = layout.place(layout.shared(state)), layout.shared_json(record)
        self.step = int(self.state.step)
        self.best, self.evaluated = record.get("best"), record.get("evaluated", 0)
        self.stale = record.get("stale", 0)  # validation passes since the best
        self.first_loss, self.far = record.get("first_loss"), 0  # and the number of steps in a row far above it
        self.meter = Meter(**record.get("meter", {}))
        self.steps: Any = None  # compiled when the first batches arrive
        self.dog = Watchdog(self.config.watchdog)
        self.clock = Clock(self.step)
        self._tell_where_it_begins()

    def run(self) -> Run:
        """Train to the end."""
        if self.step and self.evaluated < self.step:  # the run was interrupted after a step, before its evaluation or checkpoint
            self._evaluate_and_save()
        begins_at = self.step
        if not self._is_tired:
            self._train()
        run = self._finish()
        if self.step > begins_at and (sentence := overfitting(run.metrics, self.task.objective, maximize=self.task.maximize)):
            self.progress.tell(sentence)
        return run

    @property
    def _is_tired(self) -> bool:
        return 0 < self.config.patience <= self.stale

    def _train(self) -> None:
        """Take batches, step, receive the figures, evaluate, save."""
        queued = None
        with self._dispatches() as dispatches:
            for dispatch, batches in dispatches:
                metrics = self._step(batches, dispatch.count)
                # figures are fetched one dispatch late, so that the device always has work queued
                self._receive(queued)
                queued = (dispatch, metrics)
                self.stopping = self.layout.any(self.stop.requested is not None)
                if not (self.stopping or self._is_border(dispatch.stop)):
                    continue
                self._receive(queued)
                queued = None
                self._evaluate_and_save()
                self.dog.pat()
                if self._is_tired:
                    self.progress.tell(f"stopped at step {self.step:,}: {self.stale} validation passes in a row were no better")
                    break

    @contextlib.contextmanager
    def _dispatches(self) -> Iterator[Iterator[tuple[Dispatch, Any]]]:
        source = self.task.batches(self.config.batch_size, self.config.seed, self.layout.rows)
        batches = feed(source, self.step, self.config, self.layout.place_batches)
        with self.dog, contextlib.closing(batches):
            yield batches

    def _step(self, batches: Any, count: int) -> Any:
        """Queue the steps of a dispatch; return their figures, which the device may still be computing."""
        self.steps = self.steps or self._compile(batches)
        self.stop.begin()
        self.dog.pat()
        self.state, metrics = self.steps(self.state, batches, np.int32(count))
        return metrics

    def _compile(self, batches: Any) -> Any:
        steps = compile_steps(self.task, self.graphdef, self.config, self.state, batches, self.layout)
        self.store.prepare()  # not earlier: importing would slow down tracing
        return steps

    def _receive(self, behind: tuple[Dispatch, Any] | None) -> None:
        if behind is None:
            return
        dispatch, metrics = behind[0], jax.device_get(behind[1])
        for i in range(dispatch.count):
            self._record({name: float(values[i]) for name, values in metrics.items()})
        self.store.poll()
        if metrics["bad_streak"][: dispatch.count].max() >= self.config.max_bad_steps:
            self._give_up()
        if self.far >= self.config.max_bad_steps:
            self._give_up_far_away()

    def _record(self, figures: dict[str, float]) -> None:
        self.step += 1
        bad, rate = figures.pop("bad_streak") > 0, figures.pop("learning_rate")
        self.meter.add(figures, good=not bad)
        if not bad:
            self._watch(figures["loss"])
        if self.step % self.config.log_every == 0 or self.step == self.config.steps:
            means = {**self.meter.means(), "learning_rate": rate}
            ordered = {name: means[name] for name in sorted(means, key=_place)}
            self._log(ordered)

    def _watch(self, loss: float) -> None:
        self.first_loss = loss if self.first_loss is None else self.first_loss
        beyond = loss - self.first_loss > FARTHEST * max(1.0, abs(self.first_loss))
        self.far = self.far + 1 if beyond else 0

    def _log(self, means: dict[str, float]) -> None:
        self.store.log({"step": self.step, **means, "bad_steps": self.meter.bad_steps})
        seconds = self.clock.seconds
        rate = self.clock.rate(self.step)
        units = rate * self.task.units_per_step(self.config.batch_size)
        left = (self.config.steps - self.step) / max(rate, 1e-9)
        self.store.time({"step": self.step, "seconds": seconds, f"{self.task.units}_per_second": units, **peak_memory()})
        self.progress.update(Status(self.step, self.config.steps, means, units, self.task.units, left))

    def _is_border(self, step: int) -> bool:
        return step == self.config.steps or _divides(self.config.evaluate_every, step) or self._saves(step)

    def _saves(self, step: int) -> bool:
        return step == self.config.steps or _divides(self.config.save_every, step)

    def _evaluate_and_save(self) -> None:
        if self.stopping:
            self._leave()
        try:
            with self.clock.paused():
                best = self._evaluate()
        except Interrupted:
            self._leave()
        if best or self._saves(self.step) or self._is_tired:
            self._save(best=best)

    def _evaluate(self) -> bool:
        due = self.step == self.config.steps or _divides(self.config.evaluate_every, self.step)
        if not due or self.evaluated == self.step:
            self.evaluated = self.step
            return False
        model = nnx.merge(self.graphdef, *self._evaluated_weights())
        with self.stop.interruptible() if self.layout.processes == 1 else contextlib.nullcontext():
            figures = self.task.evaluate(model, "validation") if self.layout.is_primary else {}
            wanted = self.progress.wants_preview or self.store.keeps_samples
            preview = self.task.preview(model, self.config.seed) if wanted else ""
        self.evaluated = self.step
        # one process reads the split, and all get its figures
        figures = self.layout.shared_json({name: float(value) for name, value in figures.items()})
        return self._judge(figures, preview) if figures else False

    def _judge(self, figures: dict[str, float], preview: str) -> bool:
        value = -figures[self.task.objective] if self.task.maximize else figures[self.task.objective]
        better = math.isfinite(value) and not self.far and (self.best is None or value < self.best["value"])
        # of equally good weights the later ones are kept, since they have trained longer; patience does not count them as better
        best = better or (self.best is not None and not self.far and value == self.best["value"])
        self.store.log({"step": self.step, **{f"validation_{name}": figure for name, figure in figures.items()}})
        if self.config.schedule == "plateau":
            self.state = observe(self.state, self.config, value)
        self.stale = 0 if better else self.stale + 1
        if best:
            digest = self.store.export(weights_of(*self._evaluated_weights()))
            self.best = {"step": self.step, "value": value, "weights": digest}
        self.progress.validated(self.step, figures, best)
        if preview:
            self.store.keep_sample(self.step, preview)
            self.progress.preview(preview)
        return best

    def _save(self, *, best: bool = False) -> None:
        record = {"best": self.best, "evaluated": self.evaluated, "stale": self.stale, "first_loss": self.first_loss}
        record["meter"] = self.meter.to_json()
        with self.clock.paused():
            self.store.save(self.step, self.layout.gather(self.state), record, best=best)

    def _keep(self) -> str:
        """Save the state; return a description of what could not be kept."""
        self._save()
        self.store.wait()
        weights = self._evaluated_weights()
        if not self.store.exported:
            self.store.export(weights_of(*weights))
        return self._unsaved()

    def _unsaved(self) -> str:
        return self.layout.shared_json(self.store.unsaved(self.step))

    def _where(self) -> str:
        if not self.layout.is_primary:
            return "is saved by the first process"
        return f"is saved in '{self.store.directory}'" if self.store.directory else "is lost, as this run is in memory"

    def _leave(self) -> NoReturn:
        number = self.stop.acknowledge()
        if unsaved := self._keep():
            raise NotSaved(f"stopped at step {self.step:,}, but {unsaved}")
        raise Interrupted(number, f"stopped at step {self.step:,}, which {self._where()}; the same command continues")

    def _give_up(self) -> None:
        unsaved = self._keep()
        raise Diverged(
            f"stopped at step {self.step:,}: the loss or its gradient was not finite {self.config.max_bad_steps} steps in a row; "
            f"{unsaved or f'the last good state {self._where()}'}; lower train.learning_rate or train.clip_norm"
        )

    def _give_up_far_away(self) -> None:
        raise Diverged(
            f"stopped at step {self.step:,}: training has diverged: the loss was more than {FARTHEST} times that of the first "
            f"step, {self.first_loss:.4g}, for {self.far} steps in a row; lower train.learning_rate or train.clip_norm and give "
            "another folder"
        )

    def _tell_where_it_begins(self) -> None:
        if self.step > self.config.steps:
            raise UserError(f"this run has taken {self.step:,} steps; train.steps ({self.config.steps:,}) must not be less")
        if self.step == self.config.steps and self.evaluated == self.step:
            self.progress.tell(f"'{self.store.directory}' is complete: all {self.step:,} steps are taken; nothing to do")
        elif self.step:
            self.progress.tell(f"continuing '{self.store.directory}' after step {self.step:,}")

    def _evaluated_weights(self) -> tuple[Any, Any]:
        return self.layout.gather(evaluated_weights(self.state))

    def _finish(self) -> Run:
        weights = self._evaluated_weights()
        if self.best is None or not self.store.exported:
            self.store.export(weights_of(*weights))
        self.store.wait()
        if unsaved := self._unsaved():
            raise NotSaved(f"trained to step {self.step:,}, but {unsaved}")
        if self.far >= max(1, min(self.config.max_bad_steps, self.config.steps - 1)):
            self._give_up_far_away()
        graphdef, like = nnx.split(nnx.merge(self.graphdef, *weights))
        model = nnx.merge(graphdef, self.layout.shared(self.store.weights(like)))
        vocabulary = getattr(self.task, "vocabulary", None)
        run = Run(model, self.store.description, vocabulary, self.store.directory, self.store.metrics)
        if run.directory:
            self._write_summary(run)
        return run

    def _write_summary(self, run: Run) -> None:
        try:
            write_summary(run, self.best, self.progress.tell)
        except OSError as error:
            raise NotSaved(
                f"trained to step {self.step:,}, which is saved in '{run.directory}', but not its curve and card: "
                f"{error.strerror or error}; make room and run the same command again"
            ) from None


def _divides(every: int, step: int) -> bool:
    return bool(every) and step % every == 0


def _place(name: str) -> tuple[int, str]:
    return {"loss": 0, "gradient_norm": 2, "learning_rate": 3}.get(name, 1), name

"""The settings of a training run."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from seqnets import settings
from seqnets.errors import UserError
from seqnets.optimizers import OptimizerName, readers, with_decay_in_the_gradient

ScheduleName = Literal["constant", "cosine", "exponential", "step", "plateau"]


def _listed(names: tuple[str, ...]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _read_by(setting: str) -> settings.Remark:
    return settings.Remark(f"Read by {_listed(readers(setting))}.")


_DECAY = settings.Remark(f"L2 for {_listed(with_decay_in_the_gradient())}; decoupled for the others.")


@dataclass(frozen=True)
class TrainConfig:
    """How to train: the section [train] of a configuration file.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> TrainConfig(steps=100, schedule="cosine").learning_rate
        0.002
        >>> TrainConfig(clip_norm=-1.0)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: train.clip_norm must be at least 0, not -1.0
    """

    steps: Annotated[int, settings.POSITIVE] = 5000
    """How many steps to train."""
    batch_size: Annotated[int, settings.POSITIVE] = 32
    """Examples or streams in one step, B."""
    seed: Annotated[int, settings.SEED] = 0
    """Seed of the data order, dropout and all other randomness in training."""
    optimizer: OptimizerName = "adam"
    """The optimizer; muon uses Adam for everything that is not a matrix."""
    learning_rate: Annotated[float, settings.ABOVE_ZERO] = 2e-3
    """The highest learning rate; the schedule scales it."""
    momentum: Annotated[float, settings.RATE, _read_by("momentum")] = 0.9
    """Decay of the mean of past gradients; 0 for no momentum."""
    nesterov: Annotated[bool, _read_by("nesterov")] = False
    """Nesterov's form of the momentum, or of Adam."""
    beta1: Annotated[float, settings.RATE, _read_by("beta1")] = 0.9
    """Decay of the first moment."""
    beta2: Annotated[float, settings.RATE, _read_by("beta2")] = 0.999
    """Decay of the second moment, or of the mean square; Lion's authors take 0.99."""
    epsilon: Annotated[float, settings.ABOVE_ZERO, _read_by("epsilon")] = 1e-8
    """Added to the root of the second moment."""
    weight_decay: Annotated[float, settings.NOT_NEGATIVE, _DECAY] = 0.0
    """Decay of the kernels; biases and scales do not decay."""
    schedule: ScheduleName = "cosine"
    """constant, cosine, exponential, step, or plateau (lowers the rate when validation stops improving)."""
    warmup_steps: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Steps over which the learning rate rises linearly from 0, under any schedule."""
    decay_steps: Annotated[int, settings.NOT_NEGATIVE] = 0
    """The step at which cosine ends (0: the last one), or the period of exponential and step (0: a tenth of them)."""
    decay_rate: Annotated[float, settings.SHARE_ABOVE_ZERO] = 0.5
    """The factor by which exponential and step multiply the rate in each period."""
    floor: Annotated[float, settings.SHARE] = 0.0
    """The least learning rate, as a fraction of the highest."""
    plateau_factor: Annotated[float, settings.Range(above=0, below=1)] = 0.1
    """The factor by which plateau multiplies the rate."""
    plateau_patience: Annotated[int, settings.POSITIVE] = 5
    """Evaluations without improvement before plateau lowers the rate."""
    clip_norm: Annotated[float, settings.NOT_NEGATIVE] = 5.0
    """Largest global norm of the gradient; 0 for no limit."""
    clip_value: Annotated[float, settings.NOT_NEGATIVE] = 0.0
    """Largest magnitude of an element of the gradient, before the norm is clipped; 0 for no limit."""
    averaging: Annotated[float, settings.RATE] = 0.0
    """Decay of an exponential moving average of the weights, such as 0.999; evaluation and export use it. 0 for none."""
    freeze: tuple[str, ...] = ()
    """Parameters that stay as they are, by path (`stem`, `*.bias`); batch norms among them use their running statistics."""
    rate_multipliers: tuple[str, ...] = ()
    """Factors for the updates of some parameters, each PATTERN=FACTOR (stem.*=0.1); the last match counts."""
    max_spike: Annotated[float, settings.NOT_NEGATIVE] = 0.0
    """Skip steps whose gradient norm exceeds its running mean by this factor, like steps that are not finite; 0 for never."""
    max_bad_steps: Annotated[int, settings.POSITIVE] = 10
    """Stop after this many skipped steps in a row."""
    steps_per_dispatch: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Steps per device call; it changes no result, and more steps help if each is short. 0 chooses up to 16."""
    log_every: Annotated[int, settings.POSITIVE] = 50
    """Steps between lines of metrics.jsonl, which hold means over that interval."""
    evaluate_every: Annotated[int, settings.NOT_NEGATIVE] = 500
    """Steps between passes over the validation split; 0 for one only at the end."""
    patience: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Validation passes in a row without a better figure after which training stops; 0 for never."""
    save_every: Annotated[int, settings.NOT_NEGATIVE] = 500
    """Steps between checkpoints; 0 for one only at the end, at each best figure and on interruption."""
    keep: Annotated[int, settings.POSITIVE] = 2
    """Last checkpoints kept, besides the best."""
    watchdog: Annotated[float, settings.NOT_NEGATIVE] = 0.0
    """Seconds without a step or an evaluation after which all stacks are printed and the process ends; 0 for never."""
    mesh: str = ""
    """Devices: data=4 divides each batch over four; data=4,model=2 also large weights over two; auto for all; "" for one."""
    cuda_graphs: bool = False
    """Launch the loop over time as one CUDA graph on an NVIDIA GPU, unless one kernel already runs all steps."""
    tensorboard: bool = False
    """Also write TensorBoard files (needs `pip install 'seqnets[viz]'`); the same as the tracker tensorboard."""
    trackers: tuple[str, ...] = ()
    """Programs that also receive the figures: tensorboard, and those that other packages add."""

    def __post_init__(self) -> None:
        settings.settle(self, "train")
        for setting in self.rate_multipliers:
            parsed_multiplier(setting)
        if self.warmup_steps > self.steps:
            raise UserError(f"train.warmup_steps ({self.warmup_steps:,}) is more than train.steps ({self.steps:,})")

    @property
    def decay_period(self) -> int:
        """The step at which cosine ends, or the period of exponential and step."""
        if self.decay_steps or self.schedule in ("constant", "plateau"):
            return self.decay_steps
        return self.steps if self.schedule == "cosine" else max(1, self.steps // 10)

    @property
    def every_tracker(self) -> tuple[str, ...]:
        """The trackers, with TensorBoard if its own setting is on."""
        return tuple(dict.fromkeys(("tensorboard",) * self.tensorboard + self.trackers))

    def to_json(self) -> dict[str, Any]:
        """Return the settings by name."""
        return dataclasses.asdict(self)


def parsed_multiplier(setting: str) -> tuple[str, float]:
    """Split "pattern=factor".

    Raises:
        UserError: it does not have this form, or the factor is not a number above 0.

    Example:
        >>> parsed_multiplier("stem.*=0.1")
        ('stem.*', 0.1)
    """
    pattern, _, text = setting.rpartition("=")
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not pattern or not 0 < factor < float("inf"):
        raise UserError(f"train.rate_multipliers: {setting!r} is not PATTERN=FACTOR with a factor above 0, such as 'stem.*=0.1'")
    return pattern.strip(), factor

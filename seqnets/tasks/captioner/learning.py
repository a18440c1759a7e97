"""The settings of a captioner's objective and validation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings

CaptionObjective = Literal["CIDEr", "BLEU-4", "correct", "nats"]


@dataclass(frozen=True)
class CaptionLearning:
    """The objective and the validation of a captioner: section `[learning]` of a configuration.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> CaptionLearning(regularizer=0.0).objective
        'CIDEr'
    """

    regularizer: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the penalty on attention that does not visit every location once (soft attention)."""
    score_rate: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the REINFORCE term of hard attention."""
    entropy: Annotated[float, settings.NOT_NEGATIVE] = 0.002
    """Weight of the entropy of hard attention, which keeps it from converging too soon."""
    baseline_decay: Annotated[float, settings.SHARE] = 0.9
    """Decay of the moving average that is hard attention's baseline."""
    scheduled_sampling: Annotated[float, settings.SHARE] = 0.0
    """Final rate at which the decoder reads its own word instead of the right one (scheduled sampling)."""
    scheduled_sampling_steps: Annotated[int, settings.POSITIVE] = 1000
    """Steps over which that rate rises from 0."""
    self_critical_after: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Steps after which captions are drawn and rewarded by their CIDEr (self-critical training); 0 for never."""
    self_critical_samples: Annotated[int, settings.Range(least=2)] = 5
    """Captions drawn for each image; each is compared with the mean of the others."""
    finetune_after: Annotated[float, settings.NOT_NEGATIVE] = 0.0
    """Epochs after which a pretrained encoder is also trained, at `finetune_rate`; 0 for never."""
    finetune_rate: Annotated[float, settings.ABOVE_ZERO] = 0.1
    """Factor of the learning rate for a pretrained encoder."""
    objective: CaptionObjective = "CIDEr"
    """The figure of free-running validation that picks the best model; correct is for drawn scenes, nats for the loss."""
    validation_images: Annotated[int, settings.NOT_NEGATIVE] = 500
    """Images to caption at each validation; 0 for all."""
    validation_beam: Annotated[int, settings.POSITIVE] = 1
    """Width of the beam search in validation; 1 is greedy."""
    max_words: Annotated[int, settings.POSITIVE] = 20
    """The most words (or characters) in a caption; longer ones are cut."""

    def __post_init__(self) -> None:
        settings.settle(self, "learning")

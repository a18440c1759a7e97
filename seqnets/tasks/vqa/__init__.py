"""`seqnets train vqa`: a model that answers questions about pictures."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seqnets import settings
from seqnets.data.examples.config import QuestionConfig
from seqnets.data.examples.questions import forms
from seqnets.errors import UserError
from seqnets.hub import is_repository
from seqnets.models.sequence.config import VQAConfig
from seqnets.tasks.recipe import Recipe, Tell, counted
from seqnets.tasks.starting_weights import NO_WEIGHTS, named_encoder
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.data.examples.question_examples import Asked
    from seqnets.data.images.preprocessing import Preprocessing
    from seqnets.run import Run
    from seqnets.tasks.start import Start
    from seqnets.tasks.vqa.task import VQATask as VQATask


@dataclass(frozen=True)
class LayoutLossConfig:
    """The loss of learned layouts: section `[loss]`."""

    cloning_steps: Annotated[int, settings.NOT_NEGATIVE] = 500
    """Steps that learn the layouts of the data, where it has some; after them, layouts are judged by the answers (REINFORCE)."""
    score_rate: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the layouts' term."""
    entropy: Annotated[float, settings.NOT_NEGATIVE] = 0.0
    """Weight of the entropy of the layouts, which keeps them from converging too soon."""

    def __post_init__(self) -> None:
        settings.settle(self, "loss")


@dataclass(frozen=True)
class VQARunConfig:
    """A model that answers questions about pictures, and what it learns from.

    Example:
        >>> VQARunConfig(images="pictures", questions="questions.csv").model.attention
        'none'
    """

    task: Literal["vqa"] = "vqa"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    images: str = ""
    """The folder of pictures."""
    questions: str = ""
    """The file of questions and answers."""
    annotations: str = ""
    """VQA v2's answers."""
    test_images: str = ""
    """The folder of the pictures to test on; empty for `images`."""
    test_questions: str = ""
    """The questions to test on, once, at the end; empty for no test."""
    test_annotations: str = ""
    """VQA v2's answers to these questions."""
    data: QuestionConfig = field(default_factory=QuestionConfig)
    """How questions are encoded and split."""
    model: VQAConfig = field(default_factory=VQAConfig)
    """The shape of the model."""
    loss: LayoutLossConfig = field(default_factory=LayoutLossConfig)
    """How layouts are learned."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


DRAWN_SIDE = 30  # of the drawn grids


def make(config: VQARunConfig, tell: Tell, start: "Start | None" = None) -> Any:
    """Read the questions and the pictures and make the model."""
    from flax import nnx

    from seqnets.data.examples.question_examples import question_examples
    from seqnets.models.captioner.encoder import Backbone
    from seqnets.models.sequence.vqa import VQA
    from seqnets.tasks.vqa.task import VQATask

    if config.model.kind == "modules" and bool(config.images) == bool(config.questions):
        from seqnets.tasks.vqa import modules

        return modules.make(config, tell, start)
    if config.model.layouts == "learned" and config.model.kind != "modules":
        raise UserError("model.layouts is of modules, and model.kind is 'joint'; add --model.kind modules")
    if not config.images or not config.questions:
        raise UserError("give the pictures as --images DIR and the questions about them as --questions FILE")
    network, shape = (None, config.model) if start else _encoder(config.model)
    rule = start.model.preprocessing if start else None if network is None else network.preprocessing
    asked = asked_of(config.images, config.questions, config.annotations, shape.image_size, rule, tell=tell)
    vocabulary, answers, splits = question_examples(asked, config.data, extends=start.vocabulary if start else None)
    for sentence in asked.left_out:
        tell(sentence)
    pictures = f"about {len(asked.pictures):,} pictures, {vocabulary}, {len(answers):,} answers"
    tell(f"{counted(splits, 'questions')} {pictures}")
    if start:
        model = start.grown(config.model, tell, rngs=nnx.Rngs(config.train.seed), vocabulary=vocabulary, answers=answers)
    else:
        model = VQA(vocabulary, answers, shape, preprocessing=rule, rngs=nnx.Rngs(config.train.seed))
        if network is not None:
            model.eye = Backbone(network, shape.encoder_layer, image_size=shape.image_size)
    return VQATask(model, splits)


def _encoder(config: VQAConfig) -> tuple[Any, VQAConfig]:
    """Return the network with weights that reads the pictures, and the shape with the size of its pictures."""
    if config.encoder == "small" or config.encoder_weights in ("", NO_WEIGHTS):
        return None, config
    from seqnets.models.extractor import known_preprocessing
    from seqnets.models.registry import create_model

    network = create_model(config.encoder, weights=config.encoder_weights)
    size = known_preprocessing(network).image_size
    if size is None or size[0] != size[1]:
        raise UserError(f"questions need square pictures of one size; the rule of {config.encoder} leaves {size}")
    return network, replace(config, image_size=size[0])


def completed(config: VQARunConfig) -> VQARunConfig:
    """Return the settings with the weights of the network that reads pictures in full; with weights, it is frozen.

    Example:
        >>> from seqnets import settings
        >>> found = completed(settings.replaced(RECIPE.default(), {"model": {"encoder": "resnet18"}}))
        >>> found.model.encoder_weights, found.train.freeze
        ('torchvision-v1', ('eye',))
    """
    from seqnets.weights.torchvision import is_published

    if config.model.kind == "modules":
        return config if config.images else settings.replaced(config, {"model": {"image_size": DRAWN_SIDE}})
    own = config.model.encoder == "small" or config.model.encoder_weights == NO_WEIGHTS
    if own or not (config.model.encoder_weights or is_repository(config.model.encoder) or is_published(config.model.encoder)):
        return config
    freeze = {"freeze": tuple(dict.fromkeys(("eye", *config.train.freeze)))}
    return settings.replaced(config, {"model": named_encoder(config.model), "train": freeze})


def tested(run: "Run", config: VQARunConfig) -> list[str]:
    """Return a line with the accuracy on the test questions; no line without test questions."""
    if not config.test_questions:
        return []
    import numpy as np

    from seqnets.decode.answers import questions_for
    from seqnets.tasks.class_task import ClassTask
    from seqnets.tasks.vqa.modules import ModuleVQATask
    from seqnets.tasks.vqa.task import VQATask

    remarks: list[str] = []
    asked = test_asked(run, config, remarks)
    rows = np.arange(len(asked.questions))
    examples = questions_for(run.model, asked, rows, config.data.max_length)
    task: type[ClassTask] = ModuleVQATask if config.model.kind == "modules" else VQATask
    figures = task(run.model, {"train": examples}).figures(run.model, examples)
    more = "; ".join(["", *remarks, *asked.left_out])
    return [f"test: accuracy {figures['accuracy']:.4f} on {len(rows):,} questions about {len(asked.pictures):,} pictures{more}"]


def test_asked(run: "Run", config: VQARunConfig, remarks: list[str]) -> "Asked":
    """Read the test questions and find their pictures; what is to be said about them is added to the remarks."""
    folder, size = config.test_images or config.images, run.model.config.image_size
    return asked_of(folder, config.test_questions, config.test_annotations, size, run.model.preprocessing, tell=remarks.append)


def training_asked(
    config: VQARunConfig, size: int, rule: "Preprocessing | None" = None, *, tell: Tell = lambda sentence: None
) -> tuple["Asked", Any]:
    """Return the questions of a run, and which are held out, `(N,)`."""
    from seqnets.data.examples.held_out import held_out
    from seqnets.tasks.vqa.modules import drawn

    if config.model.kind == "modules" and not config.images:
        return drawn()
    asked = asked_of(config.images, config.questions, config.annotations, size, rule, tell=tell)
    return asked, held_out([question.image for question in asked.questions], config.data.validation_fraction)


def asked_of(
    folder: str,
    questions: str,
    annotations: str,
    size: int,
    rule: "Preprocessing | None" = None,
    *,
    tell: Tell = lambda sentence: None,
) -> "Asked":
    """Read questions and find their pictures."""
    from seqnets.data.examples.question_examples import look_up, of_array
    from seqnets.data.examples.questions import read_questions

    if folder.lower().endswith(".npz"):
        return of_array(read_questions(questions, annotations, tell=tell), folder, size)
    if not Path(folder).is_dir():
        raise UserError(f"'{folder}' is not a folder; give the folder of the pictures, or an .npz file with images")
    return look_up(read_questions(questions, annotations, tell=tell), folder, size, rule)


RECIPE = Recipe(
    config=VQARunConfig,
    usage="--images DIR --questions FILE",
    words={
        "--images": {"metavar": "DIR", "help": "the folder of pictures, or an .npz file with images"},
        "--questions": {"metavar": "FILE", "help": forms()},
        "--annotations": {"metavar": "FILE", "help": "VQA v2's answers"},
        "--test-images": {"metavar": "DIR", "help": "the folder of the pictures to test on [that of --images]"},
        "--test-questions": {"metavar": "FILE", "help": "questions to test on, once, at the end"},
        "--test-annotations": {"metavar": "FILE", "help": "VQA v2's answers to these questions"},
    },
    source="questions",
    without="pictures",
    suffix="-vqa",
    make=make,
    shown=tested,
    commands=lambda config: ['seqnets answer {run} IMAGE "what color is it?"'],
    figures="nats",
    paths=("images", "questions", "annotations", "test_images", "test_questions", "test_annotations", "model.encoder_weights"),
    completed=completed,
    of_vocabulary={"vocabulary": "unit"},
)

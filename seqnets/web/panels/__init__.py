"""The panels of pages, as a table: which runs have each, what prepares its data, what draws it, and what answers it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from seqnets.run import Run


class Panel(NamedTuple):
    """A panel of a page.

    Attributes:
        name: its name in the page, and in the addresses of the server.
        title: its heading.
        about: a sentence about it; may be empty.
        tasks: whose runs have it; empty for every run.
        prepare: `module.function` below this package: `Subject -> data` as JSON, or None where there is nothing to show.
        scripts: the modules of page/ that it needs, besides view and arrays, which every page has.
        draw: the function in `panels` of the JavaScript that draws it; the name if empty.
        answer: `module.function` below this package: `(run, body, settings) -> answer` as JSON, to the bytes and the unchecked
            JSON that the page sends to the server; empty if it sends nothing.
    """

    name: str
    title: str
    about: str
    tasks: tuple[str, ...]
    prepare: str
    scripts: tuple[str, ...]
    draw: str = ""
    answer: str = ""


_TEXT = ("text", "network")
PANELS = (
    Panel(
        "write",
        "Write",
        "The model runs in this page. Click a character that it wrote to see what else was likely.",
        ("text",),
        "text.write",
        (*_TEXT, "sampling", "write"),
    ),
    Panel(
        "neurons",
        "Neurons",
        "What single units follow (Karpathy, Johnson, Li, 2015).",
        ("text",),
        "text.neurons",
        (*_TEXT, "neurons"),
    ),
    Panel(
        "search",
        "Search like this",
        "Other places where the same units are on (Strobelt et al., LSTMVis, 2018).",
        ("text",),
        "text.search",
        (*_TEXT, "neurons"),
    ),
    Panel(
        "surprise",
        "Surprise",
        "Where the model was surprised, and what it expected instead.",
        ("text",),
        "text.surprise",
        (*_TEXT, "expectation"),
    ),
    Panel(
        "memory",
        "Memory",
        "Which earlier characters a prediction depends on (Madsen, 2019).",
        ("text",),
        "text.memory",
        (*_TEXT, "expectation"),
    ),
    Panel(
        "flow",
        "Gradient flow",
        "Whether gradients explode or vanish on their way back (Pascanu et al., 2013).",
        ("text",),
        "text.flow",
        (*_TEXT, "expectation"),
    ),
    Panel(
        "captions",
        "Captions",
        "What the model says of pictures that it did not learn from, and where it looked at each word (Xu et al., 2015).",
        ("captioner",),
        "captions.captions",
        ("attention", "drop", "captions"),
        answer="captions.answer",
    ),
    Panel(
        "labels",
        "Labels",
        "The label of every step of texts that the model did not learn from, with its probability.",
        ("tagger",),
        "labels.steps_of_texts",
        ("examples", "labels"),
    ),
    Panel(
        "classes",
        "Labels",
        "Texts that the model did not learn from: what it says of them, and from which word on.",
        ("text-classifier",),
        "labels.classes_of_texts",
        ("examples", "labels"),
    ),
    Panel(
        "trees",
        "Trees",
        "Trees that the model did not learn from, with the label of every phrase (Socher et al., 2013).",
        ("tree-classifier",),
        "trees.trees",
        ("examples", "labels", "trees"),
    ),
    Panel(
        "pictures",
        "Pictures",
        "What the model says of pictures that it did not learn from: the worst mistakes first.",
        ("classifier",),
        "pictures.classified",
        ("attention", "drop", "pictures"),
        answer="pictures.classify_one",
    ),
    Panel(
        "questions",
        "Questions",
        "How the model answers questions that it did not learn from: the worst mistakes first.",
        ("vqa",),
        "pictures.answered",
        ("attention", "drop", "pictures"),
        "pictures",
        "pictures.answer_one",
    ),
    Panel(
        "confusion",
        "Confusion",
        "Which class is taken for which.",
        ("tagger", "text-classifier", "tree-classifier", "classifier", "vqa"),
        "classes.confusion",
        ("examples", "confusion"),
    ),
    Panel(
        "inside",
        "Looking inside",
        "What the network sees: its filters, activations, where a class comes from, and which pictures are alike to it.",
        ("classifier",),
        "inside.inside",
        ("drop", "inside"),
        answer="inside.look_at",
    ),
    Panel(
        "glimpses",
        "Glimpses",
        "Where the model looks in pictures that it did not learn from, and what it says: mistakes first (Mnih et al., 2014).",
        ("glancer",),
        "glimpses.looked",
        ("drop", "inside"),
        "inside",
        "glimpses.look_at",
    ),
    Panel(
        "things",
        "What it finds",
        "Pictures that the model did not learn from, with what it finds in them.",
        ("segmenter", "localizer", "detector"),
        "regions.found",
        ("drop", "inside"),
        "inside",
        "regions.find_in",
    ),
    Panel(
        "drawings",
        "Drawings",
        "Pictures that the model draws step by step, with the windows that it writes (Gregor et al., 2015).",
        ("drawer",),
        "glimpses.drawn",
        ("drop", "inside"),
        "inside",
        "glimpses.draw_again",
    ),
    Panel(
        "translations",
        "Translations",
        "Pairs that the model did not learn from, and where it looked as it wrote (Bahdanau, Cho, Bengio, 2015).",
        ("translator",),
        "translations.translations",
        ("examples", "translations"),
        answer="translations.answer",
    ),
    Panel("curves", "Curves", "The figures of training.", (), "runs.curves", ("runs",)),
    Panel("model", "Model", "", (), "runs.model", ("runs",)),
)
"""All panels, in the order of the page."""


def task_of(run: Run) -> str:
    """Return the task whose panels a run has: "text" for everything that writes character by character.

    Example:
        >>> task_of(Run(None, {"task": "captioner"}, None, None, []))
        'captioner'
    """
    return "text" if hasattr(run.model, "stepper") else run.config.get("task", "")


def panels_of(run: Run) -> list[Panel]:
    """Return the panels that a run may have; one without weights has only those of every run.

    Example:
        >>> [panel.name for panel in panels_of(Run(None, {"task": "captioner"}, None, None, []))]
        ['curves', 'model']
    """
    task = task_of(run)
    return [panel for panel in PANELS if not panel.tasks or (run.model is not None and task in panel.tasks)]


def function(path: str) -> Callable[..., Any]:
    """Return a function of the table."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"{__name__}.{module}"), name)


def answer(run: Run, name: str, body: bytes, settings: Any) -> dict[str, Any] | None:
    """Return what a panel answers to what the page sends; None where the run has no such panel."""
    found = next((panel for panel in panels_of(run) if panel.name == name and panel.answer), None)
    return None if found is None else function(found.answer)(run, body, settings)

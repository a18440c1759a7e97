"""The verbs of the command line, each with its module and its one-line summary."""

from typing import NamedTuple

from seqnets.errors import UserError


class Verb(NamedTuple):
    """A verb: the module with its `main(argv) -> int`, its one-line summary, its group, and whether a task may follow it."""

    module: str
    summary: str
    group: str = ""
    takes_tasks: bool = False


VERBS = {
    "train": Verb("seqnets.cli.train", "train a model on your own data, or continue an interrupted run", "runs", True),
    "find-rate": Verb("seqnets.cli.find_rate", "find a learning rate for the same arguments as train", "runs", True),
    "compare": Verb("seqnets.cli.compare", "compare runs: what differs in their settings, and their results", "runs"),
    "show": Verb("seqnets.cli.show", "open the page of a run: write with it, look inside, watch it train", "runs"),
    "inspect": Verb("seqnets.cli.inspect", "report what a model has learned, and its worst mistakes", "runs"),
    "verify": Verb("seqnets.cli.verify", "check that the files of a run are undamaged", "runs"),
    "push": Verb("seqnets.cli.push", "publish a run on Hugging Face", "runs"),
    "completion": Verb("seqnets.cli.completion", "write a script that completes commands in bash, zsh or fish", "runs"),
    "sample": Verb("seqnets.cli.sample", "write text with a trained model, or draw pictures", "text"),
    "evaluate": Verb("seqnets.cli.evaluate", "score a text: nats, bits per character, perplexity", "text"),
    "serve": Verb("seqnets.cli.serve", "answer programs that speak OpenAI's completions", "text"),
    "predict": Verb("seqnets.cli.predict", "classify, label or translate texts with a trained model", "text"),
    "caption": Verb("seqnets.cli.caption", "describe images, and show where the model looked", "pictures"),
    "score": Verb("seqnets.cli.score", "score captions (BLEU, ROUGE-L, CIDEr), detections (AP) or the form of code", "pictures"),
    "answer": Verb("seqnets.cli.answer", "answer questions about a picture", "pictures"),
    "classify": Verb("seqnets.cli.classify", "classify images with any of the networks", "pictures"),
    "segment": Verb("seqnets.cli.segment", "find the class of every pixel of images", "pictures"),
    "locate": Verb("seqnets.cli.locate", "find a thing and its box in images, or a person's joints", "pictures"),
    "detect": Verb("seqnets.cli.detect", "find all things in images, with their boxes", "pictures"),
    "dream": Verb("seqnets.cli.dream", "make pictures with a network: classes, deep dreams, textures, styles", "pictures"),
    "stylize": Verb("seqnets.cli.stylize", "paint pictures in the style of a painting, in one pass", "pictures"),
    "features": Verb("seqnets.cli.features", "compute features of images and store them on disk", "pictures"),
    "summary": Verb("seqnets.cli.summary", "show a network's layers: shapes, parameters, multiply-adds, memory", "models"),
    "download": Verb("seqnets.cli.download", "get published weights, data sets and runs by name", "models"),
    "export": Verb("seqnets.cli.export", "write a trained model as StableHLO, ONNX or arrays for other runtimes", "models"),
}

_OTHERS = {
    "train": "fit finetune fine-tune resume continue retrain learn",
    "find-rate": "lr-find lr-finder find-lr learning-rate lr range-test",
    "compare": "diff ls list-runs runs results table",
    "verify": "check fsck validate-run",
    "show": "view open page browse dashboard tensorboard ui",
    "push": "publish upload share export-run",
    "completion": "complete-shell completions autocomplete shell-completion",
    "sample": "generate gen write complete",
    "evaluate": "test eval validate perplexity",
    "inspect": "look neurons explain probe",
    "serve": "api server deploy",
    "predict": "infer inference translate label tag run",
    "caption": "describe captions",
    "score": "bleu cider coco metrics",
    "answer": "ask vqa question",
    "classify": "recognize recognize classification",
    "segment": "segmentation mask masks parse",
    "locate": "localize localise pose joints find",
    "detect": "detection boxes yolo ssd objects",
    "dream": "deepdream deep-dream visualize-class inceptionism neural-style style-transfer texture fool invert",
    "stylize": "stylise paint fast-style style",
    "features": "extract embed encode",
    "export": "convert onnx deploy freeze stablehlo savedmodel compile",
    "summary": "summarize info models networks list layers describe-model",
    "download": "fetch get pull clone datasets weights",
}
_VERB_OF = {other: verb for verb, others in _OTHERS.items() for other in others.split()}


def overview() -> str:
    """Return the help of `seqnets`: one line per verb.

    Example:
        >>> overview().splitlines()[0]
        'usage: seqnets VERB ...'
    """
    width = max(map(len, VERBS))
    groups = [
        "\n".join([f"{group}:", *(f"  {name:{width}}  {verb.summary}" for name, verb in VERBS.items() if verb.group == group)])
        for group in dict.fromkeys(verb.group for verb in VERBS.values())
    ]
    last = "`seqnets train` learns from Python's source by default. `seqnets VERB --help` lists all options."
    return "\n\n".join(["usage: seqnets VERB ...", *groups, last])


def find(name: str) -> Verb:
    """Return a verb.

    Raises:
        UserError: the verb does not exist; the message names the nearest one.

    Example:
        >>> find("generate")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: unknown verb 'generate'; did you mean 'seqnets sample'?
    """
    if name in VERBS:
        return VERBS[name]
    from seqnets.tasks import TASKS

    kind = "option" if name.startswith("-") else "verb"
    nearest = f"train {name}" if name in TASKS else _nearest(name)
    hint = f"did you mean 'seqnets {nearest}'?" if nearest else f"verbs are {', '.join(VERBS)}"
    raise UserError(f"unknown {kind} {name!r}; {hint}")


def _nearest(name: str) -> str | None:
    import difflib

    word = name.lower().replace("_", "-")
    close = difflib.get_close_matches(word, VERBS, n=1)
    return _VERB_OF.get(word) or (close[0] if close else None)

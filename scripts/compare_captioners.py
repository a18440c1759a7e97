"""Attention against no attention on few real photographs, beside two baselines that need no training.

    python scripts/compare_captioners.py DATA/captions/flickr8k_1000 DATA/weights/squeezenet1_1 --out comparison.json

Both captioners read the same frozen features (14 x 14 x 512, SqueezeNet 1.1 after the last fire module) and have the same
recurrence, dropout, stopping rule and seeds. The constant caption is the training caption that scores best on validation
when said of every image; the nearest neighbor says a caption of the training image whose mean features are most alike
(by cosine), the one nearest to the others of that image. All four are scored on the test images by CIDEr-D and BLEU-4,
with document frequencies from the test references.
"""

# ruff: noqa: E402
import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from seqnets.cli import runtime

runtime.prepare()  # before JAX is imported: threads, memory and XLA as the command line has them

import numpy as np
from flax import nnx

import seqnets as sn
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.captions.config import CaptionDataConfig
from seqnets.data.words.spelling import word_tokens
from seqnets.metrics.cider_score import CiderReward
from seqnets.metrics.scorer import Scorer
from seqnets.models.captioner import CaptionerConfig
from seqnets.tasks.captioner.figures import CaptionJudge
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.sources import photographs
from seqnets.tasks.captioner.task import CaptionerTask

SHARED = {
    "encoder": "squeezenet1_1",
    "encoder_layer": "stage3",
    "normalize_features": True,
    "hidden_features": 128,
    "embedding_features": 96,
    "dropout": 0.4,
    "input_dropout": 0.2,
    "feature_dropout": 0.2,
}
MODELS = {
    "attention": {"attention": "additive", "attention_features": 64, "gate": "scalar", "deep_output": True},
    "no attention": {"attention": "none", "inject": "init", "deep_output": True},
}


def main() -> None:
    found = _arguments()
    began, report = time.time(), {"command": " ".join(["python", *sys.argv]), "models": {}}
    splits = None
    for name, shape in MODELS.items():
        for seed in found.seeds:
            run, splits = _train(found, shape, seed)
            judge = CaptionJudge(splits["test"], max_words=20, beam=found.beam)
            curve = [{k: v for k, v in line.items() if k.startswith("validation") or k == "step"} for line in run.metrics]
            report["models"].setdefault(name, []).append({"seed": seed, **judge.figures(run.model), "curve": _validations(curve)})
            print(name, seed, {k: round(v, 4) for k, v in report["models"][name][-1].items() if k != "curve"}, flush=True)
            report["seconds"] = round(time.time() - began)
            Path(found.out).write_text(json.dumps(report, indent=1))
    assert splits is not None  # noqa: S101  MODELS is not empty
    report["constant"] = _scores(splits["test"], [_constant(splits)] * len(splits["test"])) | {"caption": _constant(splits)}
    report["nearest neighbor"] = _scores(splits["test"], _nearest(splits))
    Path(found.out).write_text(json.dumps(report, indent=1))
    print({name: report[name] for name in ("constant", "nearest neighbor")})


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description="Attention against no attention on few real photographs.")
    parser.add_argument("data", type=Path, help="folder with images/ and dataset.json")
    parser.add_argument("weights", help="SqueezeNet 1.1's weights")
    parser.add_argument("--out", default="comparison.json")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--evaluate-every", type=int, default=150)
    parser.add_argument("--beam", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    return parser.parse_args()


def _train(found: Any, shape: dict[str, Any], seed: int) -> tuple[Any, dict[str, CaptionedImages]]:
    config = CaptionerConfig(**SHARED, **shape, encoder_weights=found.weights)
    data = CaptionDataConfig(min_count=3)
    model, splits = photographs(
        str(found.data / "images"),
        str(found.data / "dataset.json"),
        data,
        config,
        finetune=False,
        tell=print,
        rngs=nnx.Rngs(seed),
    )
    task = CaptionerTask(model, splits, CaptionLearning(objective="CIDEr", regularizer=0.0, validation_images=0))
    train = sn.TrainConfig(
        steps=found.steps, batch_size=32, learning_rate=4e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0, seed=seed,
        weight_decay=1e-4, optimizer="adamw", averaging=0.98, evaluate_every=found.evaluate_every, save_every=0,
        freeze=("encoder",), log_every=found.evaluate_every,
    )  # fmt: skip
    return sn.fit(task, train), splits


def _validations(curve: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [{name.removeprefix("validation_"): value for name, value in line.items()} for line in curve if len(line) > 1]


def _scores(images: CaptionedImages, captions: list[str]) -> dict[str, float]:
    corpus = Scorer({**images.references})(dict(zip(images.references, captions))).corpus
    return {name: corpus[name] for name in ("CIDEr", "BLEU-4")}


def _constant(splits: dict[str, CaptionedImages]) -> str:
    texts = sorted({caption for captions in splits["train"].captions for caption in captions})
    validation = [[word_tokens(caption) for caption in captions] for captions in splits["validation"].captions]
    reward = CiderReward(validation)
    count = len(validation)
    means = [reward([word_tokens(text)] * count, np.arange(count)).mean() for text in texts]
    return texts[int(np.argmax(means))]


def _nearest(splits: dict[str, CaptionedImages]) -> list[str]:
    known, asked = (_unit_means(splits[name].images) for name in ("train", "test"))
    return [_consensus(splits["train"].captions[place]) for place in (asked @ known.T).argmax(axis=1)]


def _unit_means(features: np.ndarray) -> np.ndarray:
    means = features.astype(np.float32).mean(axis=1)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def _consensus(captions: Any) -> str:
    words = [set(word_tokens(caption)) for caption in captions]
    alike = [sum(len(one & other) / len(one | other) for other in words) for one in words]
    return captions[int(np.argmax(alike))]


if __name__ == "__main__":
    main()

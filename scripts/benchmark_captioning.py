"""Measure beam search over stored features against an eager torch loop, one image after the other, of the same model and weights.

    python scripts/benchmark_captioning.py --images 1000 --json row.json
    python scripts/benchmark_captioning.py --run runs/flickr8k --store features/

The torch loop is written as captioners in torch are: beams in a batch, Python around the steps, words chosen by `topk`. It
projects the features once for an image, as ours does (with --projects-each-step at every step, as tutorials do), and stops by
the same rule, so that both give the same captions; how many of them are equal is printed. Rounds are interleaved; the ratio is
taken within each round. `cpu_ratio` is of the processor time of all threads: where other programs run, it says more than the
clock. Without --run the weights are random, with an end that comes after some words.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from caption_peers.torch_captioner import TorchCaptioner
from racing.load import ForeignLoad
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.decode import CaptionConfig, decode_captions
from seqnets.models.captioner import Captioner


def random_model(words: int, features: tuple[int, int, int], hidden: int) -> Captioner:
    vocabulary = WordVocabulary(tuple(f"word{i}" for i in range(words)))
    settings: dict[str, Any] = {"encoder": "features", "feature_map": features, "hidden_features": hidden}
    model = Captioner(vocabulary, embedding_features=hidden // 2, rngs=nnx.Rngs(0), **settings)
    graph, params = nnx.split(model)
    model = nnx.merge(graph, jax.tree.map(lambda leaf: 4.0 * leaf, params))
    bias = model.decoder.output.bias
    bias[...] = bias[...].at[vocabulary.end].add(3.0)  # captions of about a dozen words
    return model


def from_run(run: str, store: str, images: int) -> tuple[Captioner, np.ndarray]:
    from seqnets.data.features.store import FeatureStore
    from seqnets.run import load

    kept = FeatureStore.open(store)
    rows = np.arange(images) % len(kept)
    return load(run).model, np.asarray(kept.gather(rows), np.float32)


def measure(found: argparse.Namespace) -> dict[str, Any]:
    if found.run:
        model, features = from_run(found.run, found.store, found.images)
    else:
        model = random_model(found.words, tuple(found.feature_map), found.hidden)
        drawn = np.random.default_rng(0).standard_normal((found.images, *model.feature_map))
        features = np.maximum(drawn, 0).astype(np.float32)
    features = features.reshape(len(features), -1, features.shape[-1])
    config = CaptionConfig(beam=found.beam, min_length=found.min_length, max_length=found.max_length)
    peer, subset = TorchCaptioner(model, projects_each_step=found.projects_each_step), min(found.peer_images, found.images)
    stored = jnp.asarray(features)

    def ours() -> Any:
        return decode_captions(model, stored, config, batch=found.batch)

    def theirs() -> Any:
        return [peer.caption(torch.from_numpy(image), config) for image in features[:subset]]

    begin = time.perf_counter()
    captions = ours()
    first_call = time.perf_counter() - begin
    expected = theirs()
    alike = [(a[0], b) for a, b in zip(captions, expected) if a[0].tokens.tolist() == b[0]]
    gap = max((float(np.abs(a.attention - b[1].numpy()).max()) for a, b in alike), default=float("nan"))
    rounds, load = [], ForeignLoad([])
    for _ in range(found.rounds):
        rounds.append((_seconds(ours) / found.images, _seconds(theirs) / subset))
    (ours_s, ours_cpu), (torch_s, torch_cpu) = (np.median([each[who] for each in rounds], axis=0) for who in (0, 1))
    ratios = [b[0] / a[0] for a, b in rounds]
    return {
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "cpu_ratio": float(torch_cpu / ours_cpu),
        "ours_ms_per_image": float(1e3 * ours_s),
        "torch_ms_per_image": float(1e3 * torch_s),
        "ours_cpu_ms_per_image": float(1e3 * ours_cpu),
        "torch_cpu_ms_per_image": float(1e3 * torch_cpu),
        "equal_captions": f"{len(alike)} of {subset}",
        "attention_difference": gap,
        "words_per_caption": float(np.mean([len(c[0].tokens) for c in captions])),
        "images": found.images,
        "locations": features.shape[1],
        "features": features.shape[2],
        "hidden": model.config.hidden_features,
        "vocabulary": len(model.vocabulary),
        "first_call_s": first_call,
        "projects_each_step": found.projects_each_step,
        "foreign_load": load.share(),
    }


def _seconds(work: Any) -> np.ndarray:
    """Return the seconds of the clock and of the processor."""
    time.sleep(0.5)  # threads of the one that ran before spin a while
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - begin, time.process_time() - cpu])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--peer-images", type=int, default=100, help="images of the torch loop in a round")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--max-length", type=int, default=20)
    parser.add_argument("--min-length", type=int, default=8)
    parser.add_argument("--words", type=int, default=2500)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--feature-map", type=int, nargs=3, default=[13, 13, 512], metavar=("ROWS", "COLUMNS", "FEATURES"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument("--projects-each-step", action="store_true", help="project the features at every step, as tutorials do")
    parser.add_argument("--run", help="a trained captioner of stored features")
    parser.add_argument("--store", help="its features")
    parser.add_argument("--json", help="file for the row")
    found = parser.parse_args()
    torch.set_num_threads(found.threads)
    row = measure(found)
    for name, value in row.items():
        print(f"{name:22} {value:.4g}" if isinstance(value, float) else f"{name:22} {value}")
    if found.json:
        Path(found.json).write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What users run, once and small, in a process whose JAX computes in 64 bits by default; names a step that fails."""

import sys
import tempfile
import traceback
from pathlib import Path

import jax
import numpy as np
from flax import nnx

sys.path.insert(0, str(Path(__file__).parents[1]))
import seqnets as sn
from seqnets.decode import DynamicConfig, beam_search, dynamic_score, sample, score
from seqnets.decode.answers import answer_questions
from seqnets.decode.captions.decoding import decode_captions
from seqnets.decode.step_labels import label_sequences
from seqnets.decode.text_classes import classify_texts
from seqnets.decode.translation import translate
from tasks import test_sequence_tasks as tasks
from tasks.captioner import tiny_captioner


def text(cell: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fish.txt"
        path.write_text("one fish two fish red fish blue fish\n" * 40)
        corpus = sn.data.read_text(path)
    shape = {"hidden_features": 8, "embedding_features": 0 if cell == "gru" else 4}
    model = sn.CharLM(corpus.vocabulary, cell=cell, **shape, rngs=nnx.Rngs(0))
    run = sn.fit(sn.CharLMTask(model, corpus), sn.TrainConfig(steps=2, batch_size=2), progress=None)
    tokens = corpus.vocabulary.encode("red fish blue fish " * 8)
    assert score(run.model, tokens).nats > 0
    for rule in ("rms", "sgd"):
        assert dynamic_score(run.model, tokens, config=DynamicConfig(rule=rule)).nats > 0
    assert len(sample(run.model, prompt="red", length=20, key=jax.random.key(0))) >= 20
    beam_search(run.model, prompt="red", length=5)


def captions(**learning) -> None:
    model = tasks.fit(tiny_captioner.tiny_task(learning=learning), 2, batch_size=4).model
    for settings in ({"method": "beam", "beam": 2}, {"method": "greedy"}, {"method": "sample", "key": jax.random.key(0)}):
        decode_captions(model, tiny_captioner.pictures(2).images, max_length=5, **settings)


def sequences() -> None:
    classify_texts(tasks.fit(tasks.text_task(), 2).model, ["abc"])
    label_sequences(tasks.fit(tasks.tagger_task(), 2).model, [["a", "b"]])
    translate(tasks.fit(tasks.translator_task(), 2).model, ["abc"])


def questions() -> None:
    model = tasks.fit(tasks.vqa_task("additive"), 2).model
    answer_questions(model, np.full((8, 8, 3), 200, np.uint8), ["is it bright?"])


STEPS = {
    "text lstm": lambda: text("lstm"),
    "text gru": lambda: text("gru"),
    "text mingru": lambda: text("mingru"),
    "captions": captions,
    "captions rewarded": lambda: captions(self_critical_after=1),
    "captions from its own words": lambda: captions(scheduled_sampling=0.5),
    "sequences": sequences,
    "questions": questions,
}

if __name__ == "__main__":
    assert jax.config.jax_enable_x64
    failed = []
    for name in sys.argv[1:] or STEPS:
        try:
            STEPS[name]()
        except Exception:
            traceback.print_exc(limit=-3)
            failed.append(name)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)

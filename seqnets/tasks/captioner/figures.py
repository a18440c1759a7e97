"""The figures of a captioner in free-running validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.demo.scene_words import is_correct, named_things
from seqnets.data.examples.examples import Batch
from seqnets.decode.captions.decoding import decode_captions
from seqnets.decode.captions.hypothesis import Caption
from seqnets.decode.rows import map_examples
from seqnets.metrics.scorer import Scorer
from seqnets.metrics.tokenizer import words_for
from seqnets.ops.caption_loss import word_nats

IGNORED = 0.02  # nats per word: if the right image gains less than this over another one, the model ignores the image


@dataclass(frozen=True)
class CaptionJudge:
    """Captions the images of one split and compares the captions with the references.

    Args:
        images: the split.
        max_words: the most words in a caption.
        beam: width of the beam search; 1 is greedy.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data.words.vocabulary import WordVocabulary
        >>> from seqnets.models.captioner import Captioner
        >>> words = WordVocabulary(("a", "dog", "runs"))
        >>> model = Captioner(words, hidden_features=8, image_size=16, encoder_width=2, rngs=nnx.Rngs(0))
        >>> judge = CaptionJudge(CaptionedImages(np.zeros((2, 16, 16, 3), np.uint8), [["a dog"], ["a dog runs"]]), max_words=5)
        >>> sorted(judge.figures(model))
        ['BLEU-4', 'CIDEr', 'distinct', 'image_gain', 'nats']
    """

    images: CaptionedImages
    max_words: int
    beam: int = 1

    def figures(self, model: Any) -> dict[str, float]:
        """Return the figures of free-running captions, and the loss with the right image and with a wrong one.

        `CIDEr` and `BLEU-4`, over characters if the references are in a script without spaces; `distinct`, the share of
        captions that occur once; `nats` per word, given the previous words; `image_gain`, the increase of nats with the
        image of another caption. For scenes with known facts also `correct`, the share described exactly, and, with
        attention, `pointing` from `pointing_accuracy`.
        """
        found = self.captions(model)
        words = words_for(text for texts in self.images.captions for text in texts)
        references = Scorer(dict(enumerate(self.images.captions)), words=words)  # by place, since names are for people
        scores = references(dict(enumerate(caption.text for caption in found))).corpus
        distinct = len({caption.text for caption in found}) / len(found)
        nats, shuffled = self._nats(model, 0), self._nats(model, max(1, len(self.images) // 2))
        figures = {name: scores[name] for name in ("CIDEr", "BLEU-4")}
        figures |= {"distinct": distinct, "nats": nats, "image_gain": shuffled - nats}
        return figures | (scene_figures(found, self.images.claims) if len(self.images.claims) else {})

    def captions(self, model: Any) -> list[Caption]:
        """Return the best caption of every image."""
        method = "greedy" if self.beam == 1 else "beam"
        found = decode_captions(model, self.images.images, method=method, beam=self.beam, max_length=self.max_words)
        return [captions[0] for captions in found]

    def _nats(self, model: Any, shift: int) -> float:
        examples = self.images.examples(model.vocabulary, self.max_words, shift=shift)
        nats, words = map_examples(caption_nats, model, examples)
        return float(nats.sum(dtype=np.float64) / words.sum())


def caption_nats(model: Any, batch: Batch) -> tuple[Any, Any]:
    """Return -ln p(caption) and the number of words of each example, `(B,)` each."""
    targets, lengths = batch["targets"], batch["targets_lengths"]
    logits, _ = model(batch["image"], shifted(targets, model.vocabulary.begin), lengths=lengths)
    return jnp.sum(word_nats(logits, targets, lengths), axis=-1), lengths


def shifted(targets: Any, begin: int) -> Any:
    """Return the previous word of each word: `(B, T)` -> `(B, T)`, begin first.

    Example:
        >>> shifted(jnp.array([[5, 6, 2]]), begin=1).tolist()
        [[1, 5, 6]]
    """
    return jnp.concatenate([jnp.full_like(targets[:, :1], begin), targets[:, :-1]], axis=1)


def scene_figures(captions: Sequence[Caption], scenes: Sequence[Any]) -> dict[str, float]:
    """Return `correct`, the share of scenes described exactly, and `pointing` for models with attention."""
    correct = float(np.mean([is_correct(caption.text, scene.claim) for caption, scene in zip(captions, scenes)]))
    pointed = [hit for caption, scene in zip(captions, scenes) for hit in pointed_at(caption, scene)]
    return {"correct": correct} | ({"pointing": float(np.mean(pointed))} if captions[0].attention is not None and pointed else {})


def pointed_at(caption: Caption, scene: Any) -> list[bool]:
    """Return for each word that describes a thing (its size, color or shape) whether attention was highest on that thing.

    It is highest there if the location with the greatest weight, a cell of the grid over the image, overlaps the thing's box.
    """
    if caption.attention is None:
        return []
    named = named_things(list(caption.words), scene.claim)
    rows, columns = caption.maps.shape[1:]
    height, width = scene.image.shape[0] / rows, scene.image.shape[1] / columns
    hits = []
    for weights, thing in zip(caption.maps, named):
        if thing is not None:
            row, column = np.unravel_index(weights.argmax(), weights.shape)
            center = ((column + 0.5) * width, (row + 0.5) * height)
            hits.append(scene.boxes[thing].holds(*center, margin=max(height, width) / 2))
    return hits

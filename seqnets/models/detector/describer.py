"""A detector that describes its regions in words, with the captioner's decoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.models.captioner.captioner import Captioner
from seqnets.models.captioner.config import CaptionerConfig, preset
from seqnets.models.dense.encoder import FeatureEncoder
from seqnets.models.description import described, names, needed, stated
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.detections import Detected
from seqnets.models.detector.region_detector import Output, Proposals, RegionDetector
from seqnets.nn.chain import apply

RegionDescriberConfig = DetectorConfig  # by this name `seqnets.run` finds the settings of a kind


class RegionDescriber(RegionDetector):
    """A detector of two stages whose regions are read by a captioner.

    A captioner with attention looks at the cells of a region; one without gets what the head for classes and boxes computed
    from them, as a picture of one location.

    Args:
        config: the shape; `phrases` names the preset of the captioner.
        labels: the names of the classes.
        preprocessing: the rule for pictures, which gives all of them one size.
        vocabulary: the words of phrases.
        encoder: the encoder; one with random weights when None.
        joints: the names of the joints, where the settings want them.
        rngs: `params` is used.

    Example:
        >>> import jax.numpy as jnp
        >>> from seqnets.data.words.vocabulary import WordVocabulary
        >>> config = DetectorConfig(method="regions", phrases="sat-soft", width=2, keep=3, phrase_features=8)
        >>> rule = Preprocessing(resize=(32, 32), crop=None)
        >>> model = RegionDescriber(config, ("thing",), rule, WordVocabulary(("a", "dog")), rngs=nnx.Rngs(0))
        >>> jax.eval_shape(lambda: model.detect(model(jnp.zeros((1, 32, 32, 3))))).locations.shape
        (1, 3, 25, 8)

    References:
        Johnson, Karpathy and Fei-Fei, "DenseCap: fully convolutional localization networks for dense captioning", 2016.
    """

    def __init__(
        self,
        config: DetectorConfig,
        labels: Sequence[str],
        preprocessing: Preprocessing,
        vocabulary: TokenVocabulary,
        *,
        encoder: FeatureEncoder | None = None,
        joints: Sequence[str] = (),
        rngs: nnx.Rngs,
    ):
        super().__init__(config, labels, preprocessing, encoder=encoder, joints=joints, rngs=rngs)
        self.vocabulary, width = vocabulary, config.phrase_features
        shape = {"embedding_features": width, "hidden_features": width, **preset(config.phrases)["model"]}
        looks = shape["attention"] != "none"
        seen = (config.grid, config.grid, self.features) if looks else (1, 1, config.hidden_features)
        self.captioner = Captioner(vocabulary, CaptionerConfig(encoder="features", feature_map=seen, **shape), rngs=rngs)

    def locations(self, output: Output, boxes: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Return what the captioner reads of regions.

        Args:
            output: what the model returned.
            boxes: [B, R, 4], pixels.
            train: whether the model is being trained.
            key: for dropout.

        Returns:
            [B, R, L, D].
        """
        cells = self.region_features(output, boxes, train=train)
        if self.captioner.config.looks:
            return cells.reshape(*cells.shape[:2], -1, self.features)
        return apply(self.head.hidden, cells, train=train, key=key)

    def detect(self, output: Output, proposals: Proposals | None = None) -> Detected:
        """Return the surest detections of each picture, with what the captioner reads of them."""
        found = super().detect(output, proposals)
        return found._replace(locations=self.locations(output, found.boxes))

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        return {**super().describe(), "kind": "RegionDescriber"}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of classes or words: by name, the list that the axis follows, and the axis."""
        words = {f"captioner.{name}": place for name, place in self.captioner.labeled_axes().items()}
        return {**super().labeled_axes(), **words}


def from_description(description: Mapping[str, Any], vocabulary: TokenVocabulary | None) -> RegionDescriber:
    """Make the network that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json.
        vocabulary: the words of the run.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("RegionDescriber"):
        config = stated(description["config"], DetectorConfig())
        rule, labels = Preprocessing.from_json(description["preprocessing"]), names(description.get("labels"), "labels")
        words, joints = needed(vocabulary, TokenVocabulary), tuple(description.get("joints") or ())
        return RegionDescriber(config, labels, rule, words, joints=joints, rngs=nnx.Rngs(0))

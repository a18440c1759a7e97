"""VGG: torchvision and timm (which keeps the dense layers as convolutions); without batch norm also Keras and Caffe."""

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.weights.layout import same_layout
from seqnets.weights.naming import Naming, Rule, caffe, keras, rules
from seqnets.weights.published import CAFFE_VGG, KERAS_CAFFE, TORCHVISION

FEATURES = rules({"stage{s}.{i}": "features.{at}"})

# without norms every second layer is a convolution, and every stage but the first begins with a pooling
PLACES = {f"stage{s}.{2 * c - 2 + (s > 1)}": (s, c) for s in range(1, 6) for c in range(1, 5)}

NAMINGS = (
    Naming(
        "torchvision",
        (
            *FEATURES,
            Rule("fc6.2", "classifier.0", flattens="pool.1"),
            *rules({"fc7.1": "classifier.3", "logits": "classifier.6"}),
        ),
        preprocessing=TORCHVISION,
    ),
    Naming(
        "timm",
        (
            *FEATURES,
            Rule("fc6.2", "pre_logits.fc1", flattens="pool.1", convolution=True),
            Rule("fc7.1", "pre_logits.fc2", convolution=True),
            *rules({"logits": "head.fc"}),
        ),
    ),
    Naming(
        "hed",  # the trunk of an edge detector, without dense layers
        rules({ours: f"conv{s}_{c}" for ours, (s, c) in PLACES.items()}),
        leaves={"kernel": "kernel", "bias": "bias"},
        layout=same_layout,
        preprocessing=Preprocessing(
            resize=None, crop=None, channels="bgr", scale=1.0, mean=(104.00699, 116.66877, 122.67892), std=(1.0, 1.0, 1.0)
        ),
        auxiliary_heads=(*(f"dsn{s}" for s in range(1, 6)), "fuse"),
    ),
    keras(
        rules(
            {ours: f"block{s}_conv{c}" for ours, (s, c) in PLACES.items()}
            | {"fc6.2": "fc1", "fc7.1": "fc2", "logits": "predictions"}
        ),
        preprocessing=KERAS_CAFFE,
    ),
    caffe(
        (
            *rules({ours: f"conv{s}_{c}" for ours, (s, c) in PLACES.items()}),
            Rule("fc6.2", "fc6", flattens="pool.1"),
            *rules({"fc7.1": "fc7", "logits": "fc8"}),
        ),
        preprocessing=CAFFE_VGG,
    ),
)

"""The layers in which a network keeps textures, and things, where none are named."""

from typing import Any

from seqnets.models.cnn.network import ConvNet

_STYLE = {
    "vgg": ("stage1.1", "stage2.2", "stage3.2", "stage4.2", "stage5.2"),  # conv1_1 to conv5_1, after their ReLUs
    "squeezenet": ("stem", "stage1.2", "stage2.1", "stage2.2", "stage3.2"),
}
_CONTENT = {"vgg": "stage4.4", "squeezenet": "stage2.1"}  # conv4_2


def style_layers(model: Any) -> tuple[str, ...]:
    """Return the layers whose Gram matrices are compared: Gatys' for VGG, else all stages of maps but the last one.

    Example:
        >>> from seqnets.models import abstract_model
        >>> style_layers(abstract_model("resnet20"))
        ('stem', 'stage1', 'stage2')
    """
    if not isinstance(model, ConvNet):
        from seqnets.dream.random_filters import SIZES

        return tuple(f"size{size}" for size in SIZES)
    stages = _stages(model)
    return _STYLE.get(model.family or "", stages[:-1] or stages)


def content_layer(model: Any) -> str:
    """Return the layer whose features keep the content: a middle one.

    Example:
        >>> from seqnets.models import abstract_model
        >>> content_layer(abstract_model("vgg16")), content_layer(abstract_model("resnet50"))
        ('stage4.4', 'stage3')
    """
    if not isinstance(model, ConvNet):
        return "size5"
    stages = _stages(model)
    return _CONTENT.get(model.family or "", stages[len(stages) * 2 // 3])


def deepest_layer(model: ConvNet) -> str:
    """Return the last layer before the logits."""
    return model.feature_names[-2]


def _stages(model: ConvNet) -> tuple[str, ...]:
    return tuple(name for name in model.feature_names if name.startswith(("stem", "stage")))

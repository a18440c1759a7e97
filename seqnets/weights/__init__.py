"""Imports and exports other libraries' weights; nothing is skipped silently.

`load_weights` and `save_weights` move the weights of a network of `seqnets.models.create_model` between it and a file; the
folder `tables` holds the names of other libraries, one file per family:

========================  ==================================================================
AlexNet                   torchvision (2014), caffe (2012, and CaffeNet)
VGG, with batch norm too  torchvision, timm; without batch norm keras and caffe
GoogLeNet                 torchvision, auxiliary heads included
Inception v3              torchvision and timm, the auxiliary head included
Inception v4              timm
ResNet, wide, ResNeXt     torchvision, timm, huggingface (torch and Flax), keras, caffe; akamaster for those of CIFAR
DenseNet                  torchvision (old names as well), timm, keras
SqueezeNet                torchvision, caffe (the authors' model, also as .npz)
MobileNet                 torchvision (v2), timm and keras (v1 and v2)
========================  ==================================================================

All other networks keep their weights under our own names, which are the paths of their arrays: `stage1.0.conv1.kernel`.
Recurrent layers of torch, Flax and Keras are read and written by `torch_rnn`, `flax_rnn` and `keras_rnn`; whole character models
of TensorFlow 1 and ml5 are read by `tensorflow_rnn`.

Example:
    >>> import tempfile
    >>> from seqnets.models import create_model
    >>> from seqnets.weights import save_weights
    >>> model = create_model("lenet5")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/lenet.safetensors")
    ...     same = create_model("lenet5", weights=f"{folder}/lenet.safetensors")
    ...     other = create_model("lenet5", weights=f"{folder}/lenet.safetensors", classes=26, leave_out="logits")
    >>> bool((same.logits.kernel[...] == model.logits.kernel[...]).all()), other.logits.kernel.shape
    (True, (84, 26))
"""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.weights.convert import load_weights as load_weights
    from seqnets.weights.convert import save_weights as save_weights
    from seqnets.weights.cudnn import cudnn_weights as cudnn_weights
    from seqnets.weights.cudnn import load_cudnn_weights as load_cudnn_weights
    from seqnets.weights.flax_rnn import fill_flax_rnn as fill_flax_rnn
    from seqnets.weights.flax_rnn import load_flax_rnn as load_flax_rnn
    from seqnets.weights.flax_rnn import rnn_from_flax as rnn_from_flax
    from seqnets.weights.keras_rnn import keras_rnn_weights as keras_rnn_weights
    from seqnets.weights.keras_rnn import load_keras_rnn as load_keras_rnn
    from seqnets.weights.keras_rnn import rnn_from_keras as rnn_from_keras
    from seqnets.weights.tensorflow_rnn import char_lm_from_tensorflow as char_lm_from_tensorflow
    from seqnets.weights.tensorflow_rnn import read_ml5 as read_ml5
    from seqnets.weights.torch_rnn import load_torch_rnn as load_torch_rnn
    from seqnets.weights.torch_rnn import rnn_from_torch as rnn_from_torch
    from seqnets.weights.torch_rnn import torch_rnn_state_dict as torch_rnn_state_dict

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "convert": ["load_weights", "save_weights"],
            "cudnn": ["cudnn_weights", "load_cudnn_weights"],
            "flax_rnn": ["fill_flax_rnn", "load_flax_rnn", "rnn_from_flax"],
            "keras_rnn": ["keras_rnn_weights", "load_keras_rnn", "rnn_from_keras"],
            "tensorflow_rnn": ["char_lm_from_tensorflow", "read_ml5"],
            "torch_rnn": ["load_torch_rnn", "rnn_from_torch", "torch_rnn_state_dict"],
        },
    )

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.cli.summary import main
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.registry import abstract_model, model_names
from seqnets.models.summary import _rows, _trace_layers, summarize
from seqnets.models.summary_table import format_summary
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.dense import Dense
from seqnets.nn.pool import AveragePool, GlobalAveragePool, MaxPool
from seqnets.ops.geometry import receptive_field

VGG16 = {  # Stanford's CS231n table of activations and of the memory they take
    "stage1.0": ((224, 224, 64), 1_792, 86_704_128),
    "stage3.5": ((56, 56, 256), 590_080, 1_849_688_064),
    "stage5.5": ((14, 14, 512), 2_359_808, 462_422_016),
    "fc6.2": ((4096,), 102_764_544, 102_760_448),
    "logits": ((1000,), 4_097_000, 4_096_000),
}


@pytest.fixture(scope="module")
def vgg16():
    return summarize(abstract_model("vgg16"), (224, 224, 3), name="vgg16", optimizer="adam", batch=2)


def test_vgg16_is_as_published(vgg16):
    rows = {row.name: (row.output_shape, row.parameters, row.multiply_adds) for row in vgg16.layers}
    assert {name: rows[name] for name in VGG16} == VGG16
    assert vgg16.parameters == sum(row.parameters for row in vgg16.layers) == 138_357_544
    assert vgg16.multiply_adds == 15_470_264_320
    assert vgg16.activations == 15_087_080  # CS231n's 15.2 M less the 150,528 pixels of the image


def test_vgg16_sees_what_the_formula_says(vgg16):
    stack, expected = [], []
    for depth in (2, 2, 3, 3, 3):
        for layer in [(3, 1)] * depth + [(2, 2)]:
            stack.append(layer)
            expected.append((receptive_field(stack),) * 2)
    assert [row.receptive_field for row in vgg16.layers] == expected + [None] * 3


def test_training_memory_is_parameters_slots_and_activations(vgg16):
    training = vgg16.training
    assert training.parameter_bytes == training.gradient_bytes == 4 * 138_357_544
    assert training.optimizer_bytes == 2 * 4 * 138_357_544
    # for each of two images: the inputs of all layers with kernels but the first, in float32; of every ReLU, and of three of the
    # four places under each position of a pooling, one byte that says who passes the gradient on
    convolved, before_pooling, pooled, dense = 13_555_712, 6_121_472, 1_530_368, 2 * 4096
    inputs = convolved - before_pooling + pooled + dense
    assert training.activation_bytes == 2 * (4 * inputs + (convolved + dense) + 3 * pooled)
    assert training.total_bytes == sum(
        (training.parameter_bytes, training.gradient_bytes, training.optimizer_bytes, training.activation_bytes)
    )
    assert vgg16.inference.activation_bytes >= 2 * 4 * 2 * 224 * 224 * 64


@pytest.mark.parametrize(
    ("name", "size", "multiply_adds", "sees"),
    [
        ("alexnet", 224, 714_188_480, 195),  # torchvision: 0.71 G; Araujo et al. 2019: 195
        ("mobilenet_v1", 224, 568_740_352, 315),  # Howard et al. 2017: 569 M; Araujo et al.: 315
        ("inception_v3", 299, 5_713_216_096, 1311),  # torchvision: 5.71 G; Araujo et al.: 1311
        # torchvision: 4.09 G; 11 + 3 * 8 + (8 + 3 * 16) + (16 + 5 * 32) + (32 + 2 * 64), the stride in the 3 x 3
        ("resnet50", 224, 4_089_184_256, 427),
    ],
)
def test_published_multiply_adds_and_receptive_fields(name, size, multiply_adds, sees):
    layers, _ = _trace_layers(*nnx.split(abstract_model(name)), (size, size, 3))
    rows = _rows(layers)
    assert sum(row.multiply_adds for row in rows) == multiply_adds
    heights, widths = zip(*[row.receptive_field for row in rows if row.receptive_field])
    assert (max(heights), max(widths)) == (sees, sees)


def tiny(rngs):
    stages = {
        "stage1": Chain([Conv(1, 2, (3, 1), stride=(2, 1), rngs=rngs), jax.nn.relu]),
        "stage2": Chain([MaxPool(2), Conv(2, 3, 3, dilation=2, padding=2, rngs=rngs)]),
        "logits": Chain([GlobalAveragePool(), Dense(3, 2, rngs=rngs)]),
    }
    return ConvNet(stages, in_channels=1)


def test_the_receptive_field_is_where_gradients_come_from():
    rows = {row.name: row.receptive_field for row in summarize(tiny(nnx.Rngs(0)), (64, 32, 1)).layers}

    @jax.jit
    def gradient(image):
        model = tiny(nnx.Rngs(0))
        model.stage2[0] = AveragePool(2)  # lets every pixel of its window through, as the maximum does not
        return jax.grad(lambda x: model.stage2(model.stage1[0](x))[0, 7, 8].sum())(image)

    used = np.argwhere(gradient(jnp.ones((1, 64, 32, 1)))[0, :, :, 0])
    assert rows["stage2.1"] == tuple(used.max(0) - used.min(0) + 1)
    assert rows["stage1.0"] == (3, 1)
    assert rows["stage2.0"] == (5, 2)
    assert rows["logits.1"] is None


def test_kept_activations_are_what_the_backward_pass_reads():
    rngs = nnx.Rngs(0)
    model = ConvNet({"stage1": Chain([Conv(3, 4, 1, rngs=rngs), jax.nn.relu]), "pool": GlobalAveragePool(),
                     "logits": Dense(4, 5, rngs=rngs)})  # fmt: skip
    kept = summarize(model, (8, 8, 3)).training.activation_bytes
    sign_of_relu, pooled = 8 * 8 * 4, 4 * 4
    assert kept == sign_of_relu + pooled  # the images were given, and are not counted


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [("sgd", 1), ("nesterov", 1), ("adagrad", 1), ("rmsprop", 2), ("adam", 2), ("adamw", 2), ("lamb", 2), ("lion", 1)],
)
def test_optimizer_slots(optimizer, slots):
    training = summarize(tiny(nnx.Rngs(0)), (15, 8, 1), optimizer=optimizer).training
    assert training.optimizer_slots == slots


def test_a_layer_called_twice_is_listed_twice_and_counted_once():
    layer = Conv(3, 3, 1, rngs=nnx.Rngs(0))

    class Twice(nnx.Module):
        def __init__(self):
            self.layer = layer

        def __call__(self, x, *, train=False, key=None):
            return {"logits": self.layer(self.layer(x))}

    summary = summarize(Twice(), (4, 4, 3))
    assert [row.parameters for row in summary.layers] == [12, 0]
    assert summary.multiply_adds == 2 * 16 * 9


def test_tracing_leaves_the_layers_as_they_were():
    before = Conv.__call__
    summarize(tiny(nnx.Rngs(0)), (15, 8, 1))
    assert Conv.__call__ is before


def test_running_statistics_are_no_parameters():
    summary = summarize(abstract_model("resnet20"), (32, 32, 3))
    assert summary.parameters == 269_722
    assert summary.statistics == 2 * (7 * 16 + 6 * 32 + 6 * 64)
    assert 40_500_000 < summary.multiply_adds < 41_000_000  # akamaster's README: 40.6 M


def test_the_text_holds_the_figures(vgg16):
    text = format_summary(vgg16)
    for figure in ("138,357,544", "15,470,264,320", "224x224x64", "training, batch 2, adam"):
        assert figure in text
    assert "…" not in text


def test_the_command_prints_json(capsys):
    assert main(["lenet5", "--input", "28x28x1", "--json", "--optimizer", "adam"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["parameters"] == 61_706
    assert [row["name"] for row in table["layers"]][-1] == "logits"
    assert table["training"]["optimizer"] == "adam"


def test_the_command_lists_the_networks(capsys):
    assert main(["--list"]) == 0
    assert capsys.readouterr().out.split() == model_names()


def test_the_command_prints_a_table(capsys):
    assert main(["lenet5", "--dtype", "bfloat16"]) == 0
    assert "61,706" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vgg17"], "did you mean vgg"),
        ([], "name a network"),
        (["lenet5", "--input", "28x28"], "--input must be HEIGHTxWIDTHxCHANNELS"),
        (["lenet5", "--input", "0x28x1"], "--input must be"),
        (["lenet5", "--input", "28x28x1", "--optimizer", "adm"], "optimizer 'adm' is unknown"),
        (["lenet5", "--input", "4x4x1"], r"\(.*\)/\d \+ 1 = .* is impossible"),
    ],
)
def test_misuse_is_one_sentence(words, message):
    with pytest.raises(UserError, match=message):
        main(words)


@pytest.mark.parametrize(("network", "shape"), [
    *(pytest.param(f"inception_v{k}", [299, 299, 3], marks=pytest.mark.slow) for k in (3, 4)),
    ("resnet20", [32, 32, 3]), ("resnet50", [224, 224, 3]), ("lenet5", [28, 28, 1]), ("fractalnet20", [32, 32, 3]),
])  # fmt: skip
def test_the_command_counts_at_the_size_that_a_network_was_made_for(network, shape, capsys):
    assert main([network, "--json"]) == 0
    by_default = json.loads(capsys.readouterr().out)
    assert main([network, "--json", "--input", "x".join(map(str, shape))]) == 0
    assert json.loads(capsys.readouterr().out) == by_default


def test_no_column_is_cut_when_the_table_is_piped(capsys):
    assert main(["inception_v3"]) == 0
    text = capsys.readouterr().out
    assert "23,834,568" in text  # torchvision's count, without the auxiliary head
    assert "…" not in text
    assert "..." not in text

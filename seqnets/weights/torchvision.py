"""The weights that torchvision publishes for our networks: a table of its files, and how to get one.

The names of the files end in the first eight digits of their SHA-256. `vgg16_features-amdegroot-88682ab5` is left out: it has no
classifier. All were trained on ImageNet's 1,000 classes (`seqnets.data.images.labels.imagenet_classes`).

References:
    torchvision/models/*.py of torchvision 0.29.1, BSD 3-Clause.
"""

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.downloads import fetch
from seqnets.errors import UserError
from seqnets.places import cache_folder

TORCHVISION, TORCHVISION_V2 = Preprocessing(), Preprocessing(resize=232)
# torchvision converts from ImageNet's mean to these inside its two Inception networks
TORCHVISION_INCEPTION_V1 = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)
TORCHVISION_INCEPTION_V3 = replace(TORCHVISION_INCEPTION_V1, resize=342, crop=(299, 299))

ADDRESS = "https://download.pytorch.org/models"
LATEST = "torchvision"  # the latest set of a network, which is torchvision's own default
SETS = (LATEST, "torchvision-v1", "torchvision-v2")


class Published(NamedTuple):
    """A file of weights.

    Attributes:
        network: our name of the network, which is torchvision's as well.
        version: v1, or v2 for those of torchvision's newer way to train.
        file: its name without .pth.
        mebibytes: its size.
        preprocessing: what it expects.
    """

    network: str
    version: str
    file: str
    mebibytes: float
    preprocessing: Preprocessing

    @property
    def address(self) -> str:
        """Where it is published."""
        return f"{ADDRESS}/{self.file}.pth"

    @property
    def digest(self) -> str:
        """The beginning of its SHA-256."""
        return self.file.rpartition("-")[2]

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return cache_folder("weights") / f"{self.file}.pth"


PUBLISHED = (
    Published("alexnet", "v1", "alexnet-owt-7be5be79", 233.087, TORCHVISION),
    Published("vgg11", "v1", "vgg11-8a719046", 506.84, TORCHVISION),
    Published("vgg11_bn", "v1", "vgg11_bn-6002323d", 506.881, TORCHVISION),
    Published("vgg13", "v1", "vgg13-19584684", 507.545, TORCHVISION),
    Published("vgg13_bn", "v1", "vgg13_bn-abd245e5", 507.59, TORCHVISION),
    Published("vgg16", "v1", "vgg16-397923af", 527.796, TORCHVISION),
    Published("vgg16_bn", "v1", "vgg16_bn-6c64b313", 527.866, TORCHVISION),
    Published("vgg19", "v1", "vgg19-dcbb9e9d", 548.051, TORCHVISION),
    Published("vgg19_bn", "v1", "vgg19_bn-c79401a0", 548.143, TORCHVISION),
    Published("googlenet", "v1", "googlenet-1378be20", 49.731, TORCHVISION_INCEPTION_V1),
    Published("inception_v3", "v1", "inception_v3_google-0cc3c7bd", 103.903, TORCHVISION_INCEPTION_V3),
    Published("resnet18", "v1", "resnet18-f37072fd", 44.661, TORCHVISION),
    Published("resnet34", "v1", "resnet34-b627a593", 83.275, TORCHVISION),
    Published("resnet50", "v1", "resnet50-0676ba61", 97.781, TORCHVISION),
    Published("resnet50", "v2", "resnet50-11ad3fa6", 97.79, TORCHVISION_V2),
    Published("resnet101", "v1", "resnet101-63fe2227", 170.511, TORCHVISION),
    Published("resnet101", "v2", "resnet101-cd907fc2", 170.53, TORCHVISION_V2),
    Published("resnet152", "v1", "resnet152-394f9c45", 230.434, TORCHVISION),
    Published("resnet152", "v2", "resnet152-f82ba261", 230.474, TORCHVISION_V2),
    Published("resnext50_32x4d", "v1", "resnext50_32x4d-7cdf4587", 95.789, TORCHVISION),
    Published("resnext50_32x4d", "v2", "resnext50_32x4d-1a0047aa", 95.833, TORCHVISION_V2),
    Published("resnext101_32x8d", "v1", "resnext101_32x8d-8ba56ff5", 339.586, TORCHVISION),
    Published("resnext101_32x8d", "v2", "resnext101_32x8d-110c445d", 339.673, TORCHVISION_V2),
    Published("resnext101_64x4d", "v1", "resnext101_64x4d-173b62eb", 319.318, TORCHVISION_V2),
    Published("wide_resnet50_2", "v1", "wide_resnet50_2-95faca4d", 131.82, TORCHVISION),
    Published("wide_resnet50_2", "v2", "wide_resnet50_2-9ba9bcbe", 263.124, TORCHVISION_V2),
    Published("wide_resnet101_2", "v1", "wide_resnet101_2-32ee1156", 242.896, TORCHVISION),
    Published("wide_resnet101_2", "v2", "wide_resnet101_2-d733dc28", 484.747, TORCHVISION_V2),
    Published("densenet121", "v1", "densenet121-a639ec97", 30.845, TORCHVISION),
    Published("densenet161", "v1", "densenet161-8d451a50", 110.369, TORCHVISION),
    Published("densenet169", "v1", "densenet169-b2777c0a", 54.708, TORCHVISION),
    Published("densenet201", "v1", "densenet201-c1103571", 77.373, TORCHVISION),
    Published("squeezenet1_0", "v1", "squeezenet1_0-b66bff10", 4.778, TORCHVISION),
    Published("squeezenet1_1", "v1", "squeezenet1_1-b8a52dc0", 4.729, TORCHVISION),
    Published("mobilenet_v2", "v1", "mobilenet_v2-b0353104", 13.555, TORCHVISION),
    Published("mobilenet_v2", "v2", "mobilenet_v2-7ebf99e0", 13.598, TORCHVISION_V2),
)


def published(network: str, weights: str = LATEST) -> Published:
    """Return the entry of a network's weights.

    Args:
        network: the network.
        weights: one of `SETS`.

    Raises:
        UserError: torchvision publishes no such weights.

    Example:
        >>> published("resnet50").file, published("resnet50", "torchvision-v1").file
        ('resnet50-11ad3fa6', 'resnet50-0676ba61')
    """
    found = [entry for entry in PUBLISHED if entry.network == network]
    if not found:
        close = get_close_matches(network, dict.fromkeys(entry.network for entry in PUBLISHED), n=3, cutoff=0.75)
        others = f"it does for {', '.join(close)}" if close else "`seqnets download --list` shows for which it does"
        raise UserError(f"torchvision publishes no weights for {network!r} ({others}); give a file of weights")
    chosen = [entry for entry in found if weights in (LATEST, f"{LATEST}-{entry.version}")]
    if not chosen:
        known = ", ".join(f"{LATEST}-{entry.version}" for entry in found)
        raise UserError(f"torchvision publishes no weights {weights!r} for {network!r}; there are {known}")
    return chosen[-1]


def is_published(network: str) -> bool:
    """Return whether torchvision publishes weights for a network.

    Example:
        >>> is_published("resnet50"), is_published("resnet20")
        (True, False)
    """
    return any(entry.network == network for entry in PUBLISHED)


def fetch_published(entry: Published) -> Path:
    """Return the file of an entry, downloaded if the cache does not have it, and checked.

    Raises:
        UserError: it cannot be downloaded; the message says where to put it by hand.
    """
    return fetch(entry.address, f"sha256:{entry.digest}", entry.path)

"""GoogLeNet and Inception v3 in torch with torchvision's names, Inception v4 with timm's; all widths divided by a number."""

import torch
from torch import nn
from torch.nn import functional as F

DIVISOR = 8


def w(width):
    return max(4, width // DIVISOR)


class Conv(nn.Module):
    """`size` is one number or (height, width); `same` keeps the size."""

    def __init__(self, before, after, size=1, stride=1, *, same=True):
        super().__init__()
        size = (size, size) if isinstance(size, int) else size
        self.conv = nn.Conv2d(before, after, size, stride, tuple(s // 2 for s in size) if same else 0, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)
        self.out = after

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


def chain(before, *rows):
    """Make convolutions of (width, size, stride, same) one after the other."""
    layers = []
    for row in rows:
        width, size, stride, same = (*row, *(1, 1, True)[len(row) - 1 :])
        layers.append(Conv(before, w(width), size, stride, same=same))
        before = w(width)
    return layers


class GoogLeNetModule(nn.Module):
    def __init__(self, before, one, reduce3, three, reduce5, five, pool):
        super().__init__()
        self.branch1 = Conv(before, w(one))
        self.branch2 = nn.Sequential(*chain(before, (reduce3,), (three, 3)))
        self.branch3 = nn.Sequential(*chain(before, (reduce5,), (five, 3)))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), Conv(before, w(pool)))
        self.out = w(one) + w(three) + w(five) + w(pool)

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNetAux(nn.Module):
    def __init__(self, before, classes):
        super().__init__()
        self.conv, self.fc1, self.fc2 = Conv(before, 128), nn.Linear(2048, 1024), nn.Linear(1024, classes)

    def forward(self, x):
        x = torch.flatten(self.conv(F.adaptive_avg_pool2d(x, 4)), 1)
        return self.fc2(F.relu(self.fc1(x)))


GOOGLENET = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = Conv(3, w(64), 7, 2), Conv(w(64), w(64)), Conv(w(64), w(192), 3)
        before, outs = w(192), {}
        for name, widths in GOOGLENET.items():
            setattr(self, f"inception{name}", GoogLeNetModule(before, *widths))
            before = outs[name] = getattr(self, f"inception{name}").out
        self.aux1, self.aux2 = GoogLeNetAux(outs["4a"], classes), GoogLeNetAux(outs["4d"], classes)
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        def modules(x, names):
            for name in names:
                x = getattr(self, f"inception{name}")(x)
            return x

        x = F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)
        features = {"stem": self.conv3(self.conv2(x))}
        x = F.max_pool2d(features["stem"], 3, 2, ceil_mode=True)
        features["stage1"] = x = modules(x, ("3a", "3b"))
        features["stage2"] = x = modules(F.max_pool2d(x, 3, 2, ceil_mode=True), ("4a",))
        features["stage3"] = x = modules(x, ("4b", "4c", "4d"))
        features["stage4"] = x = modules(x, ("4e",))
        features["stage5"] = x = modules(F.max_pool2d(x, 2, 2, ceil_mode=True), ("5a", "5b"))
        features["pool"] = x = x.mean((2, 3))
        return features | {"logits": self.fc(x)}


class Module(nn.Module):
    """Branches of convolutions named `prefix_1`, `prefix_2`, ..., or `prefix` alone where there is one.

    A last row that is a list forks: its convolutions stand side by side, with `a` and `b` behind their number.
    """

    def __init__(self, before, branches, pool, first=1, alone=False):
        super().__init__()
        self.plan, self.pool, self.out = [], pool, 0
        for prefix, rows in branches.items():
            names, channels = [], before
            for number, row in enumerate(rows, first):
                sides = row if isinstance(row, list) else [row]
                letters = "ab" if isinstance(row, list) else [""]
                single = len(rows) == 1 and not isinstance(row, list)
                step = []
                for letter, side in zip(letters, sides):
                    name = prefix if single else f"{prefix}_{number}{letter}"
                    self.add_module(name, chain(channels, side)[0])
                    step.append(name)
                names.append(step)
                channels = sum(getattr(self, name).out for name in step)
            self.plan.append((prefix, names))
            self.out += channels
        self.out += before * (pool == "max")

    def forward(self, x):
        outputs = []
        for prefix, names in self.plan:
            y = x
            if prefix == "branch_pool":
                y = F.avg_pool2d(x, 3, 1, 1)
            for step in names:
                y = torch.cat([getattr(self, name)(y) for name in step], 1)
            outputs.append(y)
        return torch.cat([*outputs, *([F.max_pool2d(x, 3, 2)] if self.pool == "max" else [])], 1)


def a(pool):
    dbl = [(64,), (96, 3), (96, 3)]
    return {"branch1x1": [(64,)], "branch5x5": [(48,), (64, 5)], "branch3x3dbl": dbl, "branch_pool": [(pool,)]}


def c(n):
    seven = [(n,), (n, (1, 7)), (192, (7, 1))]
    dbl = [(n,), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))]
    return {"branch1x1": [(192,)], "branch7x7": seven, "branch7x7dbl": dbl, "branch_pool": [(192,)]}


B = {"branch3x3": [(384, 3, 2, False)], "branch3x3dbl": [(64,), (96, 3), (96, 3, 2, False)]}
D = {
    "branch3x3": [(192,), (320, 3, 2, False)],
    "branch7x7x3": [(192,), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, False)],
}
FORK = [(384, (1, 3)), (384, (3, 1))]
E = {
    "branch1x1": [(320,)],
    "branch3x3": [(384,), FORK],
    "branch3x3dbl": [(448,), (384, 3), FORK],
    "branch_pool": [(192,)],
}
V3 = {
    "5b": (a(32), ""),
    "5c": (a(64), ""),
    "5d": (a(64), ""),
    "6a": (B, "max"),
    "6b": (c(128), ""),
    "6c": (c(160), ""),
    "6d": (c(160), ""),
    "6e": (c(192), ""),
    "7a": (D, "max"),
    "7b": (E, ""),
    "7c": (E, ""),
}


class InceptionAux(nn.Module):
    def __init__(self, before, classes):
        super().__init__()
        self.conv0, self.conv1, self.fc = Conv(before, 128), Conv(128, 768, 5, same=False), nn.Linear(768, classes)

    def forward(self, x):
        return self.fc(self.conv1(self.conv0(F.avg_pool2d(x, 5, 3))).mean((2, 3)))


class InceptionV3(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, w(32), 3, 2, same=False)
        self.Conv2d_2a_3x3 = Conv(w(32), w(32), 3, same=False)
        self.Conv2d_2b_3x3 = Conv(w(32), w(64), 3)
        self.Conv2d_3b_1x1 = Conv(w(64), w(80))
        self.Conv2d_4a_3x3 = Conv(w(80), w(192), 3, same=False)
        before = w(192)
        for name, (branches, pool) in V3.items():
            if name == "7a":
                self.AuxLogits = InceptionAux(before, classes)
            module = Module(before, branches, pool)
            setattr(self, f"Mixed_{name}", module)
            before = module.out
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        features = {"stem": F.max_pool2d(x, 3, 2)}
        x = features["stem"]
        ends = {"5d": "stage1", "6e": "stage2", "7c": "stage3"}
        for name in V3:
            x = getattr(self, f"Mixed_{name}")(x)
            if name in ends:
                features[ends[name]] = x
        features["pool"] = x = x.mean((2, 3))
        return features | {"logits": self.fc(x)}


class Pool4(nn.Module):
    """A 3 x 3 maximum with stride 2 beside one convolution: modules 3a and 5a of v4."""

    def __init__(self, before, width, *, pool_first):
        super().__init__()
        self.conv = Conv(before, w(width), 3, 2, same=False)
        self.pool_first, self.out = pool_first, before + w(width)

    def forward(self, x):
        parts = [F.max_pool2d(x, 3, 2), self.conv(x)]
        return torch.cat(parts if self.pool_first else parts[::-1], 1)


class Sequences(nn.Module):
    """Branches that are an `nn.Sequential`, or one convolution where `single` says so."""

    def __init__(self, before, rows, *, pool="", single=()):
        super().__init__()
        self.names, self.max, self.out = [], pool == "max", before * (pool == "max")
        for number, branch in enumerate(rows):
            layers = chain(before, *branch)
            smooth = [nn.AvgPool2d(3, 1, 1, count_include_pad=False)] if pool == "average" and number == 3 else []
            made = layers[0] if number in single else nn.Sequential(*smooth, *layers)
            self.add_module(f"branch{number}", made)
            self.names.append(f"branch{number}")
            self.out += layers[-1].out

    def forward(self, x):
        outputs = [getattr(self, name)(x) for name in self.names]
        return torch.cat([*outputs, *([F.max_pool2d(x, 3, 2)] if self.max else [])], 1)


class ForkedV4(nn.Module):
    def __init__(self, before):
        super().__init__()
        self.branch0, self.branch1_0 = Conv(before, w(256)), Conv(before, w(384))
        self.branch1_1a, self.branch1_1b = Conv(w(384), w(256), (1, 3)), Conv(w(384), w(256), (3, 1))
        self.branch2_0, self.branch2_1 = Conv(before, w(384)), Conv(w(384), w(448), (3, 1))
        self.branch2_2 = Conv(w(448), w(512), (1, 3))
        self.branch2_3a, self.branch2_3b = Conv(w(512), w(256), (1, 3)), Conv(w(512), w(256), (3, 1))
        self.branch3 = nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), Conv(before, w(256)))
        self.out = 6 * w(256)

    def forward(self, x):
        one = self.branch1_0(x)
        two = self.branch2_2(self.branch2_1(self.branch2_0(x)))
        parts = [self.branch0(x), self.branch1_1a(one), self.branch1_1b(one)]
        return torch.cat([*parts, self.branch2_3a(two), self.branch2_3b(two), self.branch3(x)], 1)


A4 = [[(96,)], [(64,), (96, 3)], [(64,), (96, 3), (96, 3)], [(96,)]]
B4 = [
    [(384,)],
    [(192,), (224, (1, 7)), (256, (7, 1))],
    [(192,), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))],
    [(128,)],
]
STEM_4A = [[(64,), (96, 3, 1, False)], [(64,), (64, (1, 7)), (64, (7, 1)), (96, 3, 1, False)]]
REDUCTION_A = [[(384, 3, 2, False)], [(192,), (224, 3), (256, 3, 2, False)]]
REDUCTION_B = [[(192,), (192, 3, 2, False)], [(256,), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, False)]]


class InceptionV4(nn.Module):
    def __init__(self, classes):
        super().__init__()
        layers = chain(3, (32, 3, 2, False), (32, 3, 1, False), (64, 3))

        def add(make, times=1):
            for _ in range(times):
                layers.append(make(layers[-1].out))

        add(lambda n: Pool4(n, 96, pool_first=True))
        add(lambda n: Sequences(n, STEM_4A))
        add(lambda n: Pool4(n, 192, pool_first=False))
        add(lambda n: Sequences(n, A4, pool="average", single=(0,)), 4)
        add(lambda n: Sequences(n, REDUCTION_A, pool="max", single=(0,)))
        add(lambda n: Sequences(n, B4, pool="average", single=(0,)), 7)
        add(lambda n: Sequences(n, REDUCTION_B, pool="max"))
        add(ForkedV4, 3)
        self.features = nn.Sequential(*layers)
        self.last_linear = nn.Linear(layers[-1].out, classes)

    def forward(self, x):
        ends, features = {5: "stem", 9: "stage1", 17: "stage2", 21: "stage3"}, {}
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in ends:
                features[ends[number]] = x
        features["pool"] = x = x.mean((2, 3))
        return features | {"logits": self.last_linear(x)}

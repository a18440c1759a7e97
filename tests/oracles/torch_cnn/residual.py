"""ResNets in torch: torchvision's names, and those of the CIFAR networks by akamaster."""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, before, kernels, channels, strides, groups, project):
        super().__init__()
        sizes = [before, *channels]
        self.depth = len(channels)
        for n in range(self.depth):
            k, grouped = kernels[n], groups if kernels[n] == 3 else 1
            conv = nn.Conv2d(sizes[n], sizes[n + 1], k, strides[n], k // 2, groups=grouped, bias=False)
            setattr(self, f"conv{n + 1}", conv)
            setattr(self, f"bn{n + 1}", nn.BatchNorm2d(sizes[n + 1]))
        self.stride, self.padded = max(strides), channels[-1] - before
        changes = self.stride > 1 or before != channels[-1]
        self.downsample = None
        if changes and project:
            conv = nn.Conv2d(before, channels[-1], 1, self.stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(channels[-1]))

    def way_around(self, x):
        if self.downsample is not None:
            return self.downsample(x)
        if self.padded:
            return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padded // 2, self.padded // 2))
        return x

    def forward(self, x):
        y = x
        for n in range(1, self.depth + 1):
            y = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(y))
            y = y if n == self.depth else F.relu(y)
        return F.relu(y + self.way_around(x))


class ResNet(nn.Module):
    def __init__(self, depths, features, classes, *, bottleneck=False, groups=1, group_width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, features, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(features)
        before = features
        for s, depth in enumerate(depths):
            width, blocks = features * 2**s, []
            for b in range(depth):
                stride = 2 if s and not b else 1
                if bottleneck:
                    inner = int(width * (group_width / 64)) * groups
                    blocks.append(Block(before, (1, 3, 1), (inner, inner, 4 * width), (1, stride, 1), groups, True))
                    before = 4 * width
                else:
                    blocks.append(Block(before, (3, 3), (width, width), (stride, 1), 1, True))
                    before = width
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.stages = len(depths)
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        features = {"stem": x}
        for s in range(1, self.stages + 1):
            features[f"stage{s}"] = x = getattr(self, f"layer{s}")(x)
        features["pool"] = x = x.mean((2, 3))
        return features | {"logits": self.fc(x)}


class CifarResNet(nn.Module):
    def __init__(self, blocks=3, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for s, width in enumerate((16, 32, 64)):
            strides = [2 if s else 1] + [1] * (blocks - 1)
            layers = [Block(before if n == 0 else width, (3, 3), (width, width), (t, 1), 1, False) for n, t in enumerate(strides)]
            setattr(self, f"layer{s + 1}", nn.Sequential(*layers))
            before = width
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        features = {"stem": F.relu(self.bn1(self.conv1(x)))}
        x = features["stem"]
        for s in (1, 2, 3):
            features[f"stage{s}"] = x = getattr(self, f"layer{s}")(x)
        features["pool"] = x = torch.flatten(F.avg_pool2d(x, x.shape[-1]), 1)
        return features | {"logits": self.linear(x)}

"""AlexNet, VGG and SqueezeNet in torch, with torchvision's names, and VGG with timm's."""

import torch
from torch import nn
from torch.nn import functional as F


def run(layers, x, ends):
    """Apply the layers of an `nn.Sequential` and keep what comes out of some, by number: name."""
    kept = {}
    for number, layer in enumerate(layers):
        x = layer(x)
        if number in ends:
            kept[ends[number]] = x
    return x, kept


def relu():
    return nn.ReLU()


class AlexNet(nn.Module):
    def __init__(self, channels, hidden, classes):
        super().__init__()
        a, b, c, d, e = channels
        self.features = nn.Sequential(
            *(nn.Conv2d(3, a, 11, 4, 2), relu(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(a, b, 5, 1, 2), relu(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(b, c, 3, 1, 1), relu(), nn.Conv2d(c, d, 3, 1, 1), relu(), nn.Conv2d(d, e, 3, 1, 1), relu()),
            nn.MaxPool2d(3, 2),
        )
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(e * 36, hidden), relu()),
            *(nn.Dropout(), nn.Linear(hidden, hidden), relu()),
            nn.Linear(hidden, classes),
        )

    def forward(self, x):
        x, features = run(self.features, x, {1: "stem", 4: "stage1", 11: "stage2"})
        features["pool"] = x = F.adaptive_avg_pool2d(x, 6)
        x, dense = run(self.classifier, torch.flatten(x, 1), {2: "fc6", 5: "fc7", 6: "logits"})
        return features | dense


class Vgg(nn.Module):
    def __init__(self, depths, channels, grid, hidden, classes, *, normalize=False):
        super().__init__()
        layers, before, self.ends = [], 3, {}
        for s, (depth, width) in enumerate(zip(depths, channels), 1):
            for _ in range(depth):
                norm = [nn.BatchNorm2d(width)] if normalize else []
                layers += [nn.Conv2d(before, width, 3, 1, 1), *norm, relu()]
                before = width
            self.ends[len(layers) - 1] = f"stage{s}"
            layers.append(nn.MaxPool2d(2))
        self.features, self.grid = nn.Sequential(*layers), grid
        self.build_head(before, hidden, classes)

    def build_head(self, before, hidden, classes):
        self.classifier = nn.Sequential(
            *(nn.Linear(before * self.grid**2, hidden), relu(), nn.Dropout()),
            *(nn.Linear(hidden, hidden), relu(), nn.Dropout()),
            nn.Linear(hidden, classes),
        )

    def classify(self, x):
        return run(self.classifier, torch.flatten(x, 1), {1: "fc6", 4: "fc7", 6: "logits"})[1]

    def forward(self, x):
        x, features = run(self.features, x, self.ends)
        features["pool"] = x = F.adaptive_avg_pool2d(x, self.grid)
        return features | self.classify(x)


class TimmVgg(Vgg):
    def build_head(self, before, hidden, classes):
        self.pre_logits, self.head = nn.Module(), nn.Module()
        self.pre_logits.fc1 = nn.Conv2d(before, hidden, self.grid)
        self.pre_logits.fc2 = nn.Conv2d(hidden, hidden, 1)
        self.head.fc = nn.Linear(hidden, classes)

    def classify(self, x):
        first = F.relu(self.pre_logits.fc1(x))
        second = F.relu(self.pre_logits.fc2(first)).mean((2, 3))
        return {"fc6": first[:, :, 0, 0], "fc7": second, "logits": self.head.fc(second)}


class Fire(nn.Module):
    def __init__(self, before, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(before, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, 1, 1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self, stem, stages, classes):
        super().__init__()
        width, kernel = stem
        layers, self.ends = [nn.Conv2d(3, width, kernel, 2), relu()], {1: "stem"}
        for s, fires in enumerate(stages, 1):
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            for squeeze, expand in fires:
                layers.append(Fire(width, squeeze, expand))
                width = 2 * expand
            self.ends[len(layers) - 1] = f"stage{s}"
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(width, classes, 1), relu())

    def forward(self, x):
        x, features = run(self.features, x, self.ends)
        x = self.classifier(x)
        return features | {"maps": x, "logits": x.mean((2, 3))}

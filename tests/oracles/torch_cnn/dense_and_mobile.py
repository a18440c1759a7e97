"""DenseNet (torchvision's names) and MobileNet (torchvision's and timm's) in torch."""

import torch
from torch import nn
from torch.nn import functional as F


class DenseLayer(nn.Module):
    def __init__(self, before, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


class DenseNet(nn.Module):
    def __init__(self, depths, growth, width, classes):
        super().__init__()
        self.features, self.depths = nn.Module(), depths
        self.features.conv0 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.features.norm0 = nn.BatchNorm2d(width)
        for s, depth in enumerate(depths, 1):
            if s > 1:
                transition = nn.Module()
                transition.norm = nn.BatchNorm2d(width)
                transition.conv = nn.Conv2d(width, width // 2, 1, bias=False)
                setattr(self.features, f"transition{s - 1}", transition)
                width //= 2
            block = nn.Sequential()
            for n in range(1, depth + 1):
                block.add_module(f"denselayer{n}", DenseLayer(width, growth))
                width += growth
            setattr(self.features, f"denseblock{s}", block)
        self.features.norm5 = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x):
        parts = self.features
        x = F.max_pool2d(F.relu(parts.norm0(parts.conv0(x))), 3, 2, 1)
        features = {"stem": x}
        for s in range(1, len(self.depths) + 1):
            if s > 1:
                transition = getattr(parts, f"transition{s - 1}")
                x = F.avg_pool2d(transition.conv(F.relu(transition.norm(x))), 2)
            x = getattr(parts, f"denseblock{s}")(x)
            if s == len(self.depths):
                x = F.relu(parts.norm5(x))
            features[f"stage{s}"] = x
        features["pool"] = x = x.mean((2, 3))
        return features | {"logits": self.classifier(x)}


def conv_norm(before, after, kernel, stride=1, groups=1, *, act=True):
    parts = [nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(after)]
    return nn.Sequential(*parts, *[nn.ReLU6()] * act)


class InvertedResidual(nn.Module):
    def __init__(self, before, after, stride, expansion):
        super().__init__()
        inner = before * expansion
        widen = [conv_norm(before, inner, 1)] if expansion > 1 else []
        middle = conv_norm(inner, inner, 3, stride, inner)
        self.conv = nn.Sequential(*widen, middle, nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after))
        self.adds = stride == 1 and before == after

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    """Rows are (features, blocks, stride, expansion)."""

    def __init__(self, stem, rows, last, classes):
        super().__init__()
        layers, before, self.ends = [conv_norm(3, stem, 3, 2)], stem, {0: "stem"}
        for s, (width, blocks, stride, expansion) in enumerate(rows, 1):
            for b in range(blocks):
                layers.append(InvertedResidual(before, width, 1 if b else stride, expansion))
                before = width
            self.ends[len(layers) - 1] = f"stage{s}"
        self.ends[len(layers)] = f"stage{len(rows) + 1}"
        self.features = nn.Sequential(*layers, conv_norm(before, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(last, classes))

    def forward(self, x):
        features = {}
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.ends:
                features[self.ends[number]] = x
        features["pool"] = x = x.mean((2, 3))
        return features | {"logits": self.classifier(x)}


class TimmBlock(nn.Module):
    """An inverted residual, or a depthwise convolution and a 1 x 1 (activated in v1 only) where nothing is widened."""

    def __init__(self, before, after, stride, expansion, active):
        super().__init__()
        inner = before * expansion
        self.widens, self.active, self.adds = expansion > 1, active, stride == 1 and before == after and not active
        if self.widens:
            self.conv_pw, self.bn1 = nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner)
            self.conv_dw = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
            self.bn2 = nn.BatchNorm2d(inner)
            self.conv_pwl, self.bn3 = nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after)
        else:
            self.conv_dw = nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False)
            self.bn1 = nn.BatchNorm2d(before)
            self.conv_pw, self.bn2 = nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)

    def forward(self, x):
        if self.widens:
            y = F.relu6(self.bn2(self.conv_dw(F.relu6(self.bn1(self.conv_pw(x))))))
            y = self.bn3(self.conv_pwl(y))
        else:
            y = self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))
            y = F.relu6(y) if self.active else y
        return x + y if self.adds else y


class TimmMobileNet(nn.Module):
    def __init__(self, stem, rows, last, classes, *, active):
        super().__init__()
        self.conv_stem, self.bn1 = nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem)
        stages, before = [], stem
        for width, blocks, stride, expansion in rows:
            stage = []
            for b in range(blocks):
                stage.append(TimmBlock(before, width, 1 if b else stride, expansion, active))
                before = width
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        if last:
            self.conv_head, self.bn2 = nn.Conv2d(before, last, 1, bias=False), nn.BatchNorm2d(last)
        self.classifier = nn.Linear(last or before, classes)

    def forward(self, x):
        features = {"stem": F.relu6(self.bn1(self.conv_stem(x)))}
        x = features["stem"]
        for s, stage in enumerate(self.blocks, 1):
            features[f"stage{s}"] = x = stage(x)
        if hasattr(self, "conv_head"):
            features[f"stage{len(self.blocks) + 1}"] = x = F.relu6(self.bn2(self.conv_head(x)))
        features["pool"] = x = x.mean((2, 3))
        return features | {"logits": self.classifier(x)}

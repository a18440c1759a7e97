"""Torch's side: oneDNN on a CPU, cuDNN on a GPU; layouts NCHW and NHWC ("channels last")."""

import os

import numpy as np
import torch
from torch import nn

from image_peers.torch_resnet import make
from image_peers.works import Work, images, labels


def work(work: Work, variant: str, weights: str):
    """Return a function without arguments that does the work once, waits for it, and returns what can be compared."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if variant == "nhwc" else torch.contiguous_format
    model = make(work.network)
    model.load_state_dict(torch.load(weights, weights_only=True))
    model = model.to(device).to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    x = torch.from_numpy(images(work).transpose(0, 3, 1, 2)).to(device).contiguous(memory_format=layout)
    if work.saliency:
        return _saliency(model, x)
    return _training(model, x, torch.from_numpy(labels(work)).to(device)) if work.trains else _inference(model, x, variant)


def _inference(model: nn.Module, x: torch.Tensor, variant: str):
    model.eval()
    if variant == "compiled":
        model = torch.compile(model)  # pyright: ignore[reportAssignmentType]

    def run() -> np.ndarray:
        with torch.inference_mode():
            return model(x).cpu().numpy()

    return run


def _saliency(model: nn.Module, x: torch.Tensor):
    model.eval().requires_grad_(False)

    def run() -> np.ndarray:
        asked = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(asked).max(-1).values.sum(), asked)
        return gradient.abs().amax(1).cpu().numpy()

    return run


def _training(model: nn.Module, x: torch.Tensor, y: torch.Tensor):
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def run() -> np.ndarray:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return np.asarray(loss.item())

    return run

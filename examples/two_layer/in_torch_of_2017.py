"""PyTorch as its tutorials of 2017 had it: Variables, `.data`, gradients that are zeroed by hand.

It still runs. `Variable` returns an ordinary tensor since version 0.4 (2018), and `loss.data[0]` became `loss.item()`.
"""

import torch
from torch.autograd import Variable

from problem import RATE, STEPS, problem, report


def losses(steps: int = STEPS) -> list[float]:
    """Train and return the loss before each step."""
    x, y, w1, w2 = (torch.from_numpy(array).float() for array in problem())
    x, y = Variable(x, requires_grad=False), Variable(y, requires_grad=False)
    w1, w2 = Variable(w1, requires_grad=True), Variable(w2, requires_grad=True)
    found = []
    for _ in range(steps):
        scores = x.mm(w1).clamp(min=0).mm(w2)
        loss = (scores - y).pow(2).sum()
        found.append(loss.item())  # then: loss.data[0]

        loss.backward()
        w1.data -= RATE * w1.grad.data
        w2.data -= RATE * w2.grad.data
        w1.grad.data.zero_()
        w2.grad.data.zero_()
    return found


if __name__ == "__main__":
    report(losses)

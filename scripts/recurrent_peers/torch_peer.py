"""Torch's side of the benchmark: nn.LSTM, nn.GRU and nn.RNN on oneDNN, or on cuDNN where there is a GPU; a highway loop."""

import time

import torch
from torch import nn

from recurrent_peers.sizes import EMBEDDING, VOCABULARY, Size


class _Highway(nn.Module):
    """Recurrent highway layers of depth 1; torch has none, so this is a loop, compiled by TorchScript."""

    def __init__(self, features: int, hidden: int, layers: int):
        super().__init__()
        widths = [features] + [hidden] * (layers - 1)
        self.inputs = nn.ModuleList([nn.Linear(width, 2 * hidden) for width in widths])
        self.recurrent = nn.ParameterList([nn.Parameter(torch.randn(hidden, 2 * hidden) / hidden**0.5) for _ in widths])

    def forward(self, x, carry):
        last = []
        for index, (linear, kernel) in enumerate(zip(self.inputs, self.recurrent)):
            first = x.new_zeros(x.shape[1], kernel.shape[0]) if carry is None else carry[index]
            x, after = _highway_loop(linear(x), kernel, first)
            last.append(after)
        return x, torch.stack(last)


@torch.jit.script
def _highway_loop(projected: torch.Tensor, kernel: torch.Tensor, state: torch.Tensor):
    outputs = []
    for x in projected.unbind(0):
        h, t = torch.addmm(x, state, kernel).chunk(2, 1)
        state = state + torch.sigmoid(t) * (torch.tanh(h) - state)
        outputs.append(state)
    return torch.stack(outputs), state


LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "vanilla": nn.RNN, "highway": _Highway}


class _Model(nn.Module):
    def __init__(self, size: Size, cell: str):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        self.recurrent = LAYERS[cell](EMBEDDING, size.hidden, size.layers)
        self.output = nn.Linear(size.hidden, VOCABULARY)

    def forward(self, tokens, carry):
        outputs, carry = self.recurrent(self.embedding(tokens), carry)
        return self.output(outputs), carry


def work(size: Size, cell: str, name: str, backend: str):
    """Return a function without arguments that does the work once and waits for it."""
    del backend
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = _Model(size, cell).to(device)
    tokens = torch.randint(VOCABULARY, (2, size.steps, size.batch), device=device)
    works = {"forward": _forward, "backward": _backward, "train_step": _training, "sample": _sampling}
    return works[name](model, tokens)


def _forward(model, tokens):
    def run():
        with torch.no_grad():
            return model(tokens[0], None)[0].sum().item()

    return run


def _backward(model, tokens):
    def run():
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(tokens[0], None)[0].flatten(0, 1), tokens[1].flatten())
        loss.backward()
        return loss.item()

    return run


def _training(model, tokens):
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    carry = None

    def run():
        nonlocal carry
        logits, after = model(tokens[0], carry)
        carry = tuple(part.detach() for part in after) if isinstance(after, tuple) else after.detach()
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[1].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss.item()

    return run


def _sampling(model, tokens):
    @torch.inference_mode()
    def run():
        token, carry = tokens[0, 0][None], None
        for _ in range(tokens.shape[1]):
            logits, carry = model(token, carry)
            token = torch.multinomial(torch.softmax(logits[0], -1), 1).T
        return token.sum().item()

    return with_best_threads(run)


def with_best_threads(run):
    """Let torch use the number of threads that is fastest for a loop of small steps."""

    def seconds_with(threads: int) -> float:
        torch.set_num_threads(threads)
        run()
        begin = time.perf_counter()
        run()
        return time.perf_counter() - begin

    torch.set_num_threads(min(range(1, torch.get_num_threads() + 1), key=seconds_with))
    return run

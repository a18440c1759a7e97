"""Torch's side of the benchmark: nn.LSTM, nn.GRU and nn.RNN on oneDNN, or on cuDNN where there is a GPU."""

import torch
from torch import nn

from recurrent_peers.sizes import EMBEDDING, VOCABULARY, Size

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "vanilla": nn.RNN}


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
    return _forward(model, tokens) if name == "forward" else _training(model, tokens)


def _forward(model, tokens):
    def run():
        with torch.no_grad():
            return model(tokens[0], None)[0].sum().item()

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

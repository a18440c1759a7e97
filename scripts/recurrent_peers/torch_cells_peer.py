"""Torch's cells in a loop, the quickest way it has of sampling."""

from typing import Any

import torch
from torch import nn

from recurrent_peers.sizes import EMBEDDING, VOCABULARY, Size
from recurrent_peers.torch_peer import with_best_threads

CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "vanilla": nn.RNNCell}


def work(size: Size, cell: str, name: str, backend: str):
    """Return a function without arguments that draws characters and waits for them."""
    del name, backend
    embedding, output = nn.Embedding(VOCABULARY, EMBEDDING), nn.Linear(size.hidden, VOCABULARY)
    widths = [EMBEDDING] + [size.hidden] * (size.layers - 1)
    cells = [CELLS[cell](width, size.hidden) for width in widths]

    @torch.inference_mode()
    def run():
        token = torch.zeros(size.batch, dtype=torch.long)
        carry: list[Any] = [None] * size.layers
        for _ in range(size.steps):
            x = embedding(token)
            for index, layer in enumerate(cells):
                carry[index] = layer(x, carry[index])
                x = carry[index][0] if isinstance(carry[index], tuple) else carry[index]
            token = torch.multinomial(torch.softmax(output(x), -1), 1)[:, 0]
        return token.sum().item()

    return with_best_threads(run)

"""A captioner with additive attention and an LSTM in eager torch, written as the tutorials write it."""

import numpy as np
import torch
import torch.nn.functional as F
from flax import nnx

from seqnets.decode import CaptionConfig
from seqnets.models.captioner import Captioner
from seqnets.named_arrays import host_arrays


class TorchCaptioner:
    """The decoder of a captioner with additive attention and an LSTM, in eager torch; `caption` is the loop around it."""

    def __init__(self, model: Captioner, *, projects_each_step: bool = False):
        self.projects_each_step = projects_each_step
        arrays = {name: torch.from_numpy(np.array(array)) for name, array in host_arrays(nnx.state(model, nnx.Param)).items()}
        self.w = {name.removeprefix("decoder."): array for name, array in arrays.items()}
        self.cell = {name.rpartition(".")[2]: array for name, array in self.w.items() if name.startswith("rnn.layers.0.cell.")}
        self.sight = {name.rpartition(".")[2]: array for name, array in self.w.items() if name.startswith("sight.")}
        self.vocabulary, self.hidden = model.vocabulary, model.config.hidden_features

    def begin(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the projected features `(L, A)` and the first cell and hidden state `(H,)`."""
        mean = features.mean(0)
        cell, hidden = (torch.tanh(mean @ self.w[f"initial.{i}.kernel"] + self.w[f"initial.{i}.bias"]) for i in range(2))
        return features @ self.sight["annotation_kernel"] + self.sight["annotation_bias"], cell, hidden

    def step(self, tokens, cell, hidden, projected, features):
        """Read a word a beam; return logits, cell, hidden and attention."""
        words = self.w["embedding"][tokens] * (tokens != self.vocabulary.begin)[:, None]
        asked = hidden @ self.sight["query_kernel"]
        if self.projects_each_step:
            every = features.expand(len(tokens), *features.shape[-2:])
            projected = every @ self.sight["annotation_kernel"] + self.sight["annotation_bias"]
        scores = torch.tanh(projected + asked[:, None]) @ self.sight["score_kernel"]
        attention = torch.softmax(scores, -1)
        gate = torch.sigmoid(hidden @ self.sight["gate_kernel"] + self.sight["gate_bias"])
        context = (attention[:, None] @ features)[:, 0] * gate
        gates = words @ self.cell["kernel"] + self.cell["bias"] + context @ self.w["context_kernel"]
        i, f, g, o = (gates + hidden @ self.cell["recurrent_kernel"]).chunk(4, -1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        deep = words + hidden @ self.w["output.hidden_kernel"] + self.w["output.hidden_bias"]
        deep = torch.tanh(deep + context @ self.w["output.context_kernel"])
        return deep @ self.w["output.kernel"] + self.w["output.bias"], cell, hidden, attention

    @torch.inference_mode()
    def caption(self, features: torch.Tensor, config: CaptionConfig) -> tuple[list[int], torch.Tensor]:
        """Return the words of the best caption and where each looked."""
        v, width = self.vocabulary, config.beam
        projected, cell, hidden = self.begin(features)
        cell, hidden = cell.expand(width, -1), hidden.expand(width, -1)
        tokens = torch.full((width,), v.begin)
        log_prob = torch.full((width,), -torch.inf)
        log_prob[0] = 0.0
        words: list[list[int]] = [[] for _ in range(width)]
        maps: list[list[torch.Tensor]] = [[] for _ in range(width)]
        best: tuple[float, list[int], list[torch.Tensor]] = (-np.inf, [], [])
        for t in range(config.max_length + 1):
            logits, cell, hidden, attention = self.step(tokens, cell, hidden, projected, features)
            total = torch.log_softmax(logits, -1) + log_prob[:, None]
            total[:, [v.pad, v.begin, v.unknown]] = -torch.inf
            ends = total[:, v.end].clone()
            total[:, v.end] = -torch.inf
            log_prob, places = total.view(-1).topk(width)
            if t == config.max_length:
                log_prob = torch.full((width,), -torch.inf)
            if t >= config.min_length:
                for beam, end in enumerate(ends.tolist()):
                    rank = int((log_prob > end).sum()) + int((ends > end).sum())
                    score = end / ((6 + t) / 6) ** config.length_penalty
                    if rank < width and score > best[0]:
                        best = (score, words[beam], maps[beam])
            if best[0] >= log_prob[0].item() / ((6 + config.max_length) / 6) ** config.length_penalty:
                break
            parents, tokens = places // logits.shape[1], places % logits.shape[1]
            cell, hidden = cell[parents], hidden[parents]
            words = [[*words[p], w] for p, w in zip(parents.tolist(), tokens.tolist())]
            maps = [[*maps[p], attention[p]] for p in parents.tolist()]
        return best[1], torch.stack(best[2]) if best[2] else torch.zeros(0, features.shape[0])

    def trained(self) -> list[torch.Tensor]:
        """Return the arrays as parameters to train, in the order of their names."""
        return [self.w[name].requires_grad_() for name in sorted(self.w)]

    def loss(self, features: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor, regularizer: float) -> torch.Tensor:
        """Return the loss of captions, longest first, read for as long as they last: no step is spent on padding.

        Args:
            features: `(B, L, D)`.
            targets: `(B, T)`, the words and the end.
            lengths: `(B,)`, falling.
            regularizer: the weight of attention that does not visit every location once.
        """
        mean = features.mean(1)
        cell, hidden = (torch.tanh(mean @ self.w[f"initial.{i}.kernel"] + self.w[f"initial.{i}.bias"]) for i in range(2))
        projected = (
            features if self.projects_each_step else features @ self.sight["annotation_kernel"] + self.sight["annotation_bias"]
        )
        tokens = torch.cat([torch.full_like(targets[:, :1], self.vocabulary.begin), targets[:, :-1]], 1)
        seen = torch.zeros(features.shape[:2])
        total = torch.zeros(())
        for t in range(int(lengths[0])):
            rows = int((lengths > t).sum())
            logits, cell, hidden, attention = self.step(
                tokens[:rows, t], cell[:rows], hidden[:rows], projected[:rows], features[:rows]
            )
            total = total + F.cross_entropy(logits, targets[:rows, t].long(), reduction="sum")
            seen = seen + F.pad(attention, (0, 0, 0, len(seen) - rows))
        return (total + regularizer * torch.square(1 - seen).sum()) / lengths.sum()

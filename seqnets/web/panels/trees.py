"""Held-out trees with the label of every node."""

from typing import Any

import numpy as np

from seqnets.decode.trees import node_log_probabilities
from seqnets.viz.trees import places
from seqnets.web.packing import shares
from seqnets.web.panels.labels import order_of
from seqnets.web.panels.subject import Subject


def trees(subject: Subject) -> dict[str, Any] | None:
    """Return held-out trees with the labels of their nodes: those with the worst mistakes first."""
    if subject.material is None:
        return None
    model, found = subject.run.model, subject.material
    log_probabilities, truth, bounds = node_log_probabilities(model, found.forest), found.forest.labels, found.forest.bounds
    wrong = (log_probabilities.argmax(-1) != truth) & (truth >= 0)
    own = np.where(truth >= 0, log_probabilities[np.arange(len(truth)), np.maximum(truth, 0)], 0)
    wrongs, sums = (np.add.reduceat(values.astype(float), bounds[:-1]) for values in (wrong, own))
    shown = [
        {
            "words": [part.word for part in found.trees[row]],
            "children": [[part.left, part.right] for part in found.trees[row]],
            "places": [list(at) for at in places([(part.left, part.right) for part in found.trees[row]])],
            "truth": truth[bounds[row] : bounds[row + 1]].tolist(),
            "shares": shares(np.exp(log_probabilities[bounds[row] : bounds[row + 1]])),
            "wrong": int(wrongs[row]),
        }
        for row in order_of(sums / found.forest.sizes, wrongs > 0)
    ]
    counted = {"among": len(found), "withMistakes": int((wrongs > 0).sum()), "source": subject.source}
    return {"labels": list(model.labels), "trees": shown, **counted}

"""Caption metrics by their definitions, one n-gram at a time; hypotheses and references are lists of words."""

import math
from collections import Counter


def ngrams(words, n):
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def bleu(hypotheses, references):
    """BLEU-1 .. 4 of the hypotheses together."""
    correct, guessed, length, closest = [0] * 4, [0] * 4, 0, 0
    for words, others in zip(hypotheses, references):
        length += len(words)
        closest += min((abs(len(other) - len(words)), len(other)) for other in others)[1]
        for n in range(1, 5):
            for gram, count in ngrams(words, n).items():
                correct[n - 1] += min(count, max(ngrams(other, n)[gram] for other in others))
                guessed[n - 1] += count
    penalty = min(1.0, math.exp(1 - (closest + 1e-9) / (length + 1e-15))) if length else 0.0
    precisions = [(c + 1e-15) / (g + 1e-9) for c, g in zip(correct, guessed)]
    return [penalty * math.prod(precisions[:n]) ** (1 / n) for n in range(1, 5)]


def rouge_l(words, others):
    common = [lcs(words, other) for other in others]
    if not any(common):
        return 0.0
    precision = max(c / len(words) for c in common)
    recall = max(c / len(other) for c, other in zip(common, others) if other)
    return 2.44 * precision * recall / (recall + 1.44 * precision)


def lcs(first, second):
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def cider(words, others, corpus):
    """CIDEr-D of one hypothesis against `others`, with the document frequencies of `corpus` (references by image)."""

    def weigh(caption, n):
        frequency = {g: sum(any(g in ngrams(r, n) for r in image) for image in corpus) for g in ngrams(caption, n)}
        return {g: count * math.log(len(corpus) / max(1, frequency[g])) for g, count in ngrams(caption, n).items()}

    def norm(weights):
        return math.sqrt(sum(w * w for w in weights.values()))

    total = 0.0
    for n in range(1, 5):
        own = weigh(words, n)
        for other in others:
            theirs = weigh(other, n)
            dot = sum(min(w, theirs.get(g, 0.0)) * theirs.get(g, 0.0) for g, w in own.items())
            if dot:
                total += dot / (norm(own) * norm(theirs)) * math.exp(-((len(words) - len(other)) ** 2) / 72)
    return 10 * total / 4 / len(others)

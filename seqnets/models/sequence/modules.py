"""Answers to questions about pictures by a network that is put together for each question."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.errors import UserError
from seqnets.models.captioner.encoder import as_float
from seqnets.models.description import described, names, needed, stated
from seqnets.models.sequence.config import VQAConfig
from seqnets.models.sequence.layout_policy import make_policy
from seqnets.nn.dense import Dense
from seqnets.nn.forest import Block, visit
from seqnets.nn.initializers import input_kernel
from seqnets.ops.lookup import take_rows

_GAIN = 4.0  # of the kernels, which need large values soon
_LEAST = 1e-4  # of a map's values, so that their log odds are finite


class Find(nnx.Module):
    r"""Where a thing is: $a_p = \sigma(w \cdot v_p + b)$ for the vector w of its word and the features $v_p$ of a cell.

    Args:
        words: V, the words that have a vector.
        features: F, of a cell of the picture.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> Find(5, 4, rngs=nnx.Rngs(0))(jnp.array([2]), jnp.ones((1, 9, 4))).shape
        (1, 9)
    """

    def __init__(self, words: int, features: int, *, rngs: nnx.Rngs):
        self.table = nnx.Param(0.1 * rngs.params.normal((words, features)))
        self.bias = nnx.Param(jnp.zeros(()))

    def __call__(self, words: Array, seen: Array) -> Array:
        """Return a map for every word and its picture: `(N,)` and `(N, G * G, F)` to `(N, G * G)`, each in 0 .. 1."""
        return jax.nn.sigmoid(jnp.einsum("npf,nf->np", seen, take_rows(self.table[...], words)) + self.bias[...])


class Transform(nnx.Module):
    r"""What stands in a relation to what is attended: $a'_p = \sigma(4 \sum_q k_{p - q} a_q + b)$, a kernel k for each word.

    Args:
        words: V, the words that have a kernel.
        grid: G, rows and columns of a map; a kernel reaches from each cell to each other one.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> Transform(5, 3, rngs=nnx.Rngs(0))(jnp.array([2]), jnp.ones((1, 9))).shape
        (1, 9)
    """

    def __init__(self, words: int, grid: int, *, rngs: nnx.Rngs):
        self.kernels = nnx.Param(0.1 * rngs.params.normal((words, (2 * grid - 1) ** 2)))
        self.bias = nnx.Param(jnp.full((), -1.0))
        rows, columns = np.divmod(np.arange(grid * grid), grid)
        down, right = rows[:, None] - rows + grid - 1, columns[:, None] - columns + grid - 1
        self.offsets = tuple(map(tuple, (down * (2 * grid - 1) + right).tolist()))  # of every cell from every other one

    def __call__(self, words: Array, maps: Array) -> Array:
        """Return the moved maps: `(N,)` and `(N, G * G)` to `(N, G * G)`, each in 0 .. 1."""
        kernels = take_rows(self.kernels[...], words)[:, jnp.asarray(self.offsets)]
        return jax.nn.sigmoid(_GAIN * jnp.einsum("npq,nq->np", kernels, maps) + self.bias[...])


def both(left: Array, right: Array) -> Array:
    """Return where both maps are: the module `and`, the smaller value of each cell.

    Example:
        >>> both(jnp.array([0.9, 0.2]), jnp.array([0.5, 0.8])).tolist()
        [0.5, 0.20000000298023224]
    """
    return jnp.minimum(left, right)


class ModuleVQA(nnx.Module):
    """Answer questions with a network of modules for each: find, transform, and, answer.

    The picture is cut into cells, each of which is read alone. A question's layout says which modules look at which maps over
    the cells; `answer` reads the log odds of the largest and the mean value of the last map. All layouts of a batch run together,
    as trees do. With `layouts="learned"` there is also a `policy`, a `Translator` that writes the layout of a question.

    Args:
        vocabulary: the vocabulary of the questions.
        answers: the answers.
        config: its shape; `kind` is modules.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> from seqnets.data.examples.question_examples import Asked, laid_out
        >>> from seqnets.data.examples.questions import Question
        >>> from seqnets.data.words.vocabulary import token_vocabulary
        >>> asked = Asked([Question("0", "is it red?", "no")], np.array([0]), np.zeros((1, 30, 30, 3), np.uint8), [])
        >>> vocabulary = token_vocabulary(["is it red?"])
        >>> model = ModuleVQA(vocabulary, ("no", "yes"), VQAConfig(kind="modules", image_size=30), rngs=nnx.Rngs(0))
        >>> batch = laid_out(asked, np.array([0]), vocabulary, model.answers, 9).rows(np.array([0]))
        >>> logits, maps = model(batch["image"], batch)
        >>> logits.shape, maps.shape
        ((1, 2), (1, 32, 9))

    References:
        Andreas et al., "Neural Module Networks", 2016.
    """

    preprocessing = None

    def __init__(self, vocabulary: TokenVocabulary, answers: Sequence[str], config: VQAConfig, *, rngs: nnx.Rngs):
        if config.image_size < config.grid:
            raise UserError(f"model.image_size ({config.image_size}) is smaller than model.grid ({config.grid}); make it larger")
        self.vocabulary, self.answers, self.config = vocabulary, tuple(answers), config
        size, side = config.joint_features, config.image_size // config.grid
        self.first = Dense(side * side * 3, size, rngs=rngs)
        self.second = Dense(size, size, rngs=rngs)
        self.find = Find(len(vocabulary), size, rngs=rngs)
        self.transform = Transform(len(vocabulary), config.grid, rngs=rngs)
        self.output = Dense(2, len(answers), kernel_init=input_kernel, rngs=rngs)
        if config.layouts == "learned":
            self.policy = make_policy(vocabulary, config, rngs=rngs)

    @property
    def module_names(self) -> TokenVocabulary | None:
        """The tokens of layouts; None without a policy that writes them."""
        return self.policy.vocabulary if self.config.layouts == "learned" else None

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of a map."""
        return self.config.grid, self.config.grid

    def __call__(self, images: Array, schedule: Mapping[str, Any]) -> tuple[Array, Array]:
        """Score every answer.

        Args:
            images: `(B, H, W, 3)`, uint8.
            schedule: of the layouts of the questions, as `seqnets.data.examples.layouts.LaidOut.rows` returns it.

        Returns:
            Logits `(B, answers)` float32, and the maps of the modules of each question, from the leaves up, `(B, nodes, G * G)`.
        """
        seen = self.see(images)
        leaves = self.find(schedule["words"], seen[schedule["word_trees"]])
        table = visit(leaves, [self._transform, self._and], schedule)
        return self.answer(table[schedule["roots"]]), table[schedule["nodes"]]

    def see(self, images: Array) -> Array:
        """Return the features of every cell of pictures: `(B, H, W, 3)` to `(B, G * G, F)`."""
        grid, side = self.config.grid, self.config.image_size // self.config.grid
        cut = 0.5 + as_float(images)[:, : grid * side, : grid * side].astype(jnp.float32) / 2  # an empty cell is 0
        cells = cut.reshape(-1, grid, side, grid, side, 3).swapaxes(2, 3).reshape(len(cut), grid * grid, -1)
        return jax.nn.relu(self.second(jax.nn.relu(self.first(cells))))

    def answer(self, maps: Array) -> Array:
        """Return the logits of the answers from maps: `(B, G * G)` to `(B, answers)`."""
        shares = jnp.clip(jnp.stack([maps.max(-1), maps.mean(-1)], -1), _LEAST, 1 - _LEAST)
        return self.output(jnp.log(shares / (1 - shares)))

    def _transform(self, block: Block) -> Array:
        return self.transform(block.arguments, block.left)

    def _and(self, block: Block) -> Array:
        return both(block.left, block.right)

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of words or answers: by name, the list that the axis follows, and the axis."""
        words = {"find.table": ("vocabulary", 0), "transform.kernels": ("vocabulary", 0)}
        if self.config.layouts == "learned":
            lists = {"source": "vocabulary", "vocabulary": "module_names"}
            words |= {f"policy.{name}": (lists[of], axis) for name, (of, axis) in self.policy.labeled_axes().items()}
        return {**words, "output.kernel": ("answers", 1), "output.bias": ("answers", 0)}

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        return {"kind": "ModuleVQA", "config": asdict(self.config), "answers": list(self.answers)}


ModuleVQAConfig = VQAConfig


def from_description(description: Mapping[str, Any], vocabulary: Any) -> ModuleVQA:
    """Make the model that a run folder's config.json describes, with arbitrary weights.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("ModuleVQA"):
        config, answers = stated(description.get("config"), VQAConfig()), names(description.get("answers"), "answers")
        return ModuleVQA(needed(vocabulary, TokenVocabulary), answers, config, rngs=nnx.Rngs(0))

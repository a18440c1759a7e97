import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from decode.conftest import TEXT
from seqnets.data import TokenStream, Vocabulary
from seqnets.data.text.corpus import Corpus
from seqnets.decode import score
from seqnets.decode.text import scoring
from seqnets.errors import UserError
from seqnets.models.char_lm import CharLM
from seqnets.tasks.text.task import CharLMTask
from seqnets.train import TrainConfig, fit


def naive(model, tokens, separator=()) -> np.ndarray:
    """-ln p of every character after the first, one step of the model after the other, in float64 from the logits on."""
    graph, values = nnx.split(model)
    step = jax.jit(lambda values, token, carry: nnx.merge(graph, values)(token, carry))
    carry, losses = model.initialize_carry(1), []
    for t in range(len(tokens) - 1):
        if separator and tuple(tokens[: t + 1][-len(separator) :]) == separator:
            carry = model.initialize_carry(1)
        logits, carry = step(values, jnp.asarray([[int(tokens[t])]]), carry)
        logits = np.asarray(logits[0, 0], np.float64)
        losses.append(np.logaddexp.reduce(logits) - logits[tokens[t + 1]])
    return np.array(losses)


@pytest.fixture(scope="module")
def losses(trained, words):
    return naive(trained, words[:700])


@pytest.mark.parametrize(
    "options",
    [{}, {"streams": 1}, {"streams": 1, "chunk": 64}, {"streams": 7, "warmup": 200, "chunk": 64}, {"streams": 16, "chunk": 9}],
)
def test_every_character_after_the_first_counts_once(trained, words, losses, options):
    result = score(trained, words[:700], **options)
    assert result.characters == 699
    assert result.nats == pytest.approx(losses.mean(), abs=1e-6)


@pytest.mark.parametrize(("streams", "warmup"), [(16, 1024), (16, 256), (5, 512), (16, 0)])
def test_parallel_streams_equal_the_single_pass(trained, words, streams, warmup):
    single = score(trained, words, streams=1)
    assert single.nats < 1.0  # the model has learned: it has a memory that could differ
    assert score(trained, words, streams=streams, warmup=warmup).nats == pytest.approx(single.nats, rel=1e-6)


def slow(cell, vocabulary) -> CharLM:
    """A model that forgets over 8,000 characters, and says so: its gates begin at sigmoid(9)."""
    forget = {"forget_bias": 9.0} if cell in ("lstm", "minlstm") else {}
    model = CharLM(vocabulary, cell=cell, hidden_features=8, embedding_features=4, **forget, rngs=nnx.Rngs(1))
    bias = model.rnn.layers[0].cell.bias
    shift = {"gru": [0, 9, 0], "mingru": [-9, 0], "minlstm": [0, -9, 0], "lstm": [0, 0, 0, 0]}[cell]
    bias[...] = bias[...] + np.repeat(np.float32(shift), 8)
    model.output_kernel[...] = 10 * model.output_kernel[...]
    return model


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru", "minlstm"])
def test_what_the_warm_up_does_not_forget_is_gone_through_again(words, cell, monkeypatch):
    model, options = slow(cell, Vocabulary.from_text(TEXT)), {"streams": 8, "warmup": 128, "chunk": 128}
    single = score(model, words[:4_000], streams=1).nats
    assert score(model, words[:4_000], **options).nats == pytest.approx(single, rel=1e-6)
    monkeypatch.setattr(scoring, "_differs", lambda *_: False)
    assert score(model, words[:4_000], **options).nats != pytest.approx(single, rel=1e-3)


def test_a_minimal_gru_after_a_few_steps_of_training_is_scored_exactly(words):
    corpus = Corpus(Vocabulary.from_text(TEXT), words, {"train": TokenStream(words)})
    model = CharLM(corpus.vocabulary, cell="mingru", hidden_features=32, rngs=nnx.Rngs(0))
    config = TrainConfig(steps=250, batch_size=8, learning_rate=1e-2)
    trained = fit(CharLMTask(model, corpus, window=16), config, progress=None).model
    single = score(trained, words, streams=1)
    assert score(trained, words, streams=16, warmup=64, chunk=64).nats == pytest.approx(single.nats, rel=1e-6)


def test_a_model_that_forgets_is_gone_through_once(trained, words, monkeypatch):
    calls = []
    monkeypatch.setattr(scoring, "_losses", lambda *args, run=scoring._losses: calls.append(1) or run(*args))
    score(trained, words, streams=4, warmup=1024, chunk=512)
    assert len(calls) == 2 + 3  # the warm-up and a quarter of the text


def test_what_is_never_forgotten_reaches_the_end_of_the_text():
    """One unit counts; only its sign says what the last characters are."""
    model = slow("lstm", Vocabulary.from_text("abc"))
    tokens = np.concatenate([np.repeat([0, 1], 300), np.tile([2], 3_000)])
    for text in (tokens, tokens[::-1].copy()):
        single = score(model, text, streams=1).nats
        assert score(model, text, streams=16, warmup=16, chunk=16).nats == pytest.approx(single, rel=1e-6)


@pytest.mark.parametrize("size", [2, 3, 17, 40])
def test_texts_shorter_than_the_streams(trained, words, losses, size):
    result = score(trained, words[:size])
    assert result.characters == size - 1
    assert result.nats == pytest.approx(losses[: size - 1].mean(), abs=1e-5)


@pytest.mark.parametrize("streams", [1, 4])
def test_context_is_read_and_not_counted(trained, words, losses, streams):
    result = score(trained, words[300:700], context=words[:300], streams=streams, warmup=250, chunk=100)
    assert result.characters == 400
    assert result.nats == pytest.approx(losses[299:].mean(), abs=1e-6)


@pytest.mark.parametrize("streams", [1, 4])
def test_carry_is_reset_at_document_borders(trained, words, streams):
    separator = tuple(trained.vocabulary.encode("t ").tolist())
    expected = naive(trained, words[:400], separator)
    options = {"streams": streams, "warmup": 150, "chunk": 100}
    assert score(trained, words[:400], separator=separator, **options).nats == pytest.approx(expected.mean(), abs=1e-6)
    assert score(trained, TokenStream(words[:400], separator), **options).nats == pytest.approx(expected.mean(), abs=1e-6)
    assert score(trained, TokenStream(words[:400], separator), separator=(), **options).nats != pytest.approx(
        expected.mean(), abs=1e-4
    )
    tail = score(trained, words[150:400], context=words[:150], separator=separator, **options)
    assert tail.nats == pytest.approx(expected[149:].mean(), abs=1e-6)


def test_memory_mapped_tokens_and_one_compilation(trained, words, losses, tmp_path):
    path = tmp_path / "tokens"
    words[:700].astype(np.uint8).tofile(path)
    score(trained, words)
    before = scoring._losses._cache_size()
    assert score(trained, np.memmap(path, np.uint8, mode="r")).nats == pytest.approx(losses.mean(), abs=1e-6)
    for size in (3, 100, 3_000):
        score(trained, words[:size])
    assert scoring._losses._cache_size() == before


def test_uniform_model_scores_the_logarithm_of_the_vocabulary(trained, words):
    graph, values = nnx.split(trained)
    result = score(nnx.merge(graph, jax.tree.map(jnp.zeros_like, values)), words)
    size = len(trained.vocabulary)
    assert result.nats == pytest.approx(np.log(size), abs=1e-6)
    assert result.bits_per_char == pytest.approx(np.log2(size), abs=1e-6)
    assert result.perplexity == pytest.approx(size, rel=1e-6)


def test_figures_name_their_unit(model, byte_model):
    tokens = np.zeros(10, np.uint8)
    assert "bits per byte" in str(score(byte_model, tokens))
    assert "bits per character" in str(score(model, tokens))
    assert set(score(model, tokens).to_json()) == {"nats", "bits_per_char", "perplexity", "characters", "unit"}


@pytest.mark.parametrize(
    ("tokens", "options", "message"),
    [
        ([], {}, "nothing to predict"),
        ([1], {}, "nothing to predict"),
        ([], {"context": [1, 2]}, "nothing to predict"),
        ([1, 99, 1], {}, "found 99"),
        ([1, 2], {"streams": 0}, "streams must be"),
        ([1, 2], {"chunk": 0}, "chunk must be"),
        ([1, 2], {"warmup": -1}, "warmup must be"),
    ],
)
def test_what_cannot_be_scored_is_refused(model, tokens, options, message):
    with pytest.raises(UserError, match=message):
        score(model, np.array(tokens, np.int64), **options)

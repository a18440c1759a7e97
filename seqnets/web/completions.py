"""`POST /v1/completions` as OpenAI's clients speak it, answered by a character model."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np

from seqnets import settings
from seqnets.decode.text.config import SamplingConfig
from seqnets.decode.text.sampling import stream_many
from seqnets.errors import UserError
from seqnets.inspect import trace
from seqnets.inspect.labels import token_names, token_texts
from seqnets.run import Run

MOST_TOKENS, MOST_TEXTS, MOST_PROMPT = 16_384, 16, 1 << 20
_WITHOUT_EFFECT = {"model": None, "user": None, "stream_options": None}
_NEUTRAL = {"best_of": 1, "echo": False, "suffix": "", "presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {}}


@dataclass(frozen=True)
class Request:
    """The body of a request; fields as in OpenAI's reference, and those of `SamplingConfig` that it lacks.

    Raises:
        UserError: a field is out of its range.

    Example:
        >>> Request(prompt="ROMEO:", max_tokens=20).n
        1
    """

    prompt: str = ""
    """The beginning of the text."""
    max_tokens: Annotated[int, settings.Range(least=0, most=MOST_TOKENS)] = 256
    """New characters."""
    temperature: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """As for `seqnets sample`."""
    top_p: Annotated[float, settings.SHARE_ABOVE_ZERO] = 1.0
    """As for `seqnets sample`."""
    top_k: Annotated[int | None, settings.POSITIVE] = None
    """As for `seqnets sample`; not part of OpenAI's interface."""
    min_p: Annotated[float | None, settings.SHARE_ABOVE_ZERO] = None
    """As for `seqnets sample`; not part of OpenAI's interface."""
    repetition_penalty: Annotated[float | None, settings.ABOVE_ZERO] = None
    """As for `seqnets sample`; not part of OpenAI's interface."""
    n: Annotated[int, settings.Range(least=1, most=MOST_TEXTS)] = 1
    """The number of texts."""
    seed: int | None = None
    """The same seed gives the same text."""
    logprobs: Annotated[int | None, settings.Range(least=0, most=20)] = None
    """How many likeliest tokens to list at each place; the drawn one is always there."""
    stream: bool = False
    """Send the text while it is drawn."""
    stop: tuple[str, ...] = ()
    """Stop just before the first of these strings."""

    def __post_init__(self) -> None:
        settings.settle(self)
        if len(self.prompt) > MOST_PROMPT:
            raise UserError(f"prompt has {len(self.prompt):,} characters; at most {MOST_PROMPT:,} are read")


def request_of(body: Any) -> Request:
    """Read a request.

    Args:
        body: the decoded JSON.

    Raises:
        UserError: it is no object, a field is unknown, has another type or is out of its range.

    Example:
        >>> request_of({"prompt": "a", "stop": "b", "model": "any"}).stop
        ('b',)
    """
    if not isinstance(body, Mapping):
        raise UserError("the body must be a JSON object with the fields of a completion, such as prompt and max_tokens")
    for name, neutral in _NEUTRAL.items():
        if body.get(name) not in (None, neutral):
            raise UserError(f"{name} has no counterpart here; leave it out")
    other = _NEUTRAL | _WITHOUT_EFFECT
    fields = {name: value for name, value in body.items() if value is not None and name not in other}
    stop = fields.get("stop", ())
    if isinstance(stop, str) or (isinstance(stop, list) and all(isinstance(text, str) for text in stop)):
        fields["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    if isinstance(fields.get("prompt"), list):
        if len(fields["prompt"]) != 1:
            raise UserError("prompt must be one text; send a request for each")
        fields["prompt"] = fields["prompt"][0]
    return settings.replaced(Request(), fields, "the request")


def complete(run: Run, request: Request, separator: tuple[int, ...] = ()) -> dict[str, Any]:
    """Answer a request with all texts at once, as JSON."""
    texts = [""] * request.n
    for row in _pieces(run, request, separator):
        texts = [text + piece for text, piece in zip(texts, row)]
    choices = [_choice(run, request, i, text, separator) for i, text in enumerate(texts)]
    count, spent = len(run.vocabulary.encode(request.prompt)), sum(len(run.vocabulary.encode(text)) for text in texts)
    usage = {"prompt_tokens": count, "completion_tokens": spent, "total_tokens": count + spent}
    return {**_envelope(run), "choices": choices, "usage": usage}


def stream(run: Run, request: Request, separator: tuple[int, ...] = ()) -> Iterator[str]:
    """Answer a request with server-sent events, one for each piece of each text."""
    envelope = _envelope(run)
    texts = [""] * request.n
    for row in _pieces(run, request, separator):
        for i, piece in enumerate(row):
            texts[i] += piece
            if piece and request.logprobs is None:
                yield _event({**envelope, "choices": [{"index": i, "text": piece, "logprobs": None, "finish_reason": None}]})
    for i, text in enumerate(texts):
        choice = _choice(run, request, i, text, separator)
        yield _event({**envelope, "choices": [choice if request.logprobs is not None else {**choice, "text": ""}]})
    yield "data: [DONE]\n\n"


def _pieces(run: Run, request: Request, separator: tuple[int, ...]) -> Iterator[list[str]]:
    names = ("temperature", "top_k", "min_p", "repetition_penalty", "stop")
    given = {name: getattr(request, name) for name in names}
    config = SamplingConfig(length=request.max_tokens, top_p=request.top_p if request.top_p < 1 else None, **given)
    seed = request.seed if request.seed is not None else int.from_bytes(uuid.uuid4().bytes[:4])
    return stream_many(
        run.model, request.prompt, samples=request.n, key=jax.random.key(seed % 2**63), config=config, separator=separator
    )


def _choice(run: Run, request: Request, index: int, text: str, separator: tuple[int, ...]) -> dict[str, Any]:
    found = None if request.logprobs is None else _log_probs(run, request, text, separator)
    ended = len(text) >= request.max_tokens or not request.stop
    return {"index": index, "text": text, "logprobs": found, "finish_reason": "length" if ended else "stop"}


def _log_probs(run: Run, request: Request, text: str, separator: tuple[int, ...]) -> dict[str, Any]:
    from seqnets.decode.text.prompt import prompt_tokens

    begin, new = prompt_tokens(run.vocabulary, request.prompt, separator=separator), run.vocabulary.encode(text)
    names = token_names(run.vocabulary)
    read = trace(run.model, np.concatenate([begin, new]), separator=separator, likeliest=max(1, request.logprobs or 0))
    nats = -np.log(2) * read.bits[len(begin) :]
    tops = [
        {names[token]: float(np.log(p)) for token, p in zip(row[: request.logprobs], probabilities)}
        for row, probabilities in zip(read.likeliest[len(begin) :], read.probabilities[len(begin) :])
    ]
    tops = [{**top, names[token]: float(nat)} for top, token, nat in zip(tops, new, nats)]
    lengths = [len(piece) for piece in token_texts(run.vocabulary, new)]
    offsets = (len(request.prompt) + np.cumsum([0, *lengths[:-1]])).tolist() if lengths else []
    tokens = [names[token] for token in new]
    return {"tokens": tokens, "token_logprobs": nats.tolist(), "top_logprobs": tops, "text_offset": offsets}


def _envelope(run: Run) -> dict[str, Any]:
    name = run.directory.name if run.directory else "model"
    return {"id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time()), "model": name}


def _event(value: Any) -> str:
    return f"data: {json.dumps(value)}\n\n"

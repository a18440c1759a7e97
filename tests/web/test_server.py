"""The server: who may reach it, what it answers, and that it stays whole."""

import asyncio
import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("starlette", reason="starlette is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")

import httpx

from seqnets.errors import UserError
from seqnets.web import server
from seqnets.web.completions import Request, request_of
from web.conftest import named

TOKEN = "a-secret"
KEY = {"Authorization": f"Bearer {TOKEN}"}


def ask(app, method, path, **options):
    """One request to the application, in this process."""

    async def asked():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
            return await client.request(method, path, **options)

    return asyncio.run(asked())


@pytest.fixture
def app(run):
    return server.application([run], lambda: "<!doctype html>the page", token=TOKEN)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"/{TOKEN}/", {}, 200),
        ("/wrong/", {}, 401),
        ("/wrong/", KEY, 401),
        (f"/{TOKEN}/", {"Host": "evil.example"}, 403),
        (f"/{TOKEN}/", {"Host": "127.0.0.1.evil.example:80"}, 403),
        (f"/{TOKEN}/", {"Host": "localhost:8000"}, 200),
        (f"/{TOKEN}/", {"Host": "[::1]:8000"}, 200),
        (f"/{TOKEN}/", {"Origin": "http://evil.example"}, 403),
        (f"/{TOKEN}/", {"Origin": "null"}, 403),
        (f"/{TOKEN}/", {"Origin": "http://127.0.0.1:1"}, 200),
        ("/", {}, 404),
        ("/v1/models", {}, 401),
        ("/v1/models", KEY, 200),
        (f"/{TOKEN}/../../etc/passwd", {}, 404),
        (f"/{TOKEN}/%2e%2e/%2e%2e/etc/passwd", {}, 404),
    ],
)
def test_who_may_reach_it(app, path, headers, status):
    assert ask(app, "GET", path, headers=headers).status_code == status


def test_the_page_may_not_be_framed_or_kept(app):
    headers = ask(app, "GET", f"/{TOKEN}/").headers
    assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")


def test_a_page_that_cannot_be_made_says_so(run):
    def broken():
        raise UserError("the text has changed")

    answer = ask(server.application([run], broken, token=TOKEN), "GET", f"/{TOKEN}/")
    assert answer.status_code == 500
    assert "the text has changed" in answer.text


def test_completions_are_samples(run, app):
    import jax

    from seqnets.decode import sample_many

    body = {"prompt": "It ", "max_tokens": 20, "seed": 3, "temperature": 0.8, "top_p": 0.9, "n": 2}
    found = ask(app, "POST", "/v1/completions", json=body, headers=KEY).json()
    expected = sample_many(run.model, "It ", samples=2, key=jax.random.key(3), length=20, temperature=0.8, top_p=0.9)
    assert [choice["text"] for choice in found["choices"]] == expected
    assert found["usage"] == {"prompt_tokens": 3, "completion_tokens": 40, "total_tokens": 43}
    stopped = ask(app, "POST", "/v1/completions", json={**body, "n": 1, "stop": expected[0][4:6]}, headers=KEY).json()["choices"][
        0
    ]
    assert expected[0].startswith(stopped["text"])
    assert stopped["finish_reason"] == "stop"


def test_log_probabilities_are_those_of_the_model(run, app):
    import jax
    import jax.numpy as jnp

    body = {"prompt": "It ", "max_tokens": 5, "seed": 3, "logprobs": 2}
    choice = ask(app, "POST", "/v1/completions", json=body, headers=KEY).json()["choices"][0]
    tokens = run.vocabulary.encode("It " + choice["text"])
    logits, _ = run.model(jnp.asarray(tokens[None]), run.model.initialize_carry(1))
    expected = jax.nn.log_softmax(logits[0, 2:-1])[jnp.arange(5), tokens[3:]]
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(expected.tolist(), abs=1e-4)
    assert choice["logprobs"]["tokens"] == list(choice["text"])
    assert choice["logprobs"]["text_offset"] == [3, 4, 5, 6, 7]
    best = choice["logprobs"]["top_logprobs"][0]
    assert max(best.values()) == pytest.approx(float(jax.nn.log_softmax(logits[0, 2]).max()), abs=1e-4)


def test_a_stream_is_the_same_text(app):
    body = {"prompt": "It ", "max_tokens": 30, "seed": 3}
    whole = ask(app, "POST", "/v1/completions", json=body, headers=KEY).json()["choices"][0]["text"]
    lines = ask(app, "POST", "/v1/completions", json={**body, "stream": True}, headers=KEY).text.split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line and not line.endswith("[DONE]")]
    assert "".join(event["choices"][0]["text"] for event in events) == whole
    assert events[-1]["choices"][0]["finish_reason"] == "length"
    assert lines[-2] == "data: [DONE]"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "JSON object"),
        ({"prompt": 5}, "prompt"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"n": 0}, "n must"),
        ({"wrong": 1}, "wrong"),
        ({"prompt": ["a", "b"]}, "one text"),
        ({"echo": True, "prompt": "a"}, "echo"),
        ({"top_p": 2}, "top_p"),
        ({"prompt": "é"}, "has no character"),
        ({"seed": "x"}, "seed"),
        ({"stop": [1]}, "stop"),
    ],
)
def test_mistakes_get_a_sentence(app, body, message):
    answer = ask(app, "POST", "/v1/completions", json=body, headers=KEY)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"prompt": "\\ud800"}', b"[" * 100_000])
def test_bodies_that_are_no_json(app, content):
    answer = ask(app, "POST", "/v1/completions", content=content, headers=KEY)
    assert answer.status_code == 400


def test_a_large_body_is_refused(app):
    answer = ask(app, "POST", "/v1/completions", content=b"x" * (server.MOST_BYTES + 1), headers=KEY)
    assert answer.status_code == 400
    assert "larger" in answer.json()["error"]["message"]


def test_only_a_few_draw_at_once(app, monkeypatch):
    entered, leave = [], threading.Event()

    def slow(*_):
        entered.append(1)
        leave.wait(20)
        return {}

    monkeypatch.setattr(server.completions, "complete", slow)

    async def many():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1", timeout=60) as client:
            post = [client.post("/v1/completions", json={}, headers=KEY) for _ in range(200)]
            tasks = [asyncio.ensure_future(one) for one in post]
            while sum(task.done() for task in tasks) < 200 - server.AT_ONCE:
                await asyncio.sleep(0.01)
            leave.set()
            return [answer.status_code for answer in await asyncio.gather(*tasks)]

    codes = asyncio.run(many())
    assert sorted(set(codes)) == [200, 503]
    assert codes.count(200) == server.AT_ONCE == len(entered)
    assert ask(app, "POST", "/v1/completions", json={}, headers=KEY).status_code == 200


def test_news_are_the_lines_that_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_SECONDS", 0.01)
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')

    async def heard():
        found, news = [], server._news([tmp_path])
        async for event in news:
            if not event.startswith("data: "):
                continue
            found.append(json.loads(event.removeprefix("data: ")))
            if len(found) == 1:
                path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n')
            elif len(found) == 2:  # training was killed, and continues from step 1
                path.write_text('{"step": 1}\n{"step": 2, "loss": 1}\n')
            elif len(found) == 3:
                (tmp_path / "samples.jsonl").write_text('{"step": 2, "text": "a"}\n')
            else:
                await news.aclose()
                return found
        return found

    first, second, third, fourth = asyncio.run(heard())
    assert first == {"run": 0, "what": "metrics", "from": 0, "lines": [{"step": 1}, {"step": 2}]}
    assert second == {"run": 0, "what": "metrics", "from": 2, "lines": [{"step": 3}]}
    assert third == {"run": 0, "what": "metrics", "from": 1, "lines": [{"step": 2, "loss": 1}]}
    assert fourth == {"run": 0, "what": "samples", "from": 0, "lines": [{"step": 2, "text": "a"}]}


def test_requests_are_read():
    assert request_of({"prompt": ["a"], "stop": ["x", "y"], "user": "me", "n": None}) == Request("a", stop=("x", "y"))


@pytest.fixture
def address(serve, run, tmp_path):
    return serve(server.application([named(run, tmp_path)], lambda: "the page", token=TOKEN))


def test_with_openais_own_client(address, run):
    openai = pytest.importorskip("openai", reason="openai is not installed")
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0)
    found = client.completions.create(model="any", prompt="It ", max_tokens=12, seed=1, logprobs=1, n=2)
    assert [len(choice.text) for choice in found.choices] == [12, 12]
    assert all(math.isfinite(nat) for nat in found.choices[0].logprobs.token_logprobs)
    pieces = client.completions.create(model="any", prompt="It ", max_tokens=12, seed=1, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == found.choices[0].text
    with pytest.raises(openai.BadRequestError, match="max_tokens"):
        client.completions.create(model="any", prompt="It ", max_tokens=-1)
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{address}/v1", api_key="no", max_retries=0).models.list()


def test_cut_and_slow_clients_leave_it_whole(address):
    import socket

    host, port = address.removeprefix("http://").split(":")
    for content in (b"", b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{", b"\x00" * 99):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(content)
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: httpx.get(f"{address}/{TOKEN}/", timeout=30).status_code, range(100)))
    assert set(codes) == {200}


@pytest.fixture(scope="module")
def pictures_app():
    from flax import nnx

    from seqnets.data.images.preprocessing import Preprocessing
    from seqnets.models.classifier import ClassifierConfig, describe, make_classifier
    from seqnets.run import Run

    rule = Preprocessing(resize=(28, 28), crop=None, mean=(0.5,) * 3, std=(0.5,) * 3)
    model = make_classifier(ClassifierConfig("lenet5"), ("cat", "</script>"), rule, in_channels=3, rngs=nnx.Rngs(0))
    config = {"task": "classifier", "model": describe(model, ClassifierConfig("lenet5")), "train": {}}
    return server.application([Run(model, config, None, None, [])], lambda: "the page", token=TOKEN)


def picture_of(width, height, mode="RGB"):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG")
    return file.getvalue()


def send(app, body, panel="pictures", **options):
    return ask(app, "POST", f"/{TOKEN}/panels/{panel}", content=body, **options)


def test_a_panel_answers(pictures_app):
    answer = send(pictures_app, picture_of(40, 30))
    assert answer.status_code == 200
    assert not set("<>&") & set(answer.text)
    assert sum(p for _, p in answer.json()["answers"]) == pytest.approx(1)
    assert send(pictures_app, b"", "captions").status_code == 404
    assert send(pictures_app, b"", params={"settings": "["}).status_code == 400
    assert send(pictures_app, b"", "../../etc/passwd").status_code == 404
    assert send(pictures_app, picture_of(4, 4), headers={"Origin": "http://evil.example"}).status_code == 403
    assert ask(pictures_app, "POST", "/wrong/panels/pictures", content=b"").status_code == 401
    assert ask(pictures_app, "GET", f"/{TOKEN}/panels/pictures").status_code == 405


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no picture"),
        (picture_of(40, 30)[:60], "damaged"),
        (b"<svg onload=alert(1)>", "not an image"),
        (picture_of(7000, 7000, "1"), "more than the 40,000,000 allowed"),  # 6 kB that would become 147 MB
        (b"x" * ((16 << 20) + 1), "larger than 16 MB"),
    ],
)
def test_pictures_that_are_refused(pictures_app, body, message):
    answer = send(pictures_app, body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("given", ["[1]", '{"beam": "x"}', '{"beam": 10000}', '{"seed": -1}', '{"wrong": 1}'])
def test_settings_that_are_refused(given):
    from seqnets.run import Run
    from seqnets.web.panels import captions

    with pytest.raises(UserError):
        captions.answer(Run(None, {}, None, None, []), b"", json.loads(given))


def test_a_few_pictures_at_once_and_slow_ones_end(pictures_app, monkeypatch):
    entered, leave = [], threading.Event()

    def slow(*_):
        entered.append(1)
        leave.wait(20)
        return {}

    monkeypatch.setattr(server.panels, "answer", slow)

    async def many():
        transport = httpx.ASGITransport(pictures_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1", timeout=60) as client:
            tasks = [asyncio.ensure_future(client.post(f"/{TOKEN}/panels/pictures", content=b"x")) for _ in range(200)]
            while sum(task.done() for task in tasks) < 200 - server.AT_ONCE:
                await asyncio.sleep(0.01)
            leave.set()
            return [answer.status_code for answer in await asyncio.gather(*tasks)]

    codes = asyncio.run(many())
    assert codes.count(200) == server.AT_ONCE == len(entered)
    assert codes.count(503) == 200 - server.AT_ONCE

    async def endless():
        yield b"x"
        await asyncio.sleep(30)

    monkeypatch.setattr(server, "_PATIENCE", 0.05)
    assert send(pictures_app, endless()).status_code == 408

"""The page of a run from a small local server, live while the run trains, and completions for other programs.

What protects it: it listens on 127.0.0.1 unless asked otherwise; every address holds a secret that is drawn at the start; the
names of host and origin are checked, so that no other page of the browser can reach it; bodies have a limit, and pictures one
of pixels before they are decoded; the model works on a few requests at once; no path of the file system comes from a request.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from seqnets.errors import UserError
from seqnets.run import METRICS, Run, read_lines, read_samples
from seqnets.web import completions, panels, uploads
from seqnets.web.documents import as_json

MOST_BYTES = 4 << 20  # of a request for completions
AT_ONCE = 4  # requests that the model works on
_SECONDS = 1.0  # between looks at the metrics
_PATIENCE = 60.0  # seconds for the body of a request to a panel
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_Answer = Callable[[Request], Awaitable[Response]]


def application(
    runs: Sequence[Run],
    page: Callable[[], str],
    *,
    token: str | None = None,
    hosts: Sequence[str] = ("127.0.0.1", "localhost", "[::1]"),
    separator: tuple[int, ...] = (),
) -> Starlette:
    """Return the application: the page at `/TOKEN/`, its events, the answers of its panels, and `/v1/completions`.

    Args:
        runs: the runs of the page; the first draws texts.
        page: returns the page; it may take its time.
        token: the secret; drawn if None. It is in `application.state.token`.
        hosts: the names under which it may be reached.
        separator: tokens of the document separator.
    """
    server = _Server(runs, page, token or secrets.token_urlsafe(16), tuple(hosts), separator)
    routes = [
        Route("/{token}/", server.guarded(server.show)),
        Route("/{token}/events", server.guarded(server.events)),
        Route("/{token}/panels/{panel}", server.guarded(server.answer), methods=["POST"]),
        Route("/v1/models", server.guarded(server.models)),
        Route("/v1/completions", server.guarded(server.complete), methods=["POST"]),
        Route("/{token}/v1/completions", server.guarded(server.complete), methods=["POST"]),
    ]
    found = Starlette(routes=routes, exception_handlers={404: _missing})
    found.state.token = server.secret
    return found


class _Server:
    """The answers to requests, each behind the same three checks."""

    def __init__(
        self, runs: Sequence[Run], page: Callable[[], str], secret: str, hosts: tuple[str, ...], separator: tuple[int, ...]
    ) -> None:
        self.secret = secret
        self._runs, self._page, self._hosts, self._separator = runs, page, hosts, separator
        self._free = asyncio.Semaphore(AT_ONCE)

    def guarded(self, answer: _Answer) -> _Answer:
        """Refuse a request under another name, from another page, or without the secret; answer mistakes with a sentence."""

        async def checked(request: Request) -> Response:
            if refusal := self._refusal(request):
                return refusal
            try:
                return await answer(request)
            except UserError as error:
                return _error(400, str(error))

        return checked

    def _refusal(self, request: Request) -> Response | None:
        if _name(request.headers.get("host", "")) not in self._hosts:
            return _error(403, "this server is reached by another name; use the address that it printed")
        origin = request.headers.get("origin")
        if origin is not None and _name(origin.partition("://")[2]) not in self._hosts:
            return _error(403, "requests from other pages are refused")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest((request.path_params.get("token") or bearer).encode(), self.secret.encode()):
            return _error(401, "the address lacks the secret; use the one that the server printed, or send it as the API key")
        return None

    async def show(self, request: Request) -> Response:
        try:
            return HTMLResponse(await run_in_threadpool(self._page), headers=_HEADERS)
        except UserError as error:
            return PlainTextResponse(f"there is no page of this run: {error}\n", 500, headers=_HEADERS)

    async def events(self, request: Request) -> Response:
        folders = [run.directory for run in self._runs if run.directory]
        return StreamingResponse(_news(folders), media_type="text/event-stream", headers=_HEADERS)

    async def models(self, request: Request) -> Response:
        name = self._runs[0].directory.name if self._runs[0].directory else "model"
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model", "owned_by": "you"}]})

    async def complete(self, request: Request) -> Response:
        wanted = completions.request_of(_json(await _body(request, MOST_BYTES), "the body"))
        if self._free.locked():
            return _busy()
        async with self._free:
            if not wanted.stream:
                return JSONResponse(await run_in_threadpool(completions.complete, self._runs[0], wanted, self._separator))
            first, rest = await _begun(completions.stream(self._runs[0], wanted, self._separator))
        return StreamingResponse(_held(self._free, first, rest), media_type="text/event-stream", headers=_HEADERS)

    async def answer(self, request: Request) -> Response:
        wanted = _json(request.query_params.get("settings", "{}"), "settings")
        if self._free.locked():
            return _busy()
        async with self._free:
            try:
                body = await asyncio.wait_for(_body(request, uploads.MOST_BYTES), _PATIENCE)
            except TimeoutError:
                return _error(408, f"the request did not arrive within {_PATIENCE:.0f} seconds; try again")
            found = await run_in_threadpool(panels.answer, self._runs[0], request.path_params["panel"], body, wanted)
        if found is None:
            return _error(404, "the page of this run has no such panel")
        return Response(as_json(found), media_type="application/json", headers=_HEADERS)


def _json(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{what} is not valid JSON") from None


def _busy() -> Response:
    return _error(503, f"the model works on {AT_ONCE} requests already; try again", {"Retry-After": "1"})


async def _missing(request: Request, error: Exception) -> Response:
    return PlainTextResponse("nothing is here; use the address that the server printed\n", 404)


async def _body(request: Request, most: int) -> bytes:
    """Read a body, and no more than the limit of it."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise UserError(f"the request is larger than {most >> 20} MB; send less")
        parts.append(part)
    return b"".join(parts)


async def _begun(events: Any) -> tuple[str, Any]:
    """Wait for the first event, so that a mistake in the request still gets its own answer."""
    return await run_in_threadpool(next, events), events


async def _held(free: asyncio.Semaphore, first: str, rest: Any) -> AsyncIterator[str]:
    async with free:
        yield first
        async for event in iterate_in_threadpool(rest):
            yield event


_FOLLOWED = {"metrics": lambda folder: read_lines(folder / METRICS), "samples": read_samples}


async def _news(folders: Sequence[Path]) -> AsyncIterator[str]:
    """Yield what changed in the metrics and samples of the runs: the first changed line of each, and all from there on."""
    known: dict[tuple[int, str], list[Any]] = {}
    yield "retry: 2000\n\n"
    while True:
        for (number, folder), (what, read) in product(enumerate(folders), _FOLLOWED.items()):
            try:
                lines = await run_in_threadpool(read, folder)
            except (OSError, UserError):
                continue  # it is being replaced
            before = known.get((number, what), [])
            shared = min(len(before), len(lines))
            same = next((i for i in range(shared) if before[i] != lines[i]), shared)
            if same < max(len(before), len(lines)):
                known[number, what] = lines
                yield f"data: {json.dumps({'run': number, 'what': what, 'from': same, 'lines': lines[same:]})}\n\n"
        yield ": still here\n\n"
        await asyncio.sleep(_SECONDS)


def _name(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"error": {"message": message, "type": "invalid_request_error" if status < 500 else "overloaded", "code": status}}
    return JSONResponse(body, status, headers={**_HEADERS, **(headers or {})})

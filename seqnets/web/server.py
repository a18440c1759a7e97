"""The page of a run from a small local server, live while the run trains, and completions for other programs.

What protects it: it listens on 127.0.0.1 unless asked otherwise; every address holds a secret that is drawn at the start; the
names of host and origin are checked, so that no other page of the browser can reach it; bodies have a limit, and pictures one
of pixels before they are decoded; the model works on a few requests at once; no path of the file system comes from a request.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
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
_BUSY = f"the model works on {AT_ONCE} requests already; try again"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


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
    secret = token or secrets.token_urlsafe(16)
    free = asyncio.Semaphore(AT_ONCE)

    def refused(request: Request) -> Response | None:
        if _name(request.headers.get("host", "")) not in hosts:
            return _error(403, "this server is reached by another name; use the address that it printed")
        origin = request.headers.get("origin")
        if origin is not None and _name(origin.partition("://")[2]) not in hosts:
            return _error(403, "requests from other pages are refused")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest((request.path_params.get("token") or bearer).encode(), secret.encode()):
            return _error(401, "the address lacks the secret; use the one that the server printed, or send it as the API key")
        return None

    async def show(request: Request) -> Response:
        if answer := refused(request):
            return answer
        try:
            return HTMLResponse(await run_in_threadpool(page), headers=_HEADERS)
        except UserError as error:
            return PlainTextResponse(f"there is no page of this run: {error}\n", 500, headers=_HEADERS)

    async def events(request: Request) -> Response:
        folders = [run.directory for run in runs if run.directory]
        return refused(request) or StreamingResponse(_news(folders), media_type="text/event-stream", headers=_HEADERS)

    async def models(request: Request) -> Response:
        name = runs[0].directory.name if runs[0].directory else "model"
        return refused(request) or JSONResponse({"object": "list", "data": [{"id": name, "object": "model", "owned_by": "you"}]})

    async def complete(request: Request) -> Response:
        if answer := refused(request):
            return answer
        try:
            wanted = completions.request_of(json.loads(await _body(request, MOST_BYTES)))
        except UserError as error:
            return _error(400, str(error))
        except (ValueError, RecursionError):
            return _error(400, "the body is not valid JSON")
        if free.locked():
            return _error(503, _BUSY, {"Retry-After": "1"})
        async with free:
            try:
                if not wanted.stream:
                    return JSONResponse(await run_in_threadpool(completions.complete, runs[0], wanted, separator))
                first, rest = await _begun(completions.stream(runs[0], wanted, separator))
            except UserError as error:
                return _error(400, str(error))
        return StreamingResponse(_held(free, first, rest), media_type="text/event-stream", headers=_HEADERS)

    async def answer(request: Request) -> Response:
        if refusal := refused(request):
            return refusal
        try:
            wanted = json.loads(request.query_params.get("settings", "{}"))
        except (ValueError, RecursionError):
            return _error(400, "settings is not valid JSON")
        if free.locked():
            return _error(503, _BUSY, {"Retry-After": "1"})
        async with free:
            try:
                body = await asyncio.wait_for(_body(request, uploads.MOST_BYTES), _PATIENCE)
                found = await run_in_threadpool(panels.answer, runs[0], request.path_params["panel"], body, wanted)
            except UserError as error:
                return _error(400, str(error))
            except TimeoutError:
                return _error(408, f"the request did not arrive within {_PATIENCE:.0f} seconds; try again")
        if found is None:
            return _error(404, "the page of this run has no such panel")
        return Response(as_json(found), media_type="application/json", headers=_HEADERS)

    routes = [
        Route("/{token}/", show),
        Route("/{token}/events", events),
        Route("/{token}/panels/{panel}", answer, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/completions", complete, methods=["POST"]),
        Route("/{token}/v1/completions", complete, methods=["POST"]),
    ]
    found = Starlette(routes=routes, exception_handlers={404: _missing})
    found.state.token = secret
    return found


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

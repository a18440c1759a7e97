"""`seqnets show RUN...`: the page of a run, or of several, in a browser or as one file; `seqnets serve RUN` for programs."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_offline, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

_EPILOG = """\
The page runs the model in the browser: write with it, see what single units follow, where it is surprised, what it remembers.
Its findings come from the run's own held-out text, or from FILE. With --html it is one file that needs no server."""
_SERVE = """\
POST /v1/completions answers as OpenAI's interface does: prompt, max_tokens, temperature, top_p, stop, seed, n, logprobs, stream.
The secret that is printed is the API key."""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets show`; see `seqnets show --help`."""
    found = _parser("show", _EPILOG).read(argv)
    runs = [_run(directory) for directory in found.runs]
    if found.html is not None:
        from seqnets.files import replace_file

        page = _page(runs, found, live=None)
        replace_file(Path(found.html), page)
        print(f"{found.html}: {len(page) / 1e6:.1f} MB")
        return 0
    return _served(runs, found)


def serve(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets serve`; see `seqnets serve --help`."""
    found = _parser("serve", _SERVE).read(argv)
    found.no_browser = True
    return _served([_run(found.runs)], found)


def _parser(verb: str, epilog: str) -> Parser:
    parser = Parser(f"seqnets {verb}", VERBS[verb].summary, epilog=epilog)
    if verb == "show":
        parser.add_argument("runs", metavar="RUN", nargs="+", help="runs; the panels about one model are about the first")
        parser.add_argument("--html", metavar="FILE", help="write the page as one file, and start no server")
        parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
        parser.add_argument("--images", metavar="FOLDER", help="the pictures to look at [the run's held-out ones]")
    else:
        parser.add_argument("runs", metavar="RUN", help="a run of `seqnets train text`")
    parser.add_argument("--text", metavar="FILE", help="texts for the findings [the run's held-out ones]")
    setting, number = parser.value(_precisions()), parser.value(int)
    names = "|".join(get_args(_precisions()))
    parser.add_argument("--weights", type=setting, default="float16", metavar=names, help="weights in the page [float16]")
    parser.add_argument("--port", type=number, default=0, metavar="N", help="the port [any free one]")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen [127.0.0.1: only this machine]")
    add_offline(parser)
    return parser


def _precisions() -> Any:
    from typing import Literal

    return Literal["float32", "float16", "int8"]  # as in seqnets.web.packing, which would load NumPy for --help


def _run(directory: str) -> Any:
    """Load a run; one that has no weights yet comes without its model."""
    from seqnets.run import METRICS, WEIGHTS, Run, read_config, read_lines, run_folder
    from seqnets.tasks import TASKS

    folder = run_folder(directory)
    config = read_config(folder)
    if not (folder / WEIGHTS).is_file() and (folder / METRICS).is_file():
        return Run(None, config, None, folder, read_lines(folder / METRICS))
    return load_trained(folder, *TASKS, fits=lambda model: True)


def _page(runs: Sequence[Any], found: argparse.Namespace, live: str | None) -> str:
    from seqnets.web import document
    from seqnets.web.material import check_options

    first = runs[0]
    given = check_options(first, {name: getattr(found, name, None) for name in ("text", "images")})
    material, source = to_look_at(first, given)
    return document(runs, material, source=source, separator=separator_of(first), precision=found.weights, live=live)


def to_look_at(run: Any, given: str | None) -> tuple[Any, str]:
    """Return data that a run did not learn from, and what to call it.

    Without any, there is None, and a message on standard error says why.

    Raises:
        UserError: what is given cannot be read.
    """
    from seqnets.web.material import held_out

    try:
        return held_out(run, given)
    except UserError as error:
        if given is not None:
            raise
        print(f"seqnets: there are no findings about held-out data: {error}", file=sys.stderr)
    return None, ""


def separator_of(run: Any) -> tuple[int, ...]:
    """Return the tokens between documents of a character model; none for other runs."""
    if not hasattr(run.model, "stepper"):
        return ()
    return tuple(run.vocabulary.encode(run.config["data"].get("separator", "")).tolist())


def _served(runs: Sequence[Any], found: argparse.Namespace) -> int:
    if not 0 <= found.port < 1 << 16:
        raise UserError(f"--port must be from 0 to 65535, not {found.port}")
    try:
        import uvicorn

        from seqnets.web.server import application
    except ImportError:
        advice = "pip install 'seqnets[web]', or write the page with --html FILE"
        raise UserError(f"the server needs starlette and uvicorn: {advice}") from None
    listening = _socket(found.host, found.port)
    port = listening.getsockname()[1]
    shown = "127.0.0.1" if found.host in ("0.0.0.0", "::") else found.host
    hosts = {"127.0.0.1", "localhost", "[::1]", found.host, *_names(found.host)}
    making = _in_background(lambda: _page(runs, found, live="events"))
    app = application(runs, making, hosts=sorted(hosts), separator=separator_of(runs[0]))
    address = f"http://{shown}:{port}/{app.state.token}/"
    print(address, flush=True)
    if hasattr(runs[0].model, "stepper"):
        print(f"completions: base_url=http://{shown}:{port}/v1 api_key={app.state.token}", file=sys.stderr, flush=True)
    if not found.no_browser:
        import webbrowser

        webbrowser.open(address)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, limit_concurrency=256)
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _in_background(make: Callable[[], str]) -> Callable[[], str]:
    """Begin to make the page while the browser starts; return a function that waits for it."""
    import threading

    made: list[Any] = []

    def work() -> None:
        try:
            made.append(make())
        except Exception as error:
            made.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def page() -> str:
        thread.join()
        if isinstance(made[0], Exception):
            raise made[0]
        return made[0]

    return page


def _socket(host: str, port: int) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # from here on, a browser that comes early waits
    except (OSError, OverflowError) as error:
        listening.close()
        raise UserError(f"cannot listen on {host}:{port}: {error}; choose another --port, or leave it out") from None
    return listening


def _names(host: str) -> list[str]:
    """Return the names under which a server on all addresses may be reached."""
    import socket

    return [socket.gethostname(), socket.getfqdn()] if host in ("0.0.0.0", "::") else []

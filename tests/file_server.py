"""A local server of files that fails on request, for tests of downloads."""

import contextlib
import http.server
import threading
import time


class FileServer:
    """Serves `files` (content by path) and records `requests` as (path, Range header).

    Args:
        ranges: whether it answers Range requests with a part.

    Attributes:
        breaks: so many replies end in the middle.
        hangs: so many replies stop in the middle until the server closes.
        busy: so many replies are 503.
        moved: old path to new path.
    """

    def __init__(self, ranges=True):
        self.ranges, self.files, self.moved, self.requests = ranges, {}, {}, []
        self.breaks = self.hangs = self.busy = 0
        self.closing = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler):
        name, span = handler.path[1:], handler.headers.get("Range")
        self.requests.append((name, span))
        if self.busy:
            self.busy -= 1
            handler.send_error(503)
        elif name in self.moved:
            handler.send_response(302)
            handler.send_header("Location", f"/{self.moved[name]}")
            handler.end_headers()
        elif name not in self.files:
            handler.send_error(404)
        else:
            self.send(handler, self.files[name], int(span[6:-1]) if span and self.ranges else 0)

    def send(self, handler, content, start):
        if start and start >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        rest = content[start:]
        half, hang = self.breaks or self.hangs, self.hangs
        self.breaks, self.hangs = max(0, self.breaks - 1), max(0, self.hangs - 1)
        with contextlib.suppress(OSError):
            handler.wfile.write(rest[: len(rest) // 2] if half else rest)
            handler.wfile.flush()
        if hang:
            self.closing.wait(20)
        handler.close_connection = True

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def serving(ranges=True):
    """Run a server for the length of a block."""
    server = FileServer(ranges)
    try:
        yield server
    finally:
        server.close()


def wait_until(condition, seconds=20):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)

"""A proxy that passes requests on to a server, and does to some of them what networks and servers do."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW = 3.0
"""Seconds that a slow reply takes."""

Faults = Callable[[int, bytes], str]
"""From the number of a request and its body to `pass`, `slow`, `cut`, `garbage`, `empty`, or a status such as `500`."""


class FaultProxy:
    def __init__(self, upstream: str, faults: Faults) -> None:
        self.requests: list[bytes] = []
        self.most_at_once = 0
        proxy, lock = self, threading.Lock()
        at_once = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                nonlocal at_once
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    number = len(proxy.requests)
                    proxy.requests.append(body)
                    at_once += 1
                    proxy.most_at_once = max(proxy.most_at_once, at_once)
                try:
                    self.handle_one(faults(number, body), body)
                except BrokenPipeError:
                    self.close_connection = True  # the client did not wait
                finally:
                    with lock:
                        at_once -= 1

            def handle_one(self, fault: str, body: bytes) -> None:
                if fault == "cut":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"choices": [')
                    self.close_connection = True
                elif fault in ("garbage", "empty"):
                    self.answer(200, b"<html>gateway</html>" if fault == "garbage" else b"{}")
                elif fault.isdigit():
                    self.answer(int(fault), b'{"error": "as asked"}', {"Retry-After": "0.01"} if fault == "429" else {})
                else:
                    if fault == "slow":
                        time.sleep(SLOW)
                    self.pass_on(body)

            def pass_on(self, body: bytes) -> None:
                headers = {k: v for k, v in self.headers.items() if k in ("Authorization", "Content-Type")}
                request = urllib.request.Request(upstream + self.path, body, headers)
                try:
                    with urllib.request.urlopen(request, timeout=60) as reply:
                        self.answer(reply.status, reply.read())
                except urllib.error.HTTPError as error:
                    self.answer(error.code, error.read())

            def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def faulty(upstream: str, faults: Faults) -> Iterator[FaultProxy]:
    proxy = FaultProxy(upstream, faults)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()

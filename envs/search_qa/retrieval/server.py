"""A retrieval server that speaks the API of Search-R1's, so that trainers written for it can use any retriever here.

`POST /retrieve` with `{"queries": [...], "topk": 3, "return_scores": true}` answers `{"result": [[{"document": {...},
"score": 1.5}, ...], ...]}`, one list a query; without `return_scores` the lists hold the documents themselves. A
document is `{"id", "title", "text", "contents"}`, where contents is the title in quotation marks, a new line, and the
text. `GET /health` says that the server is ready.

It is the standard library's threading server: a request is a whole batch of queries, so that the price of a request
hardly counts beside the search, and nothing needs to be installed. It binds to this machine unless told otherwise, and
it knows no passwords: put it on a network only where everybody may search.

Source: github.com/PeterGriffinJin/Search-R1, search_r1/search/retrieval_server.py and its client in
search_r1/llm_agent/generation.py.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from turnwise.envs.data_files import kind_of
from turnwise.envs.search_qa.loaders.search_r1 import document_to_json
from turnwise.envs.search_qa.records import Corpus
from turnwise.envs.search_qa.retrieval.protocol import Hit, RetrievalError, Retriever


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may ask for.

    Attributes:
        body_bytes: Size of the request.
        queries: Queries in it.
        topk: Hits a query.
        idle_seconds: After which a connection that says nothing is closed.
    """

    body_bytes: int = 8 * 2**20
    queries: int = 4096
    topk: int = 1000
    idle_seconds: float = 60.0


class BadRequestError(ValueError):
    """The request cannot be answered; the text says why."""


class RetrievalServer(ThreadingHTTPServer):
    """Serves one retriever over one corpus, a thread a connection. Listens as soon as it is made.

    Args:
        retriever: Finds.
        corpus: Holds what is found.
        host: Address to listen on.
        port: Port; 0 takes a free one, see `url`.
        topk: Hits a query where the request does not say.
        limits: What a request may ask for.

    Raises:
        OSError: The address is taken, or may not be listened on.

    Run it with `serve_forever()`, and end it from another thread or a signal handler's thread with `stop()`.
    """

    daemon_threads = False  # requests that are being answered are answered before the server ends
    request_queue_size = 128

    def __init__(
        self,
        retriever: Retriever,
        corpus: Corpus,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        topk: int = 3,
        limits: RequestLimits | None = None,
    ) -> None:
        self.retriever, self.corpus, self.topk = retriever, corpus, topk
        self.limits = limits or RequestLimits()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where requests go: `http://127.0.0.1:8000/retrieve`."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/retrieve"

    def stop(self) -> None:
        """Stop listening, answer what is being answered, and close all connections."""
        self.shutdown()
        with self._guard:
            waiting = list(self._open)
        for connection in waiting:
            try:
                connection.shutdown(socket.SHUT_RD)  # whoever waits for a next request sees the end
            except OSError:
                continue  # it has just closed by itself
        self.server_close()

    def answer(self, body: bytes) -> dict[str, Any]:
        """The answer to a request for documents.

        Raises:
            BadRequestError: It is malformed or asks for too much; the text says which field is wrong and what is valid.
            RetrievalError: The search failed.
        """
        queries, topk, with_scores = read_request(body, self.limits, self.topk)
        found = self.retriever.search(queries, topk)
        return {"result": [[self._entry(hit, with_scores) for hit in hits] for hits in found]}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, and serve it in a thread."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection, and close it."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong. A client that goes away in the middle, or says nothing for long, is no event."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def _entry(self, hit: Hit, with_score: bool) -> dict[str, Any]:
        document = document_to_json(self.corpus.document(hit.doc_id))
        return {"document": document, "score": hit.score} if with_score else document


class _Handler(BaseHTTPRequestHandler):
    server: RetrievalServer
    protocol_version = "HTTP/1.1"  # connections stay open
    server_version = "turnwise-retrieval"
    sys_version = ""
    disable_nagle_algorithm = True
    _routes: ClassVar[dict[str, str]] = {"/retrieve": "POST", "/health": "GET"}

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.limits.idle_seconds)

    def do_GET(self) -> None:
        if self._is_at("/health", "GET"):
            self._send(HTTPStatus.OK, {"status": "ready", "documents": len(self.server.corpus)})

    def do_POST(self) -> None:
        body = self._body()
        if body is None or not self._is_at("/retrieve", "POST"):
            return
        try:
            self._send(HTTPStatus.OK, self.server.answer(body))
        except BadRequestError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except RetrievalError as error:
            self._refuse(HTTPStatus.BAD_GATEWAY, str(error))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: a trainer sends thousands of requests a minute."""

    def _is_at(self, path: str, method: str) -> bool:
        asked = self.path.partition("?")[0].rstrip("/")
        if asked == path:
            return True
        expected = self._routes.get(asked)
        if expected is None:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {asked or '/'}; known: POST /retrieve, GET /health")
        else:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, f"{asked} takes {expected}, got {method}")
        return False

    def _body(self) -> bytes | None:
        """The request's body; None where it has been refused, and then the connection ends: it was not read."""
        length = self.headers.get("Content-Length", "")
        limit = self.server.limits.body_bytes
        if not (length.isascii() and length.isdigit()):
            problem = (HTTPStatus.LENGTH_REQUIRED, "the header Content-Length must say the size of the body in bytes")
        elif int(length[:19]) > limit:
            problem = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request holds at most {limit} bytes, got {length[:19]}")
        else:
            return self.rfile.read(int(length))
        self.close_connection = True
        self._refuse(*problem)
        return None

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._send(status, {"error": reason})

    def _send(self, status: HTTPStatus, content: Mapping[str, Any]) -> None:
        body = json.dumps(content).encode("ascii")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def read_request(body: bytes, limits: RequestLimits, default_topk: int) -> tuple[Sequence[str], int, bool]:
    """Queries, hits a query, and whether scores are wanted.

    As in Search-R1's server, no `topk`, null and 0 take the default.

    Raises:
        BadRequestError: See `RetrievalServer.answer`.

    >>> read_request(b'{"queries": ["lamp"], "return_scores": true}', RequestLimits(), 3)
    (['lamp'], 3, True)
    """
    try:
        request = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadRequestError(f"the body is not valid JSON: {error.msg} at character {error.pos}") from None
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body cannot be taken: {error}") from None
    if not isinstance(request, dict):
        raise BadRequestError(f"the body must be a JSON object, got {kind_of(request)}")
    queries, topk, scores = (request.get(name) for name in ("queries", "topk", "return_scores"))
    if not isinstance(queries, list) or not all(isinstance(query, str) for query in queries):
        found = kind_of(queries) if not isinstance(queries, list) else "a list with other things"
        raise BadRequestError(f"queries must be a list of texts, got {found}")
    if len(queries) > limits.queries:
        raise BadRequestError(f"queries must hold at most {limits.queries} texts, got {len(queries)}")
    if topk is not None and (isinstance(topk, bool) or not isinstance(topk, int) or not 0 <= topk <= limits.topk):
        raise BadRequestError(f"topk must be a whole number from 1 to {limits.topk}, got {str(topk)[:40]}")
    if scores is not None and not isinstance(scores, bool):
        raise BadRequestError(f"return_scores must be true or false, got {str(scores)[:40]}")
    return queries, topk or default_topk, bool(scores)

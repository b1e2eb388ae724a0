"""The client of a retrieval server: Search-R1's, or `turnwise retrieve serve`."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from turnwise.envs.data_files import kind_of
from turnwise.envs.search_qa.loaders.search_r1 import document_from_json, paragraph_id, split_contents
from turnwise.envs.search_qa.records import Document
from turnwise.envs.search_qa.retrieval.protocol import Hit, RetrievalError, RetrievalTimeoutError, checked_count

MAX_ANSWER_BYTES = 2**28
_RETRIED = frozenset({429, 500, 502, 503, 504})


class RemoteRetriever:
    """A `Retriever` that asks a server. Safe to share between threads: each request has a connection of its own.

    Args:
        url: Where the server takes requests, for example `http://127.0.0.1:8000/retrieve`.
        timeout: Seconds that one try may take in all, from connecting to the last byte.
        retries: Further tries where the server cannot be reached, does not answer in time, or says that it has a fault
            (HTTP 429, 500, 502, 503, 504). A request that the server refuses is not repeated.
        backoff: Seconds before the first further try; doubles with each.

    Raises:
        ValueError: The URL is none of HTTP, or a number is negative.
    """

    def __init__(self, url: str, *, timeout: float = 10.0, retries: int = 2, backoff: float = 0.5) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must be like http://127.0.0.1:8000/retrieve, got {url!r}")
        if timeout <= 0 or retries < 0 or backoff < 0:
            raise ValueError(
                f"timeout must be positive, retries and backoff at least 0, got {timeout}, {retries}, {backoff}"
            )
        self.url, self.timeout, self.retries, self.backoff = url, timeout, retries, backoff
        self._connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = (parts.path or "/retrieve") + (f"?{parts.query}" if parts.query else "")

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best documents for each query, see `Retriever`.

        Raises:
            RetrievalTimeoutError: The server did not answer in time, in any try.
            RetrievalError: It cannot be reached, refused the request, or answered something else; the message names
                the URL and says what.
        """
        found = self.search_documents(queries, k)
        return [[Hit(document.doc_id, score) for document, score in documents] for documents in found]

    def search_documents(self, queries: Sequence[str], k: int) -> list[list[tuple[Document, float]]]:
        """The documents themselves, with their scores. One without an id gets `paragraph_id`. Errors as in `search`."""
        asked = [query.encode("utf-8", "ignore").decode("utf-8") for query in queries]
        if not asked or checked_count(k) == 0:
            return [[] for _ in asked]
        answer = self._ask(json.dumps({"queries": asked, "topk": k, "return_scores": True}).encode("ascii"))
        try:
            return [[_document(item) for item in items[:k]] for items in _results(answer, len(asked))]
        except ValueError as error:
            raise RetrievalError(f"{self.url} answered something else than Search-R1's server: {error}") from error

    def _ask(self, body: bytes) -> Any:
        tries = self.retries + 1
        for number in range(tries):
            if number:
                time.sleep(self.backoff * 2 ** (number - 1))
            last = number == tries - 1
            try:
                status, content = self._post(body)
            except TimeoutError as error:
                if last:
                    text = f"{self.url} did not answer within {self.timeout:g} s ({_times(tries)})"
                    raise RetrievalTimeoutError(text) from error
            except (OSError, http.client.HTTPException) as error:
                if last:
                    text = f"{self.url} cannot be reached: {str(error) or type(error).__name__} ({_times(tries)})"
                    raise RetrievalError(text) from error
            else:
                if status == http.HTTPStatus.OK:
                    return self._parsed(content)
                if last or status not in _RETRIED:
                    raise RetrievalError(f"{self.url} answered {status}: {_reason(content)}")
        raise AssertionError("the last try returns or raises")

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """One try: status and content of the answer.

        A time limit of a socket is one of each wait; the deadline here is of all of them.
        """
        deadline = time.monotonic() + self.timeout
        connection = self._connect(self._host, self._port, timeout=self.timeout)
        try:
            connection.connect()
            socket = connection.sock
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            socket.settimeout(_remaining(deadline))
            response = connection.getresponse()
            parts, size = [], 0
            while part := response.read1(2**16):
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise http.client.HTTPException(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
                socket.settimeout(_remaining(deadline))
            return response.status, b"".join(parts)
        finally:
            connection.close()

    def _parsed(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RetrievalError(f"{self.url} answered no JSON: {error}") from error


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _times(tries: int) -> str:
    return "one try" if tries == 1 else f"{tries} tries"


def _reason(content: bytes) -> str:
    """What the server says of a refusal: `error` of ours, `detail` of Search-R1's, else the beginning of the text."""
    try:
        record = json.loads(content)
        told = record.get("error") or record.get("detail")
    except (ValueError, AttributeError, RecursionError):
        told = None
    return str(told)[:500] if told else content[:200].decode("utf-8", "replace") or "nothing more"


def _results(answer: Any, queries: int) -> list[list[Any]]:
    results = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(results, list) or len(results) != queries or not all(isinstance(r, list) for r in results):
        found = f"{len(results)}" if isinstance(results, list) else kind_of(results)
        raise ValueError(f"result must hold one list of documents for each of {queries} queries, got {found}")
    return results


def _document(item: Any) -> tuple[Document, float]:
    if not isinstance(item, Mapping) or not isinstance(item.get("document"), Mapping):
        raise ValueError(f"a result must be an object with a document, got {kind_of(item)}")
    record, score = dict(item["document"]), item.get("score", 0.0)
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        raise ValueError(f"a score must be a number, got {kind_of(score)}")
    if "id" not in record and isinstance(record.get("contents"), str):
        record["id"] = paragraph_id(*split_contents(record["contents"]))
    return document_from_json(record), float(score)

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from turnwise.envs.search_qa.records import Document
from turnwise.envs.search_qa.retrieval import Hit, ListCorpus, RetrievalError, RetrievalTimeoutError, Retriever
from turnwise.envs.search_qa.retrieval.bm25 import open_bm25
from turnwise.envs.search_qa.retrieval.remote import RemoteRetriever
from turnwise.envs.search_qa.retrieval.server import RequestLimits, RetrievalServer

CORPUS = ListCorpus(
    [
        Document("0", "Eiffel Tower", "The tower in Paris opened in 1889."),
        Document("1", "Lamps", "A lamp gives light."),
        Document("2", "", "A tower without a title."),
        Document("東", "東京", "東京の塔 \ud800"),
    ]
)


def running(retriever: Retriever, **options: Any) -> Iterator[RetrievalServer]:
    server = RetrievalServer(retriever, CORPUS, port=0, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RetrievalServer]:
    limits = RequestLimits(body_bytes=10_000, queries=5, topk=7)
    yield from running(open_bm25(CORPUS, "served", tmp_path_factory.mktemp("bm25")), limits=limits, topk=2)


def ask(server: RetrievalServer, body: bytes | str, path: str = "/retrieve", method: str = "POST") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    try:
        connection.request(method, path, body.encode() if isinstance(body, str) else body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_documents_with_scores_in_the_form_of_search_r1(server: RetrievalServer) -> None:
    request = {"queries": ["the tower in Paris", "lamp", "nothing"], "topk": 2, "return_scores": True}
    status, answer = ask(server, json.dumps(request))
    assert status == 200 and list(answer) == ["result"] and [len(items) for items in answer["result"]] == [2, 1, 0]
    first = answer["result"][0][0]
    assert set(first) == {"document", "score"} and isinstance(first["score"], float)
    assert first["document"]["id"] == "0"
    assert first["document"]["contents"] == '"Eiffel Tower"\nThe tower in Paris opened in 1889.'
    assert answer["result"][0][1]["document"]["contents"] == "A tower without a title."
    # What the client in search_r1/llm_agent/generation.py makes of it:
    title, *lines = first["document"]["contents"].split("\n")
    assert (title, lines) == ('"Eiffel Tower"', ["The tower in Paris opened in 1889."])


def test_documents_without_scores(server: RetrievalServer) -> None:
    _, answer = ask(server, '{"queries": ["tower", "lamp"], "topk": 1}')
    assert [[document["id"] for document in documents] for documents in answer["result"]] == [["0"], ["1"]]


@pytest.mark.parametrize("topk", ['"topk": null, ', '"topk": 0, ', ""])
def test_the_servers_own_number_of_hits(server: RetrievalServer, topk: str) -> None:
    _, answer = ask(server, f'{{{topk}"queries": ["tower lamp"]}}')
    assert len(answer["result"][0]) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not valid JSON: Expecting value at character 0"),
        (b'{"queries": ["x"', "the body is not valid JSON"),
        (b'{"queries": ["\xff"]}', "the body is not UTF-8 text: invalid start byte at byte 14"),
        (b"[" * 9000, "the body cannot be taken"),
        (b"[]", "the body must be a JSON object, got list"),
        (b"{}", "queries must be a list of texts, got null"),
        (b'{"queries": "x"}', "queries must be a list of texts, got str"),
        (b'{"queries": ["x", 3]}', "queries must be a list of texts, got a list with other things"),
        (b'{"queries": ["", "", "", "", "", ""]}', "queries must hold at most 5 texts, got 6"),
        (b'{"queries": ["x"], "topk": "3"}', "topk must be a whole number from 1 to 7, got 3"),
        (b'{"queries": ["x"], "topk": 8}', "topk must be a whole number from 1 to 7, got 8"),
        (b'{"queries": ["x"], "topk": -1}', "from 1 to 7, got -1"),
        (b'{"queries": ["x"], "topk": true}', "from 1 to 7, got True"),
        (b'{"queries": ["x"], "return_scores": "yes"}', "return_scores must be true or false, got yes"),
    ],
)
def test_a_bad_request_is_told_why(server: RetrievalServer, body: bytes, reason: str) -> None:
    status, answer = ask(server, body)
    assert status == 400 and reason in answer["error"]
    assert ask(server, '{"queries": ["lamp"]}')[0] == 200, "and the server goes on"


def test_any_text_is_a_query(server: RetrievalServer) -> None:
    status, answer = ask(server, json.dumps({"queries": ["", '"(lamp', "東京", "\ud800", "x" * 3000]}))
    assert status == 200
    assert [[d["id"] for d in documents] for documents in answer["result"]] == [[], ["1"], ["東"], [], []]
    assert answer["result"][2][0]["text"] == "東京の塔 \ud800"


def raw(server: RetrievalServer, request: bytes) -> tuple[int, Any]:
    with socket.create_connection(server.server_address[:2], timeout=10) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, json.loads(response.read())


def test_the_size_of_a_request_is_bounded_before_it_is_read(server: RetrievalServer) -> None:
    status, answer = raw(server, b"POST /retrieve HTTP/1.1\r\nContent-Length: 10001\r\n\r\n")
    assert status == 413 and answer["error"] == "a request holds at most 10000 bytes, got 10001"
    assert raw(server, b"POST /retrieve HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")[0] == 413
    for header in (b"", b"Content-Length: x\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n"):
        status, answer = raw(server, b"POST /retrieve HTTP/1.1\r\n" + header + b"\r\n")
        assert status == 411 and "Content-Length" in answer["error"]


def test_other_paths_and_methods(server: RetrievalServer) -> None:
    assert ask(server, b"", "/health", "GET") == (200, {"status": "ready", "documents": 4})
    status, answer = ask(server, b"{}", "/search")
    assert status == 404 and "POST /retrieve, GET /health" in answer["error"]
    assert ask(server, b"", "/retrieve", "GET") == (405, {"error": "/retrieve takes POST, got GET"})
    assert ask(server, b'{"queries": ["lamp"]}', "/retrieve/?x=1")[0] == 200


def test_a_connection_serves_many_requests(server: RetrievalServer) -> None:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    for _ in range(3):
        connection.request("POST", "/retrieve", b'{"queries": ["lamp"]}')
        response = connection.getresponse()
        assert response.status == 200 and not response.will_close
        response.read()
    connection.close()


def test_many_clients_at_once(server: RetrievalServer) -> None:
    retriever = RemoteRetriever(server.url)
    found: list[list[list[Hit]]] = []
    threads = [threading.Thread(target=lambda: found.append(retriever.search(["tower", "lamp"], 2))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16 and all(hits == found[0] for hits in found)


# The client


def test_the_client_is_a_retriever_like_the_one_that_is_served(server: RetrievalServer) -> None:
    remote, queries = RemoteRetriever(server.url), ["tower Paris", "", "\ud800 lamp", "東京"]
    assert isinstance(remote, Retriever)
    assert remote.search(queries, 3) == server.retriever.search(queries, 3)
    assert remote.search([], 3) == [] and remote.search(["lamp"], 0) == [[]]
    with pytest.raises(ValueError, match="k must be at least 0"):
        remote.search(["lamp"], -1)
    assert remote.search_documents(["lamp"], 1)[0][0][0] == CORPUS.document("1")


def test_a_refusal_is_passed_on_and_not_repeated(server: RetrievalServer) -> None:
    with pytest.raises(RetrievalError, match="/retrieve answered 400: queries must hold at most 5 texts, got 6"):
        RemoteRetriever(server.url, backoff=60).search(["x"] * 6, 1)


class Scripted(ThreadingHTTPServer):
    """Answers each request with the next of some (status, body, seconds of waiting); keeps on with the last."""

    def __init__(self, *answers: tuple[int, bytes, float]) -> None:
        self.answers, self.requests = list(answers), 0
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/retrieve"

    def __enter__(self) -> Scripted:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class ScriptedHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Scripted = self.server
        status, body, wait = server.answers[min(server.requests, len(server.answers) - 1)]
        server.requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if wait < 0:  # the answer comes in drops
                self.send_response(status)
                self.end_headers()
                for _ in range(20):
                    self.wfile.write(b" ")
                    time.sleep(-wait)
                return
            time.sleep(wait)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            return  # the client did not wait

    def log_message(self, format: str, *args: Any) -> None:
        pass


ONE = b'{"result": [[{"document": {"id": "7", "contents": "\\"T\\"\\ntext"}, "score": 1.5}]]}'


def test_faults_are_tried_again() -> None:
    with Scripted((503, b'{"error": "busy"}', 0), (500, b"oops", 0), (200, ONE, 0)) as server:
        assert RemoteRetriever(server.url, backoff=0.01).search(["x"], 3) == [[Hit("7", 1.5)]]
        assert server.requests == 3


def test_faults_that_stay_are_told() -> None:
    with Scripted((503, b'{"detail": "loading"}', 0)) as server:
        with pytest.raises(RetrievalError, match="/retrieve answered 503: loading"):
            RemoteRetriever(server.url, retries=1, backoff=0.01).search(["x"], 3)
        assert server.requests == 2


@pytest.mark.parametrize("wait", [1.0, -0.1])
def test_a_server_that_takes_too_long(wait: float) -> None:
    with Scripted((200, ONE, wait)) as server:
        with pytest.raises(RetrievalTimeoutError, match=r"did not answer within 0\.3 s \(2 tries\)"):
            RemoteRetriever(server.url, timeout=0.3, retries=1, backoff=0).search(["x"], 3)
        assert server.requests == 2


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/retrieve"
        with pytest.raises(RetrievalError, match=r"cannot be reached: .*refused \(one try\)"):
            RemoteRetriever(url, retries=0).search(["x"], 3)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"<html>", "answered no JSON"),
        (b"[]", "one list of documents for each of 1 queries, got null"),
        (b'{"result": []}', "for each of 1 queries, got 0"),
        (b'{"result": [[3]]}', "must be an object with a document, got int"),
        (b'{"result": [[{"document": {"id": "7"}}]]}', "field 'contents': expected text, found null"),
        (
            b'{"result": [[{"document": {"id": "7", "contents": ""}, "score": "high"}]]}',
            "a score must be a number, got str",
        ),
    ],
)
def test_a_server_that_answers_something_else(answer: bytes, told: str) -> None:
    with Scripted((200, answer, 0)) as server, pytest.raises(RetrievalError, match=told):
        RemoteRetriever(server.url).search(["x"], 3)


def test_documents_of_search_r1s_bm25_have_no_id() -> None:
    answer = b'{"result": [[{"document": {"title": "T", "text": "text", "contents": "\\"T\\"\\ntext"}, "score": 2}]]}'
    with Scripted((200, answer, 0)) as server:
        [[(document, score)]] = RemoteRetriever(server.url).search_documents(["x"], 3)
    assert (document.title, document.text, score, len(document.doc_id)) == ("T", "text", 2.0, 16)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host/", "http://", ""])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="url must be like http://"):
        RemoteRetriever(url)
    with pytest.raises(ValueError, match="timeout must be positive"):
        RemoteRetriever("http://127.0.0.1/", timeout=0)


def test_a_request_under_way_is_answered_before_the_server_ends() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        def search(self, queries: list[str], k: int) -> list[list[Hit]]:
            begun.set()
            go_on.wait(10)
            return [[Hit("1", 1.0)] for _ in queries]

    server = RetrievalServer(Slow(), CORPUS, port=0)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    answers: list[Any] = []
    client = threading.Thread(target=lambda: answers.append(RemoteRetriever(server.url).search(["x"], 1)))
    client.start()
    assert begun.wait(10)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    go_on.set()
    for thread in (client, stopping, serving):
        thread.join(10)
        assert not thread.is_alive()
    assert answers == [[[Hit("1", 1.0)]]]


def test_what_is_wrong_with_a_search_engine_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def search(self, queries: list[str], k: int) -> list[list[Hit]]:
            return [[Hit("no such document", 1.0)] for _ in queries]

    for server in running(Broken()):
        with pytest.raises(http.client.RemoteDisconnected):
            ask(server, '{"queries": ["x"]}')
        with socket.create_connection(server.server_address[:2]):  # a client that goes away
            pass
    assert capfd.readouterr().err.count("there is no document 'no such document'") == 1


def test_a_search_that_fails_is_a_bad_gateway() -> None:
    class Failing:
        def search(self, queries: list[str], k: int) -> list[list[Hit]]:
            raise RetrievalError("the index is gone")

    for server in running(Failing()):
        assert ask(server, '{"queries": ["x"]}') == (502, {"error": "the index is gone"})

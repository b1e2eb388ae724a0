"""`turnwise retrieve serve`: a retrieval server that speaks Search-R1's API."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnwise.cli.errors import CommandError, did_you_mean, reported

if TYPE_CHECKING:
    from turnwise.envs.search_qa.loaders import JsonlCorpus
    from turnwise.envs.search_qa.retrieval import Retriever
    from turnwise.envs.search_qa.retrieval.server import RetrievalServer

METHODS = ("bm25", "dense", "hybrid")

retrieve = typer.Typer(help="Search engines for search agents.", no_args_is_help=True)


@retrieve.command()
@reported
def serve(
    corpus: Annotated[Path, typer.Option(help='JSON lines {"id", "contents"}, plain or gzip.')],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on. There is no password: keep it private.")
    ] = "127.0.0.1",
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "bm25",
    model: Annotated[
        str | None, typer.Option(help="Sentence-embedding model of dense and hybrid: folder or name.")
    ] = None,
    query_prefix: Annotated[str, typer.Option(help="Put before queries by the model, such as 'query: '.")] = "",
    passage_prefix: Annotated[str, typer.Option(help="Put before documents, such as 'passage: '.")] = "",
    device: Annotated[str, typer.Option(help="Where the model runs.")] = "cpu",
    topk: Annotated[int, typer.Option(min=1, max=1000, help="Documents a query, where a request does not say.")] = 3,
    cache: Annotated[Path | None, typer.Option(help="Where the index is kept. [default: Turnwise's cache]")] = None,
) -> None:
    """Serve a corpus by the API of Search-R1's retrieval server: POST /retrieve.

    The index is built at the first start and kept. Ctrl-C or SIGTERM ends the server when it has answered what it is
    answering.

    [bold]Example:[/bold] turnwise retrieve serve --corpus wiki-18.jsonl --port 8000
    """
    from turnwise.envs.search_qa.loaders import JsonlCorpus
    from turnwise.envs.search_qa.retrieval.server import RetrievalServer

    if method not in METHODS:
        raise CommandError(f"There is no method {method!r}. {did_you_mean(method, METHODS)}")
    if method != "bm25" and model is None:
        raise CommandError(f"--method {method} needs --model, the folder or name of a sentence-embedding model.")
    documents = JsonlCorpus(corpus, cache_dir=cache)
    typer.echo(f"{len(documents):,} documents in {corpus}; opening the {method} index …", err=True)
    engines = []
    if method != "dense":
        engines.append(_bm25(documents, cache))
    if method != "bm25" and model is not None:
        engines.append(_dense(documents, cache, model, query_prefix, passage_prefix, device))
    server = RetrievalServer(_together(engines), documents, host=host, port=port, topk=topk)
    typer.echo(f"Serving {server.url}", err=True)
    _serve_until_told(server)
    typer.echo("Stopped.", err=True)


def _bm25(documents: JsonlCorpus, cache: Path | None) -> Retriever:
    from turnwise.envs.search_qa.retrieval import open_bm25

    return open_bm25(documents, documents.key, cache)


def _dense(
    documents: JsonlCorpus, cache: Path | None, model: str, query_prefix: str, passage_prefix: str, device: str
) -> Retriever:
    import hashlib

    from turnwise.envs.search_qa.retrieval import TransformersEmbedding, open_dense

    half = device != "cpu"
    embed = TransformersEmbedding(model, prefix=passage_prefix, device=device, half=half)
    ask = TransformersEmbedding(model, prefix=query_prefix, device=device, half=half)
    name = hashlib.sha256(f"{model}\0{passage_prefix}".encode()).hexdigest()[:8]
    return open_dense(documents, f"{documents.key}-{name}", embed, embed_query=ask, cache_dir=cache)


def _together(engines: list[Retriever]) -> Retriever:
    from turnwise.envs.search_qa.retrieval import HybridRetriever

    return engines[0] if len(engines) == 1 else HybridRetriever(engines)


def _serve_until_told(server: RetrievalServer) -> None:
    """Serve until a signal comes; then answer what is being answered, and end."""
    told: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told.append(number))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    serving.start()
    while not told:
        time.sleep(0.1)  # not a wait without end: the signal may reach another thread, which would not wake this one
    server.stop()
    serving.join()

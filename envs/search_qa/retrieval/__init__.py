"""Search engines behind one protocol: BM25, dense, both together, and a server for other people's trainers."""

from turnwise.envs.search_qa.retrieval.bm25 import Bm25Retriever, open_bm25
from turnwise.envs.search_qa.retrieval.dense import DenseRetriever, open_dense
from turnwise.envs.search_qa.retrieval.embedding import Embed, HashedEmbedding, TransformersEmbedding
from turnwise.envs.search_qa.retrieval.fusion import HybridRetriever, reciprocal_rank_fusion
from turnwise.envs.search_qa.retrieval.lists import ListCorpus
from turnwise.envs.search_qa.retrieval.protocol import Hit, RetrievalError, RetrievalTimeoutError, Retriever
from turnwise.envs.search_qa.retrieval.remote import RemoteRetriever

__all__ = [
    "Bm25Retriever",
    "DenseRetriever",
    "Embed",
    "HashedEmbedding",
    "Hit",
    "HybridRetriever",
    "ListCorpus",
    "RemoteRetriever",
    "RetrievalError",
    "RetrievalTimeoutError",
    "Retriever",
    "TransformersEmbedding",
    "open_bm25",
    "open_dense",
    "reciprocal_rank_fusion",
]

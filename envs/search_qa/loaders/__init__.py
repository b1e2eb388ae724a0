"""Published question answering data, by file path: streamed, never loaded whole."""

from turnwise.envs.search_qa.loaders.dataset import READERS, ParagraphCorpus, QuestionFile
from turnwise.envs.search_qa.loaders.example import Example
from turnwise.envs.search_qa.loaders.hotpotqa import read_hotpotqa, read_two_wiki
from turnwise.envs.search_qa.loaders.jsonl_corpus import JsonlCorpus
from turnwise.envs.search_qa.loaders.musique import read_musique
from turnwise.envs.search_qa.loaders.open_questions import read_open_questions

__all__ = [
    "READERS",
    "Example",
    "JsonlCorpus",
    "ParagraphCorpus",
    "QuestionFile",
    "read_hotpotqa",
    "read_musique",
    "read_open_questions",
    "read_two_wiki",
]

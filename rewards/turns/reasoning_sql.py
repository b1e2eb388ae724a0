"""Reasoning-SQL: partial rewards for a query that is not yet right."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from turnwise.rewards.facts import Fact, first_argument, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Turn

QueryRunner: TypeAlias = Callable[[str], "Sequence[Any] | None"]
"""Runs a query and returns its rows, or None where it cannot be run. It must not raise for a bad query."""

Schema: TypeAlias = Mapping[str, Iterable[str]]
"""Column names by table name."""

PARTS = ("execution", "judge", "syntax", "schema", "ngram", "format")

_STRING = re.compile(r"'(?:[^']|'')*'")
_NAME = re.compile(r"[^\W\d]\w*")


def jaccard(left: Iterable[Hashable], right: Iterable[Hashable]) -> float:
    """Size of the intersection over size of the union, in [0, 1]; 1 for two empty sets.

    >>> jaccard(["t.a", "t.b", "u.c"], ["t.a", "u.c", "u.d"])
    0.5
    """
    a, b = set(left), set(right)
    return len(a & b) / len(a | b) if a | b else 1.0


def ngram_similarity(predicted: str, gold: str, n: int = 2) -> float:
    """Jaccard similarity of the sets of word n-grams, in lower case; words are separated by white space.

    Args:
        predicted: A query.
        gold: The right query.
        n: Words a gram, at least 1.

    Raises:
        ValueError: `n` is smaller than 1.

    >>> round(ngram_similarity("select a from t where b = 1", "select a from t where c = 1"), 6)
    0.555556
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return jaccard(*(zip(*(text.lower().split()[i:] for i in range(n)), strict=False) for text in (predicted, gold)))


def schema_items(sql: str, schema: Schema) -> frozenset[str]:
    """The tables (`t`) and columns (`t.a`) of a schema that a query names, in lower case.

    Names are words outside string literals. A column counts for every table that the query names and that has it.

    Args:
        sql: Any text.
        schema: Column names by table name.

    >>> sorted(schema_items("SELECT a FROM t WHERE b = 'c'", {"t": ["a", "b", "c"], "u": ["a"]}))
    ['t', 't.a', 't.b']
    """
    words = {word.lower() for word in _NAME.findall(_STRING.sub(" ", sql))}
    named = {table.lower(): columns for table, columns in schema.items() if table.lower() in words}
    columns = {f"{table}.{column.lower()}" for table in named for column in named[table] if column.lower() in words}
    return frozenset(columns | named.keys())


def query_runner(
    execute: Callable[[str], Iterable[Any]], errors: tuple[type[Exception], ...], *, max_rows: int = 10_000
) -> QueryRunner:
    """A `QueryRunner` out of a database's own function, for example `sqlite3.Connection.execute`.

    The queries are a model's: open the database read-only, and have it break off queries that take too long.

    Args:
        execute: Runs a query and gives its rows, for example a cursor; raises for a bad one.
        errors: What it raises for a bad query. Anything else goes through.
        max_rows: Rows that are read of a result.

    >>> import sqlite3
    >>> run = query_runner(sqlite3.connect(":memory:").execute, (sqlite3.Error, sqlite3.Warning, ValueError))
    >>> run("select 1 + 1"), run("selekt 1") is None
    ([(2,)], True)
    """

    def run(sql: str) -> list[Any] | None:
        try:
            return list(islice(execute(sql), max_rows))
        except errors:
            return None

    return run


class ReasoningSQLReward:
    """`sum of weight * part` for the query of a turn; a turn without a query is paid 0.

    Parts, each in [0, 1]: `execution` (the same rows as the gold query, in any order), `judge` (an opinion of a query
    whose execution is wrong; 0 for a right one), `syntax` (the query runs), `schema` (Jaccard of tables and columns),
    `ngram` (Jaccard of word bigrams), `format` (the message is laid out as asked).

    Args:
        run: Runs queries, see `query_runner`.
        weights: Weight of each part. The published weights are not known for certain, so there is no default.
        sql: The turn's query (None or empty: none), default the argument `query` of its first tool call.
        gold: The right query.
        schema: Column names by table name; needed if `schema` has a weight.
        judge: Opinion in [0, 1]; needed if `judge` has a weight.
        format: Whether the message is laid out as asked; default `Turn.valid`.
        n: Words a gram.

    Raises:
        ValueError: `weights` names an unknown part, or one whose fact is missing.
        KeyError: The environment does not give a fact; the message names it.

    Source: Reasoning-SQL (arXiv 2503.23157). Provenance: unverified (the parts are the abstract's, their formulas and
    weights are not).

    >>> import sqlite3
    >>> run = query_runner(sqlite3.connect(":memory:").execute, (sqlite3.Error,))
    >>> reward = ReasoningSQLReward(run, {"execution": 3.0, "syntax": 1.0, "ngram": 1.0}, sql=lambda turn: turn.action)
    >>> [reward(Turn(0, "", text, privileged={"gold_sql": "select 2"})) for text in ("select 2", "select 1 + 1", "2")]
    [5.0, 4.0, 0.0]
    """

    def __init__(
        self,
        run: QueryRunner,
        weights: Mapping[str, float],
        *,
        sql: Fact | None = None,
        gold: Fact = "gold_sql",
        schema: Fact | None = None,
        judge: Fact | None = None,
        format: Fact | None = None,
        n: int = 2,
    ) -> None:
        if unknown := sorted(set(weights) - set(PARTS)):
            raise ValueError(f"weights names unknown parts {unknown}; parts are {PARTS}")
        missing = [name for name, fact in (("schema", schema), ("judge", judge)) if name in weights and fact is None]
        if missing:
            raise ValueError(f"weights has {missing}, which need the arguments of these names")
        self.run, self.weights, self.n = run, dict(weights), n
        self.sql, self.gold, self.schema, self.judge, self.format = sql, gold, schema, judge, format
        self.needs = privileged_keys(sql, gold, schema, judge, format)

    def __call__(self, turn: Turn) -> float:
        """The weighted parts of this turn."""
        sql = first_argument(turn, "query") if self.sql is None else read_fact(self.sql, turn, "sql")
        return sql_reward(self.parts(turn, str(sql)), self.weights) if sql else 0.0

    def parts(self, turn: Turn, sql: str) -> dict[str, float]:
        """The parts that have a weight."""
        gold = read_fact(self.gold, turn, "gold")
        rows = self.run(sql) if {"execution", "judge", "syntax"} & set(self.weights) else None
        right = rows is not None and _same_rows(rows, self.run(gold))
        return {name: self._part(name, turn, sql, gold, rows is not None, right) for name in self.weights}

    def _part(self, name: str, turn: Turn, sql: str, gold: str, runs: bool, right: bool) -> float:
        if name == "judge":
            assert self.judge is not None
            return 0.0 if right else float(read_fact(self.judge, turn, "judge"))
        if name == "schema":
            assert self.schema is not None
            schema = read_fact(self.schema, turn, "schema")
            return jaccard(schema_items(sql, schema), schema_items(gold, schema))
        if name == "ngram":
            return ngram_similarity(sql, gold, self.n)
        if name == "format":
            return float(turn.valid if self.format is None else read_fact(self.format, turn, "format"))
        return float(right if name == "execution" else runs)


def sql_reward(parts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """`sum of weight * part`.

    Raises:
        KeyError: A weighted part is missing.

    >>> sql_reward({"execution": 0.0, "syntax": 1.0}, {"execution": 3.0, "syntax": 1.0})
    1.0
    """
    return float(sum(weight * parts[name] for name, weight in weights.items()))


def _same_rows(rows: Sequence[Any], gold: Sequence[Any] | None) -> bool:
    return gold is not None and sorted(map(repr, rows)) == sorted(map(repr, gold))


RECORD = MethodRecord(
    name="reasoning_sql",
    function=ReasoningSQLReward,
    paper="Reasoning-SQL: Reinforcement Learning with SQL Tailored Partial Rewards for Reasoning-Enhanced Text-to-SQL",
    arxiv="2503.23157",
    provenance="unverified",
    scope="turn",
    needs=frozenset({"gold_sql"}),
    min_group=1,
    summary="Partial rewards for a query: schema, n-grams, syntax, format, and execution.",
)

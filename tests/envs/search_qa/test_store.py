from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from turnwise.envs.built_folder import BuildError
from turnwise.envs.search_qa import ids
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import SPLITS, World, open_world
from turnwise.envs.search_qa.world.articles import articles
from turnwise.envs.search_qa.world.claims import claims
from turnwise.envs.search_qa.world.country import country
from turnwise.envs.search_qa.world.questions import questions

OPEN = """
import sys
from itertools import pairwise
from pathlib import Path
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import open_world
world = open_world(WorldSpec(int(sys.argv[2]), 9), Path(sys.argv[1]), lambda *done: print(*done, flush=True))
print("opened", len(world), world.question(3).question, world.doc_id(7))
"""


def opener(cache: Path, size: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPEN, str(cache), str(size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_world_holds_what_its_countries_make(small: World) -> None:
    documents = list(small)
    made = [pair for number in range(5) for pair in articles(country(5, number))]
    assert len(small) == len(documents) == 450
    assert [(d.title, d.text) for d in documents] == made[:450]
    assert [small.document(d.doc_id) for d in documents] == documents
    assert [small.doc_id(i) for i in range(450)] == [d.doc_id for d in documents]
    assert small.tasks == 200
    asked = list(questions(country(5, 2), 50))
    stated = list(claims(country(5, 2), 50))
    for i in (0, 17, 49):
        question, claim = small.question(100 + i, "t"), small.claim(100 + i, "t")
        assert (question.question, question.aliases, question.kind) == (
            asked[i].question,
            asked[i].names,
            asked[i].kind,
        )
        assert [step.question for step in question.chain] == [step.question for step in asked[i].lookups]
        numbers = dict.fromkeys(step.document for step in asked[i].lookups if step.document >= 0)
        assert question.gold_documents == tuple(small.doc_id(200 + number) for number in numbers)
        assert (claim.claim, claim.label, claim.hops) == (stated[i].text, stated[i].label, stated[i].hops)
        assert set(claim.evidence) == {small.doc_id(200 + step.document) for step in stated[i].lookups}


@pytest.mark.parametrize("seed", [0, 5, -3])
def test_ids_lead_back_to_their_positions(seed: int) -> None:
    positions = [*range(3_000), 999_999]
    made = [ids.doc_id(seed, position) for position in positions]
    assert len(set(made)) == len(positions)
    assert [ids.position_of(seed, doc_id) for doc_id in made] == positions
    alike = sum(a[1:] == b[1:] or a[:-1] == b[:-1] for a, b in pairwise(made))
    assert alike < 30, "neighbours do not look alike"


@pytest.mark.parametrize("doc_id", ["", "abc", "abcdefg", "ABCDEF", "aaaaa1", "日本語日本語", "\ud800aaaaa", "a\0aaaa"])
def test_what_is_no_id_is_unknown(small: World, doc_id: str) -> None:
    with pytest.raises(KeyError, match="searchqa-450-5 has no document"):
        small.document(doc_id)
    with pytest.raises(KeyError):
        small.document(ids.doc_id(5, 450))


def test_one_object_for_all_environments_of_a_process(small: World, world_cache: Path) -> None:
    assert open_world(WorldSpec(450, 5), Path(os.path.relpath(world_cache))) is small
    assert pickle.loads(pickle.dumps(small)) is small


def test_many_processes_at_the_same_moment(tmp_path: Path) -> None:
    openers = [opener(tmp_path, 300) for _ in range(3)]
    outputs = [process.communicate(timeout=120) for process in openers]
    assert [process.returncode for process in openers] == [0] * 3, outputs
    lines = [out.splitlines() for out, _ in outputs]
    assert len({found[-1] for found in lines}) == 1
    assert sorted(len(found) for found in lines) == [1, 1, 2], "one builds, two wait"


def test_a_killed_build_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    process = opener(tmp_path, 100_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "1000 100000\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert [path for path in tmp_path.iterdir() if path.is_dir() and ".tmp-" not in path.name] == []
    assert len(open_world(WorldSpec(100, 9), tmp_path)) == 100


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BuildError, match="cannot build the world searchqa-100-9"):
        open_world(WorldSpec(100, 9), tmp_path / "file" / "cache")


@pytest.mark.parametrize("size", [99, 1_000_001, 1e3, True, "100"])
def test_sizes_are_checked(size: object) -> None:
    with pytest.raises(ValueError, match="articles must"):
        WorldSpec(size)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"world_seed must be an int, got 0\.5"):
        WorldSpec(100, 0.5)  # type: ignore[arg-type]


def test_keys_follow_the_contents() -> None:
    assert len({WorldSpec(size, seed).key() for size in (100, 101) for seed in (0, 1, -1)}) == 6
    assert WorldSpec(1_000_000, 0).tasks_per_country == 10
    assert WorldSpec(10_000, 0).tasks_per_country == 50


def test_no_fact_is_asked_in_two_splits(default: World) -> None:
    documents: dict[str, set[str]] = {split: set() for split in SPLITS}
    for index in range(default.tasks):
        documents[default.split(index)].update(default.question(index).gold_documents)
        documents[default.split(index)].update(default.claim(index).evidence)
    assert not documents["train"] & documents["test"]
    assert not documents["train"] & documents["val"]
    assert not documents["val"] & documents["test"]

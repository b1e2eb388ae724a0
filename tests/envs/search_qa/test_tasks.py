from __future__ import annotations

from collections import Counter

import pytest

from turnwise.envs.search_qa.store import SPLITS, World
from turnwise.envs.search_qa.tasks import PANEL, claim_tasks, content_hash, question_tasks
from turnwise.envs.search_qa.world.questions import KINDS, PLAN

QUESTION_PANEL_HASH = "a98d06b89608780fcbd99de058b68354bb359299d1fbdf1cc9220b9c7b10f11f"
CLAIM_PANEL_HASH = "5fb8a9e27782a811ec93162903b4d016946c90c0275e32bc07b2b030b23823fc"


def test_the_panels_are_frozen(default: World) -> None:
    questions, claims = question_tasks(default, "panel"), claim_tasks(default, "panel")
    assert content_hash(default, map(questions.read, questions)) == QUESTION_PANEL_HASH
    assert content_hash(default, map(claims.read, claims)) == CLAIM_PANEL_HASH


def test_the_panel_is_a_hundred_test_questions_of_all_kinds(default: World) -> None:
    panel = question_tasks(default, "panel")
    assert len(panel) == len(set(panel)) == len(PANEL) == 100
    assert set(panel) <= set(question_tasks(default, "test"))
    questions = [panel.read(task_id) for task_id in panel]
    assert Counter((q.kind, q.hops) for q in questions) == Counter(PLAN * 2)
    assert len({q.question for q in questions}) == 100
    labels = Counter(claim_tasks(default, "panel").read(t).label for t in claim_tasks(default, "panel"))
    assert min(labels.values()) >= 28


def test_splits_are_eighty_ten_ten(default: World) -> None:
    assert [len(question_tasks(default, split)) for split in SPLITS] == [4000, 500, 500]
    assert [len(claim_tasks(default, split)) for split in SPLITS] == [4000, 500, 500]


@pytest.mark.parametrize("of", [question_tasks, claim_tasks])
def test_task_ids_lead_back(small: World, of: object) -> None:
    for split in SPLITS:
        tasks = of(small, split)  # type: ignore[operator]
        assert len(tasks) == {"train": 100, "val": 50, "test": 50}[split]
        for task_id in tasks[::7]:
            assert task_id in tasks and tasks.has(task_id)
            assert tasks.read(task_id).task_id == task_id
        assert tasks[-1] == tasks[len(tasks) - 1] == tasks[-3:][2]
        with pytest.raises(IndexError):
            tasks[len(tasks)]
    assert of(small, "train").has(of(small, "test")[0])  # type: ignore[operator]
    assert of(small, "test")[0] not in of(small, "train")  # type: ignore[operator]


@pytest.mark.parametrize(
    "task_id",
    ["", "searchqa-450-5/train", "searchqa-450-6/train/000000", "searchqa-450-5/train/0", "searchqa-450-5/test/000000",
     "searchqa-450-5/train/000999", "searchqa-450-5/train/-00001", "searchqa-450-5/train/²²²²²²", "9" * 5000, 7, None,
     "searchqa-450-5/train/claim-000000"],
)  # fmt: skip
def test_unknown_task_ids(small: World, task_id: object) -> None:
    tasks = question_tasks(small, "train")
    assert task_id not in tasks
    assert not tasks.has(task_id)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no task"):
        tasks.read(task_id)  # type: ignore[arg-type]


def test_hops_and_kinds_choose(small: World) -> None:
    chosen = question_tasks(small, "train", (2, 3), ("bridge", "temporal"))
    read = [chosen.read(task_id) for task_id in chosen]
    assert read and {q.hops for q in read} == {2, 3} and {q.kind for q in read} == {"bridge", "temporal"}
    with pytest.raises(ValueError, match=r"kinds has 'riddle'; valid are bridge"):
        question_tasks(small, "train", (), ("riddle",))
    with pytest.raises(ValueError, match=r"has no questions with hops \(6,\) and kinds \('counting',\)"):
        question_tasks(small, "train", (6,), ("counting",))
    assert set(KINDS) == {question_tasks(small, "train").read(t).kind for t in question_tasks(small, "train")}


def test_split_names_are_checked(small: World) -> None:
    with pytest.raises(ValueError, match="split 'dev' is unknown; valid are train, val, test, panel"):
        question_tasks(small, "dev")
    with pytest.raises(ValueError, match="split 'panel' belongs to searchqa-10000-0, not to searchqa-450-5"):
        claim_tasks(small, "panel")

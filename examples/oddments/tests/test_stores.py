"""The cache and the queue."""

import pytest
from oddments.stores import PriorityQueue, RecentCache


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.time = 0

    def __call__(self):
        return self.time


def test_cache_gives_back_what_was_put_in():
    cache = RecentCache(2)
    cache.put("a", 1)
    assert cache.get("a") == 1
    assert cache.get("b") is None
    assert cache.get("b", 7) == 7


def test_cache_forgets_the_least_recently_used():
    cache = RecentCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)
    assert cache.keys() == ["a", "c"]


def test_cache_holds_its_size():
    cache = RecentCache(3)
    for number in range(5):
        cache.put(number, number)
    assert cache.keys() == [2, 3, 4]


def test_writing_again_counts_as_using():
    cache = RecentCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("a", 3)
    cache.put("c", 4)
    assert cache.keys() == ["a", "c"]
    assert cache.get("a") == 3


def test_peek_does_not_count_as_using():
    cache = RecentCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.peek("a") == 1
    cache.put("c", 3)
    assert cache.keys() == ["b", "c"]
    assert cache.hits == 0


def test_cache_of_values_that_are_none():
    cache = RecentCache(2)
    cache.put("a", None)
    assert "a" in cache
    assert "b" not in cache
    assert cache.get("a", 5) is None


def test_entries_grow_old():
    clock = Clock()
    cache = RecentCache(5, max_age=10, clock=clock)
    cache.put("a", 1)
    clock.time = 10
    assert cache.get("a") == 1
    clock.time = 11
    assert cache.get("a") is None
    assert len(cache) == 0


def test_old_entries_do_not_count():
    clock = Clock()
    cache = RecentCache(5, max_age=10, clock=clock)
    cache.put("a", 1)
    clock.time = 8
    cache.put("b", 2)
    clock.time = 15
    assert cache.keys() == ["b"]
    assert len(cache) == 1


def test_writing_makes_an_entry_young_again():
    clock = Clock()
    cache = RecentCache(5, max_age=10, clock=clock)
    cache.put("a", 1)
    clock.time = 8
    cache.put("a", 2)
    clock.time = 15
    assert cache.get("a") == 2


def test_evicted_entries_are_told():
    told = []
    cache = RecentCache(1, on_evict=lambda key, value: told.append((key, value)))
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("c", 3)
    assert told == [("a", 1), ("b", 2)]


def test_get_or_make_makes_once():
    made = []
    cache = RecentCache(2)

    def make(key):
        made.append(key)
        return key * 2

    assert cache.get_or_make(4, make) == 8
    assert cache.get_or_make(4, make) == 8
    assert made == [4]


def test_discard_says_whether_it_was_there():
    cache = RecentCache(2)
    cache.put("a", 1)
    assert cache.discard("a") is True
    assert cache.discard("a") is False
    assert len(cache) == 0


def test_hit_rate():
    cache = RecentCache(2)
    assert cache.hit_rate() == 0.0
    cache.put("a", 1)
    cache.get("a")
    cache.get("b")
    cache.get("a")
    cache.get("a")
    assert cache.hit_rate() == 0.75


def test_cache_needs_a_size_and_a_clock():
    with pytest.raises(ValueError, match="at least one"):
        RecentCache(0)
    with pytest.raises(ValueError, match="clock"):
        RecentCache(2, max_age=5)


class TestPriorityQueue:
    """The queue."""

    def test_smallest_first(self):
        queue = PriorityQueue([("c", 3), ("a", 1), ("b", 2)])
        assert [queue.pop() for _ in range(3)] == ["a", "b", "c"]

    def test_equal_ones_come_in_their_order(self):
        queue = PriorityQueue([("x", 1), ("y", 1), ("z", 0)])
        assert [queue.pop() for _ in range(3)] == ["z", "x", "y"]

    def test_priority_can_change(self):
        queue = PriorityQueue([("a", 1), ("b", 2)])
        queue.add("a", 5)
        assert queue.priority("a") == 5
        assert [queue.pop(), queue.pop()] == ["b", "a"]
        assert len(queue) == 0

    def test_same_priority_keeps_its_place(self):
        queue = PriorityQueue([("a", 1), ("b", 1)])
        queue.add("a", 1)
        assert queue.pop() == "a"

    def test_removed_items_do_not_come(self):
        queue = PriorityQueue([("a", 1), ("b", 2)])
        queue.remove("a")
        assert "a" not in queue
        assert queue.peek() == "b"
        assert len(queue) == 1

    def test_removing_what_is_not_there(self):
        with pytest.raises(KeyError):
            PriorityQueue().remove("a")

    def test_empty_queue(self):
        with pytest.raises(IndexError, match="empty"):
            PriorityQueue().pop()

    def test_priority_of_what_is_not_there(self):
        assert PriorityQueue([("a", 1)]).priority("b", 9) == 9

    def test_default_priority(self):
        queue = PriorityQueue([("a", 1)])
        queue.add("b")
        assert queue.pop() == "b"

    def test_pop_until_a_limit(self):
        queue = PriorityQueue([("a", 1), ("b", 2), ("c", 3)])
        assert queue.pop_until(2) == ["a", "b"]
        assert queue.pop_until(2) == []
        assert len(queue) == 1

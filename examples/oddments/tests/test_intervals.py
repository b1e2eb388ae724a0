"""Sets of intervals."""

import pytest
from oddments.intervals import IntervalSet


def test_intervals_are_sorted():
    assert list(IntervalSet([(5, 8), (1, 3)])) == [(1, 3), (5, 8)]


def test_overlapping_intervals_become_one():
    assert list(IntervalSet([(1, 4), (3, 6), (10, 12)])) == [(1, 6), (10, 12)]


def test_touching_intervals_become_one():
    assert list(IntervalSet([(1, 3), (3, 5)])) == [(1, 5)]


def test_an_interval_inside_another_disappears():
    assert list(IntervalSet([(0, 10), (2, 3)])) == [(0, 10)]


@pytest.mark.parametrize("pair", [(3, 3), (4, 2)])
def test_an_interval_must_have_a_length(pair):
    with pytest.raises(ValueError, match="must end after its start"):
        IntervalSet([pair])


def test_equality_is_by_intervals():
    assert IntervalSet([(1, 2), (2, 3)]) == IntervalSet([(1, 3)])
    assert IntervalSet([(1, 2)]) != [(1, 2)]


@pytest.mark.parametrize(("point", "expected"), [(0, False), (1, True), (2.5, True), (3, False), (4, False), (7, True)])
def test_membership_is_half_open(point, expected):
    assert (point in IntervalSet([(1, 3), (5, 8)])) == expected


def test_find_gives_the_interval_around_a_point():
    intervals = IntervalSet([(1, 3), (5, 8)])
    assert intervals.find(5) == (5, 8)
    assert intervals.find(2) == (1, 3)


def test_find_outside_gives_nothing():
    intervals = IntervalSet([(1, 3), (5, 8)])
    assert intervals.find(3) is None
    assert intervals.find(0) is None
    assert intervals.find(8) is None


def test_total_length():
    assert IntervalSet([(1, 3), (5, 8)]).total() == 5
    assert IntervalSet().total() == 0


def test_span():
    assert IntervalSet([(5, 8), (1, 3)]).span() == (1, 8)
    assert IntervalSet().span() is None


def test_number_of_intervals():
    assert len(IntervalSet([(1, 3), (2, 5), (7, 9)])) == 2


def test_union():
    assert IntervalSet([(1, 3)]).union(IntervalSet([(2, 5), (8, 9)])) == IntervalSet([(1, 5), (8, 9)])


class TestIntersection:
    """What lies in both."""

    def test_of_overlapping_sets(self):
        left, right = IntervalSet([(0, 5), (8, 12)]), IntervalSet([(3, 9)])
        assert list(left.intersection(right)) == [(3, 5), (8, 9)]

    def test_is_symmetric(self):
        left, right = IntervalSet([(0, 5), (8, 12)]), IntervalSet([(3, 9), (11, 20)])
        assert left.intersection(right) == right.intersection(left)

    def test_of_touching_sets_is_empty(self):
        assert len(IntervalSet([(0, 3)]).intersection(IntervalSet([(3, 5)]))) == 0

    def test_with_several_inside_one(self):
        assert list(IntervalSet([(0, 10)]).intersection(IntervalSet([(1, 2), (4, 6)]))) == [(1, 2), (4, 6)]


class TestDifference:
    """What lies in one only."""

    def test_cuts_a_hole(self):
        assert list(IntervalSet([(0, 10)]).difference(IntervalSet([(3, 5)]))) == [(0, 3), (5, 10)]

    def test_cuts_both_ends(self):
        assert list(IntervalSet([(2, 8)]).difference(IntervalSet([(0, 3), (7, 9)]))) == [(3, 7)]

    def test_removes_everything(self):
        assert list(IntervalSet([(2, 8)]).difference(IntervalSet([(2, 8)]))) == []

    def test_leaves_what_is_apart(self):
        assert list(IntervalSet([(2, 4), (6, 8)]).difference(IntervalSet([(4, 6)]))) == [(2, 4), (6, 8)]


def test_gaps_between_intervals():
    assert list(IntervalSet([(1, 3), (5, 8), (9, 10)]).gaps()) == [(3, 5), (8, 9)]


def test_gaps_within_bounds():
    assert list(IntervalSet([(1, 3), (5, 8)]).gaps((0, 10))) == [(0, 1), (3, 5), (8, 10)]


def test_gaps_of_nothing():
    assert list(IntervalSet().gaps()) == []
    assert list(IntervalSet().gaps((1, 2))) == [(1, 2)]


def test_shifted():
    assert list(IntervalSet([(1, 3), (5, 8)]).shifted(-1)) == [(0, 2), (4, 7)]


def test_padding_joins_neighbours():
    assert list(IntervalSet([(1, 3), (5, 8)]).padded(1)) == [(0, 9)]


def test_padding_of_each_side():
    assert list(IntervalSet([(2, 3)]).padded(2, 0)) == [(0, 3)]
    assert list(IntervalSet([(2, 3)]).padded(0, 2)) == [(2, 5)]


def test_padding_cannot_be_negative():
    with pytest.raises(ValueError, match="negative"):
        IntervalSet([(1, 5)]).padded(1, -1)


def test_at_least_keeps_the_long_ones():
    assert list(IntervalSet([(1, 3), (5, 8), (9, 10)]).at_least(2)) == [(1, 3), (5, 8)]

"""Days. 2024-03-01 is a Friday."""

from datetime import date

import pytest
from oddments.days import (
    add_months,
    add_working_days,
    days_in_month,
    is_working_day,
    nth_weekday,
    quarter,
    ranges,
    recurring,
    working_days_between,
)


@pytest.mark.parametrize(("day", "expected"), [(1, True), (2, False), (3, False), (4, True)])
def test_weekends_are_no_working_days(day, expected):
    assert is_working_day(date(2024, 3, day)) is expected


def test_holidays_are_no_working_days():
    assert is_working_day(date(2024, 3, 4), [date(2024, 3, 4)]) is False


def test_adding_working_days_skips_the_weekend():
    assert add_working_days(date(2024, 3, 1), 1) == date(2024, 3, 4)
    assert add_working_days(date(2024, 3, 1), 6) == date(2024, 3, 11)


def test_adding_working_days_skips_holidays():
    assert add_working_days(date(2024, 3, 1), 1, [date(2024, 3, 4)]) == date(2024, 3, 5)


def test_adding_negative_working_days_goes_back():
    assert add_working_days(date(2024, 3, 4), -1) == date(2024, 3, 1)
    assert add_working_days(date(2024, 3, 3), -2) == date(2024, 2, 29)


def test_adding_no_working_days():
    assert add_working_days(date(2024, 3, 1), 0) == date(2024, 3, 1)
    assert add_working_days(date(2024, 3, 2), 0) == date(2024, 3, 4)


def test_working_days_between():
    assert working_days_between(date(2024, 3, 1), date(2024, 3, 4)) == 1
    assert working_days_between(date(2024, 3, 1), date(2024, 3, 15)) == 10
    assert working_days_between(date(2024, 3, 2), date(2024, 3, 4)) == 0


def test_working_days_between_without_holidays():
    holidays = [date(2024, 3, 4), date(2024, 3, 9), date(2024, 3, 15)]
    assert working_days_between(date(2024, 3, 1), date(2024, 3, 15), holidays) == 9


def test_working_days_between_backwards():
    assert working_days_between(date(2024, 3, 15), date(2024, 3, 1)) == -10


@pytest.mark.parametrize(("year", "month", "days"), [(2023, 2, 28), (2024, 2, 29), (2024, 12, 31), (2024, 4, 30)])
def test_days_in_month(year, month, days):
    assert days_in_month(year, month) == days


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2024, 1, 15), 12, date(2025, 1, 15)),
        (date(2024, 11, 30), 3, date(2025, 2, 28)),
        (date(2024, 3, 31), -1, date(2024, 2, 29)),
        (date(2024, 1, 10), -1, date(2023, 12, 10)),
    ],
)
def test_add_months(day, count, expected):
    assert add_months(day, count) == expected


@pytest.mark.parametrize(("month", "expected"), [(1, 1), (3, 1), (4, 2), (9, 3), (12, 4)])
def test_quarter(month, expected):
    assert quarter(date(2024, month, 1)) == expected


def test_quarter_of_another_year_of_accounts():
    assert quarter(date(2024, 4, 1), first_month=4) == 1
    assert quarter(date(2024, 3, 31), first_month=4) == 4


@pytest.mark.parametrize("month", [0, 13])
def test_quarter_needs_a_month(month):
    with pytest.raises(ValueError, match="from 1 to 12"):
        quarter(date(2024, 1, 1), first_month=month)


@pytest.mark.parametrize(
    ("weekday", "n", "day"), [(4, 1, 1), (0, 1, 4), (4, 5, 29), (6, -1, 31), (4, -1, 29), (4, -2, 22)]
)
def test_nth_weekday(weekday, n, day):
    assert nth_weekday(2024, 3, weekday, n) == date(2024, 3, day)


def test_nth_weekday_that_does_not_exist():
    with pytest.raises(ValueError, match="2024-03"):
        nth_weekday(2024, 3, 0, 5)
    with pytest.raises(ValueError, match="cannot be 0"):
        nth_weekday(2024, 3, 0, 0)


def test_recurring_days():
    assert recurring(date(2024, 3, 1), date(2024, 3, 5), every=2) == [
        date(2024, 3, 1),
        date(2024, 3, 3),
        date(2024, 3, 5),
    ]


def test_recurring_weeks():
    assert recurring(date(2024, 3, 1), date(2024, 3, 20), unit="weeks") == [
        date(2024, 3, 1),
        date(2024, 3, 8),
        date(2024, 3, 15),
    ]


def test_recurring_months_remember_the_31st():
    assert recurring(date(2024, 1, 31), date(2024, 4, 1), unit="months") == [
        date(2024, 1, 31),
        date(2024, 2, 29),
        date(2024, 3, 31),
    ]


def test_recurring_moves_to_working_days():
    assert recurring(date(2024, 3, 1), date(2024, 3, 4), holidays=[]) == [date(2024, 3, 1), date(2024, 3, 4)]
    assert recurring(date(2024, 3, 2), date(2024, 3, 3), holidays=[]) == []


def test_recurring_needs_a_step_and_a_unit():
    with pytest.raises(ValueError, match="at least 1"):
        recurring(date(2024, 3, 1), date(2024, 3, 4), every=0)
    with pytest.raises(ValueError, match="unit must be"):
        recurring(date(2024, 3, 1), date(2024, 3, 4), unit="years")


def test_ranges():
    days = [date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 5), date(2024, 3, 1)]
    assert ranges(days) == [(date(2024, 2, 29), date(2024, 3, 1)), (date(2024, 3, 5), date(2024, 3, 5))]


def test_ranges_of_nothing():
    assert ranges([]) == []

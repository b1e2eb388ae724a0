"""Days: working days, months, quarters, and the days on which something recurs."""

from __future__ import annotations

from datetime import date, timedelta

SATURDAY = 5


def is_working_day(day, holidays=()):
    """Whether a day is neither at a weekend nor a holiday."""
    return day.weekday() < SATURDAY and day not in holidays


def add_working_days(day, count, holidays=()):
    """The day that lies so many working days after another, or before it where `count` is negative.

    With a count of 0, a day that is no working day becomes the next one that is.
    """
    step = timedelta(days=-1 if count < 0 else 1)
    if count == 0:
        while not is_working_day(day, holidays):
            day += step
        return day
    left = abs(count)
    while left:
        day += step
        if is_working_day(day, holidays):
            left -= 1
    return day


def working_days_between(start, end, holidays=()):
    """Number of working days from `start`, inclusive, to `end`, exclusive; negative where `end` is earlier."""
    if end < start:
        return -working_days_between(end, start, holidays)
    weeks, rest = divmod((end - start).days, 7)
    count = weeks * 5
    for offset in range(rest):
        if (start.weekday() + offset) % 7 < SATURDAY:
            count += 1
    return count - sum(1 for day in set(holidays) if start <= day < end and day.weekday() < SATURDAY)


def days_in_month(year, month):
    """Number of days of a month."""
    following = date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1)
    return (following - date(year, month, 1)).days


def add_months(day, count):
    """The same day of another month, or that month's last day where it is too short."""
    years, month = divmod(day.month - 1 + count, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, days_in_month(year, month + 1)))


def quarter(day, first_month=1):
    """The quarter of a day, 1 to 4.

    Args:
        day: The day.
        first_month: The month in which the year of accounts begins.
    """
    if not 1 <= first_month <= 12:
        raise ValueError(f"a month is a number from 1 to 12, got {first_month}")
    return (day.month - first_month) % 12 // 3 + 1


def nth_weekday(year, month, weekday, n):
    """The n-th such weekday of a month; -1 is the last one, -2 the one before.

    Args:
        year: The year.
        month: 1 to 12.
        weekday: 0 for Monday to 6 for Sunday.
        n: 1 to 5, or -1 to -5.

    Raises:
        ValueError: The month has no such day.
    """
    last = days_in_month(year, month)
    if n > 0:
        first = date(year, month, 1)
        day = 1 + (weekday - first.weekday()) % 7 + 7 * (n - 1)
    elif n < 0:
        final = date(year, month, last)
        day = last - (final.weekday() - weekday) % 7 + 7 * (n + 1)
    else:
        raise ValueError("n cannot be 0")
    if not 1 <= day <= last:
        raise ValueError(f"there is no such day in {year}-{month:02}")
    return date(year, month, day)


def recurring(start, until, every=1, unit="days", holidays=None):
    """The days on which something recurs, from `start` to `until`, both inclusive.

    Args:
        start: The first day.
        until: The last day that may be in it.
        every: How many units lie between two of them.
        unit: `days`, `weeks` or `months`; months are counted from the start, so that the 31st comes back after a
            shorter month.
        holidays: Where given, a day that is no working day moves to the next one that is.
    """
    if every < 1:
        raise ValueError("every must be at least 1")
    if unit not in ("days", "weeks", "months"):
        raise ValueError(f"unit must be days, weeks or months, got {unit!r}")
    found = []
    number = 0
    while True:
        if unit == "months":
            day = add_months(start, number * every)
        else:
            day = start + timedelta(days=number * every * (7 if unit == "weeks" else 1))
        if day > until:
            return found
        if holidays is not None:
            day = add_working_days(day, 0, holidays)
        if day <= until and (not found or found[-1] != day):
            found.append(day)
        number += 1


def ranges(days):
    """Days as (first, last) of each run of consecutive ones, in ascending order."""
    found = []
    for day in sorted(set(days)):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found

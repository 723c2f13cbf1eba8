"""When a recurring task is due again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.tasks.recurring import following
from essence.tasks.refusals import Refusal


def at(year, month, day):
    return datetime(year, month, day, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "after", "day_of_week", "day_of_month", "then"),
    [
        ("daily", at(2026, 12, 31), None, None, at(2027, 1, 1)),
        ("weekly", at(2026, 11, 25), None, None, at(2026, 12, 2)),  # a Wednesday
        ("weekly", at(2026, 11, 25), 4, None, at(2026, 11, 27)),
        ("weekly", at(2026, 11, 25), 2, None, at(2026, 12, 2)),
        ("monthly", at(2026, 11, 25), None, None, at(2026, 12, 25)),
        ("monthly", at(2026, 12, 25), None, 1, at(2027, 1, 1)),
        ("monthly", at(2027, 1, 31), None, 31, at(2027, 2, 28)),
        ("monthly", at(2027, 2, 28), None, 31, at(2027, 3, 31)),
    ],
)
def test_the_next_time_is(kind, after, day_of_week, day_of_month, then):
    assert following(kind, after, day_of_week, day_of_month) == then


@given(
    st.sampled_from(["daily", "weekly", "monthly"]),
    st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),
    st.none() | st.integers(0, 6),
    st.none() | st.integers(1, 31),
)
def test_the_next_time_is_later_by_at_most_two_months_at_the_same_time_of_day(kind, after, day_of_week, day_of_month):
    then = following(kind, after, day_of_week, day_of_month)
    assert 0 < (then - after).days <= 62
    assert then.time() == after.time()
    if kind == "weekly" and day_of_week is not None:
        assert then.weekday() == day_of_week


@pytest.mark.parametrize("kind", ["daily", "weekly", "monthly"])
def test_after_the_last_day_of_the_calendar_there_is_no_next_time(kind):
    with pytest.raises(Refusal, match=r"9999.*next_occurrence") as caught:
        following(kind, at(9999, 12, 31), None, None)
    assert (caught.value.code, caught.value.field) == ("conflict", "recurring_id")

"""Times as people say them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from essence.agent.when import next_time, point_in_time, rule_of
from essence.errors import InvalidInput

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 10, 4, tzinfo=BERLIN)  # a Wednesday


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("in 10 minutes", "11-25 10:14"),
        ("10 minutes", "11-25 10:14"),
        ("half an hour", "11-25 10:34"),
        ("an hour and a half", "11-25 11:34"),
        ("in a quarter of an hour", "11-25 10:19"),
        ("in 1 hour and 30 minutes", "11-25 11:34"),
        ("twenty five minutes", "11-25 10:29"),
        ("2h", "11-25 12:04"),
        ("in a couple of hours", "11-25 12:04"),
        ("in two days", "11-27 10:04"),
        ("in 3 days at 9", "11-28 09:00"),
        ("tomorrow", "11-26 09:00"),
        ("tomorrow at 9", "11-26 09:00"),
        ("tomorrow at 3", "11-26 15:00"),
        ("tomorrow morning", "11-26 09:00"),
        ("the day after tomorrow at 10am", "11-27 10:00"),
        ("at 7", "11-25 19:00"),
        ("at 11", "11-25 11:00"),
        ("7 am", "11-26 07:00"),
        ("at 7 o'clock in the evening", "11-25 19:00"),
        ("at 18:30", "11-25 18:30"),
        ("at 09:30", "11-26 09:30"),
        ("12 pm", "11-25 12:00"),
        ("12 am", "11-26 00:00"),
        ("an alarm for 7 tomorrow morning", "11-26 07:00"),
        ("every Friday at 6 pm", "11-27 18:00"),
        ("noon", "11-25 12:00"),
        ("midnight", "11-26 00:00"),
        ("tonight", "11-25 20:00"),
        ("tonight at 8", "11-25 20:00"),
        ("wake me at 6:45", "11-26 06:45"),
        ("next Friday at 6 pm", "11-27 18:00"),
        ("on Wednesday", "12-02 09:00"),
        ("24 December", "12-24 09:00"),
        ("on December 24th at 18:00", "12-24 18:00"),
        ("2026-12-31 08:00", "12-31 08:00"),
        ("2026-12-31T08:00:00Z", "12-31 09:00"),
        ("dans 10 minutes", "11-25 10:14"),
    ],
)
def test_what_people_say_is_understood(words, at):
    assert f"{point_in_time(words, NOW).astimezone(BERLIN):%m-%d %H:%M}" == at


def test_a_day_without_a_year_is_the_next_one():
    assert point_in_time("on January 3rd", NOW).year == 2027


@pytest.mark.parametrize("words", ["", "soon", "whenever you like", "31 February", "2026-13-01", "2020-01-01 08:00"])
def test_what_names_no_time_to_come_is_told(words):
    with pytest.raises(InvalidInput):
        point_in_time(words, NOW)


def test_a_day_ahead_is_counted_on_the_clock_and_hours_are_counted_as_they_pass():
    night_before_winter = datetime(2026, 10, 24, 22, 0, tzinfo=BERLIN)
    assert point_in_time("tomorrow at 9", night_before_winter) == datetime(2026, 10, 25, 8, 0, tzinfo=UTC)
    assert point_in_time("in 12 hours", night_before_winter) == datetime(2026, 10, 25, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("every day at 7", "0 7 * * *"),
        ("Daily at 18:15", "15 18 * * *"),
        ("every morning", "0 9 * * *"),
        ("weekdays at 8:30", "30 8 * * 1-5"),
        ("every weekend at noon", "0 12 * * 6,0"),
        ("every Monday and Thursday at noon", "0 12 * * 1,4"),
        ("every Sunday at 8 pm", "0 20 * * 0"),
        ("every hour", "0 * * * *"),
        ("every two hours", "0 */2 * * *"),
        ("every 15 minutes", "*/15 * * * *"),
        ("every month on the 15th at 9", "0 9 15 * *"),
        ("0 7 * * 1-5", "0 7 * * 1-5"),
    ],
)
def test_a_repeated_time_is_a_rule(words, rule):
    assert rule_of(words) == rule


@pytest.mark.parametrize("words", ["sometimes", "every minute", "* * * * *", "99 * * * *", "0 0 31 2 *"])
def test_what_is_no_rule_or_comes_too_often_is_told(words):
    with pytest.raises(InvalidInput):
        rule_of(words)


def test_at_seven_is_at_seven_in_summer_and_in_winter():
    before = datetime(2026, 10, 24, 12, 0, tzinfo=BERLIN)
    first = next_time("0 7 * * *", BERLIN, before)
    assert first - next_time("0 7 * * *", BERLIN, before - timedelta(days=1)) == timedelta(hours=25)
    assert first.astimezone(BERLIN).hour == 7


def test_what_falls_into_the_hour_that_a_clock_jumps_over_comes_an_hour_later():
    found = next_time("30 2 * * *", BERLIN, datetime(2027, 3, 27, 12, 0, tzinfo=BERLIN))
    assert f"{found.astimezone(BERLIN):%m-%d %H:%M}" == "03-28 03:30"


def test_what_falls_into_the_hour_that_a_clock_repeats_comes_once():
    first = next_time("30 2 * * *", BERLIN, datetime(2026, 10, 24, 12, 0, tzinfo=BERLIN))
    second = next_time("30 2 * * *", BERLIN, first)
    assert f"{second.astimezone(BERLIN):%m-%d %H:%M}" == "10-26 02:30"

"""Times as people say them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.agent.when import names_a_time, next_time, point_in_time, rule_of
from essence.errors import InvalidInput

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 10, 4, tzinfo=BERLIN)  # a Wednesday
SATURDAY = datetime(2026, 11, 28, 14, 0, tzinfo=BERLIN)


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


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("at five", "11-28 17:00"),
        ("five o'clock", "11-28 17:00"),
        ("at five pm", "11-28 17:00"),
        ("half past 7", "11-28 19:30"),
        ("quarter to 8", "11-28 19:45"),
        ("a quarter past eight", "11-28 20:15"),
        ("ten to 8", "11-28 19:50"),
        ("quarter to 1 pm", "11-29 12:45"),
        ("tomorrow at half past 6", "11-29 18:30"),
        ("remind me at 5 to 7", "11-28 18:55"),
        ("tomorrow afternoon", "11-29 15:00"),
        ("at 3 in the afternoon", "11-28 15:00"),
        ("tonight at midnight", "11-29 00:00"),
        ("today at 9", "11-28 21:00"),
        ("on the 3rd at 10", "12-03 10:00"),
        ("the 31st", "12-31 09:00"),
        ("24.12.2026 at 9", "12-24 09:00"),
        ("1.12. at 9", "12-01 09:00"),
        ("dec 24, 9:00", "12-24 09:00"),
        ("2026-12-24 at 9", "12-24 09:00"),
        ("on Friday the 4th at 9", "12-04 09:00"),
        ("Mon at 9", "11-30 09:00"),
        ("in a fortnight", "12-12 14:00"),
        ("in two and a half hours", "11-28 16:30"),
        ("10 minutes from now", "11-28 14:10"),
        ("in 1 month", "12-28 14:00"),
        ("in a week at 10", "12-05 10:00"),
    ],
)
def test_hours_days_and_lengths_are_understood_as_people_say_them_most(words, at):
    assert f"{point_in_time(words, SATURDAY).astimezone(BERLIN):%m-%d %H:%M}" == at


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("remind me tomorrow at 9 to call the dentist", "11-29 09:00"),
        ("Can you remind me at 6 pm to water the plants?", "11-28 18:00"),
        ("Start a 45 minute timer for the laundry", "11-28 14:45"),
        ("Set a timer for an hour and a half please", "11-28 15:30"),
        ("Remind me to phone Mum in an hour", "11-28 15:00"),
        ("remind me to buy 2 eggs at 5", "11-28 17:00"),
        ("remind me in 10 minutes about the second pizza", "11-28 14:10"),
        ("Set an alarm for half past six", "11-28 18:30"),
        (f"Remind me at 5 to sort this out: {'a long tale of it ' * 50}", "11-28 17:00"),
    ],
)
def test_in_an_order_the_time_is_told_from_what_it_is_about(words, at):
    assert f"{point_in_time(words, SATURDAY).astimezone(BERLIN):%m-%d %H:%M}" == at


@pytest.mark.parametrize(
    "words",
    ["on 1/2 at 5pm", "in -5 minutes", "2 days before Christmas", "10 minutes before 5", "every other Friday at 9",
     "every day at 7", "Monday for 3 weeks at 9", "tomorrow at 9 for 2 hours", "at 9 for 2 days", "at 8 and 20",
     "in 10 minutes and in 20 minutes", "tomorrow and Sunday week", "next week", "last Friday", "Friday week",
     "on the second Friday", "in a day or two", "in three quarters of an hour", "at 5 pm UTC", "15 pm", "at 9h",
     "at 9%", "at 2 at night", "tonight at 12", "5.12 at 9", "31.11.2026 at 9", "Friday December 5th", "not at 5",
     "half seven", "1h30", "at 1430", "remind me tomorrow to call the dentist at 9",
     "remind me to call Bob every other Friday at 5", "remind me 2 days before Christmas to shop",
     "remind me at 5 for 3 weeks to run", "remind me at 5 for a week", "remind me tomorrow to call Bob in the evening",
     "remind me tomorrow to call Bob in half an hour", "remind me at 9 to 10 to shop"],
)  # fmt: skip
def test_what_is_not_understood_to_the_last_word_is_told_rather_than_guessed(words):
    assert not names_a_time(words)
    with pytest.raises(InvalidInput):
        point_in_time(words, SATURDAY)


@given(
    st.sampled_from(["in 10 minutes", "tomorrow at 9", "half past 7", "on Friday at 6 pm", "24.12.2026 at 9", "at five",
                     "on the 3rd at 10", "remind me in an hour", "the day after tomorrow at noon"]),
    st.sampled_from(["other", "before", "except", "not", "last", "two", "77", "-3", "4.5", "1/2", "maybe"]),
    st.integers(0, 5),
)  # fmt: skip
def test_no_word_more_is_passed_over(words, more, place):
    said = words.split()
    said.insert(place, more)
    assert names_a_time(words)
    with pytest.raises(InvalidInput):
        point_in_time(" ".join(said), SATURDAY)


@pytest.mark.parametrize(
    "words", ["5 minutes ago", "an hour ago", "yesterday at 5", "today at 10 am", "1.12.2020 at 9", "gestern um 9:00",
              "vor 10 Minuten", "remind me to call Bob yesterday at 5"],
)  # fmt: skip
def test_what_is_past_is_told_to_be(words):
    with pytest.raises(InvalidInput, match="is past"):
        point_in_time(words, SATURDAY)


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("morgen um 9:00", "11-29 09:00"),
        ("demain à 9h", "11-29 09:00"),
        ("vendredi à 18h", "12-04 18:00"),
        ("завтра в 9:00", "11-29 09:00"),
        ("明日9時", "11-29 09:00"),
        ("5 janvier à 9h30", "01-05 09:30"),
        ("24. Dezember", "12-24 09:00"),
        ("in 2 Tagen um 9:00", "11-30 09:00"),
        ("in 1 Stunde und 30 Minuten", "11-28 15:30"),
        ("через 10 минут", "11-28 14:10"),
        ("demain", "11-29 09:00"),
        ("montag", "11-30 09:00"),
    ],
)
def test_in_other_languages_a_time_in_figures_is_understood(words, at):
    assert f"{point_in_time(words, SATURDAY).astimezone(BERLIN):%m-%d %H:%M}" == at


@pytest.mark.parametrize("now", [SATURDAY, NOW, SATURDAY.replace(hour=23, minute=30), SATURDAY.replace(day=10)])
@pytest.mark.parametrize(
    "words", ["morgen um 9", "morgen um 1", "morgen um 11", "mañana a las 9", "завтра в 9", "demain à 9 heures",
              "à 18h30", "um 18 Uhr", "in einer Woche um 7", "demain à neuf heures", "morgen um 9:00 UTC",
              "24/12/2026 à 9h", "le 3 à 9h", "januar", "jeden Montag um 9:00"],
)  # fmt: skip
def test_what_dateparser_loses_or_makes_up_is_told(words, now):
    with pytest.raises(InvalidInput):
        point_in_time(words, now)


def test_a_day_without_a_year_is_the_next_one():
    assert point_in_time("on January 3rd", NOW).year == 2027


@pytest.mark.parametrize("words", ["", "soon", "whenever you like", "31 February", "2026-13-01", "2020-01-01 08:00"])
def test_what_names_no_time_to_come_is_told(words):
    with pytest.raises(InvalidInput):
        point_in_time(words, NOW)


WEST, EAST = ZoneInfo("America/Los_Angeles"), ZoneInfo("Pacific/Kiritimati")
BEYOND = ("in 99999999999 weeks", "in 500000 weeks", "in 9999999 days at 9", f"in {'9' * 400} minutes",
          "0001-01-01 00:00", "9999-12-31 23:59", "9999-12-31T23:59-14:00", "9999-12-31T23:59Z")  # fmt: skip


@pytest.mark.parametrize("zone", [WEST, BERLIN, EAST])
@pytest.mark.parametrize("words", BEYOND)
def test_a_time_outside_of_the_calendar_is_told(words, zone):
    with pytest.raises(InvalidInput, match=r"the year 9999|is past"):
        point_in_time(words, NOW.astimezone(zone))


@pytest.mark.parametrize("words", [*BEYOND[:4], "31 February", "2026-13-01"])
def test_what_can_t_be_a_time_names_none(words):
    assert not names_a_time(words)


_PIECES = st.one_of(
    st.sampled_from(["in", "at", "every", "tomorrow", "days", "weeks", "hours", "minutes", "monday", "feb", "pm"]),
    st.sampled_from(["ago", "jahren", "il y a", "and a half", "-", ":", "z", "+14:00", "*", "*/"]),
    st.integers(0, 10**40).map(str),
    st.datetimes().map(str),
    st.text(max_size=8),
)


def test_what_the_reader_of_other_languages_fails_at_is_told(monkeypatch):
    def fails(*_, **__):
        raise IndexError

    monkeypatch.setattr("dateparser.parse", fails)
    with pytest.raises(InvalidInput):
        point_in_time("dans dix ans", NOW)


_FAR = st.builds(
    "in {} {}{}".format, st.integers(0, 10**40), st.sampled_from(["days", "weeks"]), st.just(" at 9") | st.just("")
)


@given(st.lists(_PIECES, max_size=6).map(" ".join) | _FAR, st.sampled_from((WEST, BERLIN, EAST)))
def test_whatever_is_said_gives_a_time_that_can_be_told_anywhere_or_is_told(words, zone):
    names_a_time(words)
    with suppress(InvalidInput):
        found = point_in_time(words, NOW.astimezone(zone))
        assert found > NOW
        assert {found.astimezone(anywhere) for anywhere in (WEST, EAST)} == {found}


@given(st.one_of(
    st.lists(_PIECES, max_size=6).map(" ".join),
    st.lists(st.text("0123456789*/,-", min_size=1, max_size=5), min_size=5, max_size=5).map(" ".join),
    st.lists(st.integers(0, 59), min_size=1, max_size=4).map(lambda minutes: f"{','.join(map(str, minutes))} * * * *"),
))  # fmt: skip
def test_whatever_is_said_gives_a_rule_that_comes_no_more_often_than_every_five_minutes_or_is_told(words):
    with suppress(InvalidInput):
        rule = rule_of(words)
        at = next_time(rule, ZoneInfo("UTC"), NOW)
        for _ in range(12):
            before, at = at, next_time(rule, ZoneInfo("UTC"), at)
            assert at - before >= timedelta(minutes=5)


def test_a_day_ahead_is_counted_on_the_clock_and_hours_are_counted_as_they_pass():
    night_before_winter = datetime(2026, 10, 24, 22, 0, tzinfo=BERLIN)
    assert point_in_time("tomorrow at 9", night_before_winter) == datetime(2026, 10, 25, 8, 0, tzinfo=UTC)
    assert point_in_time("in 12 hours", night_before_winter) == datetime(2026, 10, 25, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("words", ["at 2:30 am", "today at 2:30 am", "2026-10-25 02:30", "25.10.2026 02:30"])
@pytest.mark.parametrize(
    ("now", "at"),
    [
        (datetime(2026, 10, 24, 23, 55, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # 1:55
        (datetime(2026, 10, 25, 0, 10, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # 2:10, the first time
        (datetime(2026, 10, 25, 0, 50, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),  # 2:50, the first time
        (datetime(2026, 10, 25, 1, 10, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),  # 2:10 again
    ],
)
def test_a_time_that_comes_twice_in_a_night_is_the_one_to_come(words, now, at):
    assert point_in_time(words, now.astimezone(BERLIN)) == at


def test_a_time_that_came_twice_tonight_is_tomorrow_s_or_past():
    now = datetime(2026, 10, 25, 1, 50, tzinfo=UTC).astimezone(BERLIN)  # 2:50 again
    assert point_in_time("at 2:30 am", now) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="past"):
        point_in_time("today at 2:30 am", now)


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
        ("on the 1st and 15th of every month", "0 9 1,15 * *"),
        ("first Monday of the month", "0 9 * * 1#1"),
        ("every second Monday of the month at 10", "0 10 * * 1#2"),
        ("last Friday of the month", "0 9 * * l5"),
        ("the last day of every month", "0 9 l * *"),
        ("the first day of every month at 8", "0 8 1 * *"),
        ("every month", "0 9 1 * *"),
        ("Mon and Wed at 9", "0 9 * * 1,3"),
        ("Mon, Wed and Fri at 9", "0 9 * * 1,3,5"),
        ("every Monday and Thursday at 9", "0 9 * * 1,4"),
        ("every week on Monday at 8", "0 8 * * 1"),
        ("weekly", "0 9 * * 1"),
        ("every day at 8 and 20", "0 8,20 * * *"),
        ("every day at 8, 12 and 18", "0 8,12,18 * * *"),
        ("every day at 8:30 am and 8:30 pm", "30 8,20 * * *"),
        ("every Monday at half past 7", "30 7 * * 1"),
        ("every Saturday at 7 in the evening", "0 19 * * 6"),
        ("nightly at 10", "0 22 * * *"),
        ("hourly", "0 * * * *"),
        ("every half hour", "*/30 * * * *"),
        ("every half an hour", "*/30 * * * *"),
        ("every quarter of an hour", "*/15 * * * *"),
        ("every 60 minutes", "0 * * * *"),
        ("Every day at 7 remind me to take my vitamins", "0 7 * * *"),
        ("Remind me every Monday at 9:00 of the team meeting", "0 9 * * 1"),
        ("remind me to stretch every 30 minutes", "*/30 * * * *"),
        ("0 7 * * 1-5", "0 7 * * 1-5"),
    ],
)
def test_a_repeated_time_is_a_rule(words, rule):
    assert rule_of(words) == rule


@pytest.mark.parametrize(
    "words", ["sometimes", "every minute", "* * * * *", "99 * * * *", "0 0 31 2 *", "0,1 * * * *", "0,56 * * * *",
              "0,1 9 * * 1", "0,20,21 9 1 1 *", "0,59 0,23 * * *", "every 90 minutes", f"every {'9' * 400} hours"],
)  # fmt: skip
def test_what_is_no_rule_or_comes_too_often_is_told(words):
    with pytest.raises(InvalidInput):
        rule_of(words)


@pytest.mark.parametrize(
    "words",
    ["every other Monday at 9", "every second Monday at 9", "every first Monday", "every two weeks", "biweekly",
     "bi-weekly", "fortnightly", "every three months", "every 2 days", "twice a day", "every Monday for 3 weeks at 9",
     "every day except Friday", "every day until Friday at 9", "every hour from 9 to 17", "every 2 hours at 9",
     "every hour and a half", "every twenty five minutes", "every morning and evening", "every day at 8 and 9 pm",
     "every day at 8:30 and 20:00", "every day at 2 at night", "every month on the 31st", "the 15th at 9",
     "every Monday or Tuesday", "every next Monday", "every Monday at 9 to 10", "tomorrow at 9", "every year",
     "remind me every Monday at 9 for 3 weeks", "remind me every day at 9 to run except on Fridays",
     "remind me every day at 9 to run for the next two weeks"],
)  # fmt: skip
def test_a_rule_that_is_not_understood_to_the_last_word_is_told_rather_than_guessed(words):
    with pytest.raises(InvalidInput):
        rule_of(words)


@pytest.mark.parametrize(
    "words", ["every 45 minutes", "every 5 hours", "every 36 hours", "every 24 hours", "every 1.5 hours"]
)
def test_for_an_interval_that_cron_would_cut_short_others_are_offered(words):
    with pytest.raises(InvalidInput, match=r"5, 6, 10, 12, 15, 20 or 30 minutes"):
        rule_of(words)


@given(st.integers(1, 2000), st.sampled_from([("minutes", 1), ("hours", 60)]))
def test_an_interval_is_kept_from_each_time_to_the_next_or_refused(count, unit):
    name, minutes = unit
    with suppress(InvalidInput):
        at = next_time(rule := rule_of(f"every {count} {name}"), ZoneInfo("UTC"), NOW)
        for _ in range(30):
            before, at = at, next_time(rule, ZoneInfo("UTC"), at)
            assert at - before == timedelta(minutes=count * minutes)


@pytest.mark.parametrize(
    ("words", "days"),
    [("first Monday of the month", "12-07 01-04 02-01"), ("last Friday of the month", "12-25 01-29 02-26"),
     ("the last day of every month", "11-30 12-31 01-31")],
)  # fmt: skip
def test_a_day_of_the_month_comes_once_in_each(words, days):
    at, found = SATURDAY, []
    for _ in days.split():
        at = next_time(rule_of(words), BERLIN, at)
        found.append(f"{at.astimezone(BERLIN):%m-%d}")
    assert " ".join(found) == days


@pytest.mark.parametrize("words", ["1s " * 3000, "remind me to " + "call at 7 to " * 3000, f"at 5{';' * 50_000}x"])
def test_a_page_of_text_is_no_time(words):
    assert not names_a_time(words)
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

"""A time that comes again and again, as five fields of cron."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from essence.agent.when.english import (
    ALONE,
    DAY_NAME,
    DAYS,
    NUMBER,
    Clock,
    Words,
    number_of,
    plain,
    take_clocks,
    within,
)
from essence.errors import InvalidInput

Rule = str
_CRON = re.compile(r"^\s*(?:[\d*/,\-]+\s+){4}[\d*/,\-a-z]+\s*$", re.IGNORECASE)
_LY = re.compile(r"\b(?:(?P<unit>hour|night|week|month)ly|(?P<day>daily))\b")
_EVERY = re.compile(
    rf"\b(?:every|each) (?:(?P<number>{NUMBER})(?:(?<=half) an?\b)? ?)?"
    r"(?P<unit>minute|min|hour|quarter(?: of an)? hour)s?\b"
)
_WEEKDAYS = re.compile(r"\b(?:(?:on|every|each) )?(?:week|working )days?\b")
_WEEKENDS = re.compile(r"\b(?:(?:on|at|every|each) )?(?:the )?weekends?\b")
_EACH_DAY = re.compile(r"\b(?:every|each) (?:single )?(?:day\b|(?=(?:morning|afternoon|evening|night)\b))")
_NTHS = {"first": "1", "second": "2", "third": "3", "fourth": "4", "last": "l"}
_NTH_DAY = re.compile(
    rf"\b(?:(?:on|every) )?(?:the )?(?P<nth>{'|'.join(_NTHS)}|[1-4](?:st|nd|rd|th)) (?P<day>{DAY_NAME}|day\b)"
)
_DAY_OF_WEEK = re.compile(rf"\b(?:(?:on|every|each) )?(?P<day>{DAY_NAME})")
_WEEKLY = re.compile(r"\b(?:(?:every|each|of the) week|once a week)\b")
_MONTHLY = re.compile(r"\b(?:(?:of|in) )?(?:(?:every|each) month|(?<=(?:of|in) )the month|once a month)\b")
_NUMBERED = re.compile(rf"\b(?:(?:on|every) )?(?:the )?{ALONE}(?P<day>\d{{1,2}})(?:st|nd|rd|th)\b")
_EVERY_MONTH_HAS = 28
_UNITS_MIN = {"m": 1, "h": 60, "q": 15}


def rule_of(words: str) -> Rule:
    """The rule of a repeated time as five fields of cron.

    Args:
        words: Such as "every day at 7", "weekdays at 8:30", "every Monday and Thursday at noon", "every 15 minutes",
            "the first Monday of every month", or the five fields themselves.

    Raises:
        InvalidInput: They name no repeated time, one that is no rule, or one more often than every five minutes.
    """
    text = plain(words)
    rule = text if _CRON.match(text) else within(text, _english)
    if rule is None:
        raise InvalidInput(
            f"{words!r} can't be read as a repeated time. Write it like: every day at 7:00; every Monday and Thursday "
            "at 9:00; every 15 minutes; the 15th of every month at 9:00. For every second week or month there is none."
        )
    check_rule(rule)
    return rule


def _english(text: str) -> Rule | None:
    """The rule that all words of a text name together."""
    words = Words(_LY.sub(lambda found: f"every {found['unit'] or 'day'}", text))
    interval = words.take(_EVERY)
    if interval is not None:
        return _interval(interval) if words.understood() else None
    days, clocks = _take_days(words), take_clocks(words)
    return f"{_at(clocks)} {days}" if days and words.understood() else None


def _interval(found: re.Match[str]) -> Rule:
    """Of minutes that divide an hour, or hours that divide a day: cron begins anew with each."""
    minutes = number_of(found["number"] or "1") * _UNITS_MIN[found["unit"][0]]
    if minutes >= 1 and 60 % minutes == 0:
        return f"*/{minutes:.0f} * * * *" if minutes < 60 else "0 * * * *"
    if minutes >= 60 and minutes < 24 * 60 and 24 * 60 % minutes == 0 and minutes % 60 == 0:
        return f"0 */{minutes / 60:.0f} * * *"
    raise InvalidInput(
        f"There is no rule for {found[0]!r}. Name 5, 6, 10, 12, 15, 20 or 30 minutes, 1, 2, 3, 4, 6, 8 or 12 hours, "
        "or days with their times: every day at 8:00 and 20:00."
    )


def _take_days(words: Words) -> str | None:
    """The last three fields; None where the words name no days, or days of two kinds."""
    monthly = words.take(_MONTHLY) is not None
    nth = words.take(_NTH_DAY)
    if monthly or nth:
        return _of_month(nth, [int(found["day"]) for found in words.all(_NUMBERED)]) if monthly else None
    weekly = words.take(_WEEKLY) is not None
    kinds = [days for kind, days in ((_WEEKDAYS, "1-5"), (_WEEKENDS, "6,0"), (_EACH_DAY, "*")) if words.take(kind)]
    named = sorted({_weekday(found["day"]) for found in words.all(_DAY_OF_WEEK)})
    if named:
        kinds.append(",".join(str(day % 7) for day in named))
    elif weekly:
        kinds.append("1")
    return f"* * {kinds[0]}" if len(kinds) == 1 else None


def _weekday(name: str) -> int:
    """From 1, Monday, to 7."""
    return next(number for number, day in enumerate(DAYS, start=1) if day[:3] == name[:3])


def _of_month(nth: re.Match[str] | None, numbers: list[int]) -> str | None:
    """Days of every month: those numbers, the first Monday, or the last day."""
    if nth is None:
        if any(number > _EVERY_MONTH_HAS for number in numbers):
            raise InvalidInput(
                f"Not every month has a day {max(numbers)}. Name one up to {_EVERY_MONTH_HAS}, or the last day of "
                "every month."
            )
        return f"{','.join(map(str, sorted({*numbers}))) or 1} * *"
    which = _NTHS.get(nth["nth"], nth["nth"][0])
    if numbers or (nth["day"] == "day" and which not in ("1", "l")):
        return None
    if nth["day"] == "day":
        return f"{which} * *"
    day = _weekday(nth["day"]) % 7
    return f"* * l{day}" if which == "l" else f"* * {day}#{which}"


def _at(clocks: list[Clock]) -> str:
    """The first two fields."""
    minutes = {clock.at.minute for clock in clocks}
    if len(minutes) > 1:
        raise InvalidInput("Times of different minutes are not one rule. Set each of them by itself.")
    return f"{minutes.pop()} {','.join(map(str, sorted({clock.at.hour for clock in clocks})))}"


def check_rule(rule: Rule) -> None:
    """Raises InvalidInput where a rule can't be read, or comes more often than every five minutes.

    A day and an hour are looked at, from the first day on that has it: all its days are alike.
    """
    times = _times(rule, ZoneInfo("UTC"), datetime(2029, 12, 31, 23, 59, tzinfo=UTC))
    first = before = next(times)
    for at in times:
        if at - before < timedelta(minutes=5):
            raise InvalidInput("That is too often. Every five minutes is the most.")
        if at - first > timedelta(hours=25):
            return
        before = at


def next_time(rule: Rule, zone: ZoneInfo, after: datetime) -> datetime:
    """When a rule comes next, in UTC.

    It is reckoned on the wall clock: "at 7" is at 7 in summer and in winter. What falls into the hour that a clock
    jumps over comes an hour later; what falls into the one that it repeats comes once.
    """
    return next(_times(rule, zone, after))


def _times(rule: Rule, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    from croniter import croniter
    from croniter.croniter import CroniterError

    local = after.astimezone(zone).replace(tzinfo=None)
    try:
        times: Callable[[type[datetime]], datetime] = croniter(rule, local).get_next
        while True:
            at = times(datetime).replace(tzinfo=zone).astimezone(UTC)
            if at > after:
                yield at
    except (CroniterError, ValueError, KeyError) as error:
        raise InvalidInput(f"{rule!r} is no rule of cron that ever comes: {error}") from error

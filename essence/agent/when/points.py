"""A time that comes once."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise

from essence.agent.when.elsewhere import in_another_language
from essence.agent.when.english import (
    A_DAY_AT,
    ALONE,
    DAY_NAME,
    DAYS,
    MIDNIGHT,
    MONTH,
    MONTHS,
    NUMBER,
    TENS,
    Clock,
    Words,
    number_of,
    plain,
    take_clock,
    within,
)
from essence.errors import InvalidInput

_LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""No later, so that a time can be told in any time zone: Python's calendar ends with that year."""
_WITHIN = f"Name a time between now and the year {_LAST.year}."

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "f": 1_209_600}
_QUARTER = re.compile(r"\b(?:a )?quarter (?:of an )?hour\b")
_LENGTH = re.compile(
    rf"(?:\b(?P<lead>in|after|for|within) )?(?:\b(?P<tens>{'|'.join(TENS)})[ -])?(?P<number>{NUMBER})"
    r"(?P<half> and a half)?(?:(?<=couple) of|(?<=half) an?\b)?[ -]?"
    r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|fortnights?|(?<=\d)[smhdw])\b"
    r"(?P<half2> and a half)?(?:'? time\b)?"
)
_FROM_NOW = re.compile(r"\b(?:from now(?: on)?|later)\b")
_AGO = re.compile(r"\bago\b")
_AHEAD = re.compile(rf"\bin (?P<number>{NUMBER}) (?P<unit>month|year)s?\b")
_ISO = re.compile(
    r"(?:\bon )?(?<![\w-])(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[t ](?P<clock>\d\d:\d\d(?::\d\d)?)(?P<offset>z|[+-]\d\d:?\d\d)?)?(?![\w:-])"
)
_TH = r"(?:st|nd|rd|th)"
_YEAR = r"(?: (?P<year>\d{4})(?![\d:.]))?"
_DATES = tuple(
    re.compile(rf"(?:\b(?:on|by) )?(?:\bthe )?{pattern}")
    for pattern in (
        rf"{ALONE}(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}})?(?![\d.])",
        rf"{ALONE}(?P<day>\d{{1,2}}){_TH}?(?: of)? (?P<month>{MONTH}){_YEAR}",
        rf"\b(?P<month>{MONTH}) (?:the )?{ALONE}(?P<day>\d{{1,2}})(?!:){_TH}?\b{_YEAR}",
        rf"(?<=the ){ALONE}(?P<day>\d{{1,2}}){_TH}\b(?: of (?:the|this) month)?",
    )
)
_NEAR_DAY = re.compile(
    r"\b(?:by )?(?:(?P<two>(?:the )?day after tomorrow)|(?P<one>tomorrow)|(?P<past>yesterday)|"
    r"(?P<none>today|(?=tonight\b)|(?=this (?:morning|afternoon|evening)\b)))"
)
_WEEKDAY = re.compile(rf"\b(?:(?:by|on|this|every|each) )?(?:(?:next|coming|the) )?(?P<name>{DAY_NAME})")


def point_in_time(words: str, now: datetime) -> datetime:
    """The time that words name, in UTC.

    Args:
        words: Such as "in 10 minutes", "tomorrow at 9", "next Friday at 6 pm", "2027-01-31 08:00".
        now: Aware, in the owner's time zone.

    Raises:
        InvalidInput: They name no time, more than one, or one that is past or too far ahead.
    """
    at = _read(words, now, lambda text: within(text, partial(_english, now)) or in_another_language(text, now))
    if at is None:
        raise InvalidInput(
            f"{words!r} can't be read as one time. Write it like: in 10 minutes; tomorrow at 9:00; 2027-01-31 08:00."
        )
    if at <= now.astimezone(UTC):
        raise InvalidInput(f"{words!r} is past: it is {now:%Y-%m-%d %H:%M}. Ask the owner what they mean.")
    return at


def names_a_time(words: str) -> bool:
    """Whether there is a time in the words that is read without another library."""
    now = datetime.now(UTC)
    try:
        return _read(words, now, lambda text: within(text, partial(_english, now))) is not None
    except InvalidInput:
        return False


def _read(words: str, now: datetime, read: Callable[[str], datetime | None]) -> datetime | None:
    """What is read, in UTC, if it is in the calendar."""
    try:
        found = read(plain(words))
        at = None if found is None else _to_come(found, now)
    except OverflowError as error:
        raise InvalidInput(f"{words!r} is out of the calendar. {_WITHIN}") from error
    if at is not None and at >= _LAST:
        raise InvalidInput(f"{words!r} is too far ahead. {_WITHIN}")
    return at


def _to_come(at: datetime, now: datetime) -> datetime:
    """In UTC. Of a time that a clock shows twice, when summer ends, it is the first that isn't past."""
    first, second = (at.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return second if first <= now.astimezone(UTC) < second else first


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What a text says of a time. `weekday`: from 0, Monday."""

    moment: datetime | None
    days: tuple[date, ...]
    weekday: int | None
    lengths: tuple[re.Match[str], ...]
    clock: Clock | None


def _english(now: datetime, text: str) -> datetime | None:
    """The time that all words of a text name together."""
    words = Words(_QUARTER.sub("15 minutes", text))
    moment, days = _take_iso(words, now)
    days += _take_days(words, now.date())
    weekday = words.take(_WEEKDAY)
    ahead = words.take(_AHEAD)
    lengths = tuple(words.all(_LENGTH))
    past = bool(lengths) and words.take(_AGO) is not None
    if lengths and not past:
        words.take(_FROM_NOW)
    clock = take_clock(words)
    if not words.understood():
        return None
    if ahead:
        days += _months_ahead(ahead, now.date())
        clock = clock or Clock(now.time())
    number = None if weekday is None else next(i for i, day in enumerate(DAYS) if day[:3] == weekday["name"][:3])
    pieces = _Pieces(moment, days, number, lengths, clock)
    if lengths:
        return _after(pieces, now, past=past)
    return moment or _day_and_time(pieces, now, sure="wake" in text)


def _take_iso(words: Words, now: datetime) -> tuple[datetime | None, tuple[date, ...]]:
    """A moment if there is a time with the day, else the day."""
    if (found := words.take(_ISO)) is None:
        return None, ()
    day, clock, offset = found["day"], found["clock"], found["offset"]
    try:
        if clock is None:
            return None, (date.fromisoformat(day),)
        at = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset == 'z' else offset or ''}")
    except ValueError as error:
        raise InvalidInput(f"{found[0]} is no date of the calendar.") from error
    return (at if offset else at.replace(tzinfo=now.tzinfo)), ()


def _take_days(words: Words, today: date) -> tuple[date, ...]:
    """Days that are named, other than by the day of the week."""
    dates = [_calendar_day(found, today) for pattern in _DATES for found in words.all(pattern)]
    if (near := words.take(_NEAR_DAY)) is not None:
        dates.append(today + timedelta(days={"two": 2, "one": 1, "past": -1}.get(near.lastgroup or "", 0)))
    return tuple(dates)


def _calendar_day(found: re.Match[str], today: date) -> date:
    """The next one, where no year or no month is said."""
    groups = found.groupdict()
    day, month, year = int(groups["day"]), groups.get("month"), groups.get("year")
    try:
        if month is None:
            return _next_with(day, today)
        number = int(month) if month.isdecimal() else MONTHS.index(month[:3]) + 1
        at = date(int(year) if year else today.year, number, day)
        return at if year or at >= today else at.replace(year=today.year + 1)
    except ValueError as error:
        raise InvalidInput(f"{found[0].strip()} is no date of the calendar.") from error


def _next_with(day: int, today: date) -> date:
    """The next day of this number; months that have none are left out, unless no month has one."""
    months = (divmod(today.year * 12 + today.month - 1 + ahead, 12) for ahead in range(3))
    days = [date(year, month + 1, day) for year, month in months if day <= monthrange(year, month + 1)[1]]
    found = next((at for at in days if at >= today), None)
    if found is None:
        raise ValueError(day)
    return found


def _months_ahead(found: re.Match[str], today: date) -> tuple[date, ...]:
    number = number_of(found["number"]) * (12 if found["unit"] == "year" else 1)
    if not number.is_integer():
        raise InvalidInput(f"{found[0]!r} is no number of months. Name the day.")
    year, month = divmod(today.year * 12 + today.month - 1 + int(number), 12)
    if year >= _LAST.year:
        raise OverflowError
    return (date(year, month + 1, min(today.day, monthrange(year, month + 1)[1])),)


def _after(pieces: _Pieces, now: datetime, *, past: bool) -> datetime | None:
    """Lengths of time from now; days and weeks may be followed by a time of day."""
    lengths = [(_UNITS[part["unit"][0]], part) for part in pieces.lengths]
    ordered = all(bigger > smaller for (bigger, _), (smaller, _) in pairwise(lengths))
    if (
        pieces.moment
        or pieces.days
        or pieces.weekday is not None
        or not ordered
        or any(p["lead"] for _, p in lengths[1:])
    ):
        return None
    seconds = sum(_length_s(part) for part in pieces.lengths)
    if pieces.clock is None:
        return now.astimezone(UTC) + timedelta(seconds=-seconds if past else seconds)
    if past or seconds % _UNITS["d"] or pieces.lengths[0]["lead"] not in ("in", "after"):
        return None
    day = now.date() + timedelta(seconds=seconds)
    return _day_and_time(replace(pieces, days=(day,), lengths=()), now, sure=False)


def _length_s(part: re.Match[str]) -> float:
    number = number_of(part["number"]) + TENS.get(part["tens"], 0) + (0.5 if part["half"] or part["half2"] else 0)
    return number * _UNITS[part["unit"][0]]


def _day_and_time(pieces: _Pieces, now: datetime, *, sure: bool) -> datetime | None:
    """`sure`: an hour is as it was said, which of the two of a day is not to be guessed."""
    clock, today = pieces.clock, now.date()
    if len(pieces.days) > 1:
        return None
    day = next(iter(pieces.days), None)
    if pieces.weekday is not None:
        day = _on_weekday(pieces.weekday, day, today)
    if day is None:
        return None if clock is None else _next_time(clock.at, now, exact=sure or clock.exact)
    if clock is None:
        return datetime.combine(day, A_DAY_AT, tzinfo=now.tzinfo)
    if clock is MIDNIGHT and day == today:
        day += timedelta(days=1)
    at = datetime.combine(day, clock.at, tzinfo=now.tzinfo)
    if sure or clock.exact or clock.at.hour >= 12:
        return at
    later = clock.at.hour in range(1, 7) or (day == today and _to_come(at, now) <= now.astimezone(UTC))
    return at.replace(hour=at.hour + 12) if later else at


def _on_weekday(weekday: int, day: date | None, today: date) -> date:
    if day is None:
        return today + timedelta(days=(weekday - today.weekday()) % 7 or 7)
    if day.weekday() != weekday:
        raise InvalidInput(f"{day} is a {DAYS[day.weekday()].title()}. Ask the owner which day they mean.")
    return day


def _next_time(clock: time, now: datetime, *, exact: bool) -> datetime:
    """The next time that a clock shows this; without am or pm, one that has twelve hours."""
    candidates = [clock] if exact or not 1 <= clock.hour <= 12 else [clock, clock.replace(hour=(clock.hour + 12) % 24)]
    moments = [
        _to_come(datetime.combine(now.date() + timedelta(days=days), candidate, tzinfo=now.tzinfo), now)
        for days in (0, 1)
        for candidate in candidates
    ]
    return min(moment for moment in moments if moment > now.astimezone(UTC))

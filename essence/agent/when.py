"""Times as people say them, in the owner's time zone.

English is read here; what is not understood is tried with dateparser, which knows some 200 languages. Days and hours
are counted on the wall clock (a day is not always 24 hours), lengths of time on the real one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from essence.errors import InvalidInput

_TEENS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_NUMBERS: dict[str, float] = {
    **{name: number for number, name in enumerate(_TEENS)},
    **_TENS,
    "a": 1,
    "an": 1,
    "half": 0.5,
    "couple": 2,
    "sixty": 60,
    "ninety": 90,
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NUMBER = rf"\d+(?:\.\d+)?|(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})\b"
_LENGTH = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})[ -])?(?P<number>{_NUMBER})(?: of)?(?: an?\b)?[ -]?"
    r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|(?<=\d)[smhdw])\b(?P<half> and a half)?"
)
_QUARTER = re.compile(r"\b(?:a )?quarter (?:of an )?hour\b")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY = re.compile(r"\b(?:next |on |this )?(" + "|".join(_DAYS) + r")\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = "|".join(f"{month}[a-z]*" for month in _MONTHS)
_DATE = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})"
    rf"|(?P<month2>{_MONTH}) (?:the )?(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?)\b"
)
_ISO = re.compile(r"\b(\d{4}-\d\d-\d\d)(?:[t ](\d\d:\d\d(?::\d\d)?)(z|[+-]\d\d:?\d\d)?)?(?![\d:])")
_CLOCK = re.compile(
    r"\b(?P<hour>[01]?\d|2[0-3])[:.](?P<minute>[0-5]\d)\s*(?P<half>[ap]\.?m\b\.?)?"
    r"|\b(?P<hour2>1[0-2]|0?[1-9])\s*(?P<half2>[ap]\.?m\b\.?)"
    r"|\b(?:at|by|around|for) (?P<hour3>[01]?\d|2[0-3])\b"
    r"(?:\s*(?P<half3>[ap]\.?m\b\.?)|(?![:.]?\d| (?:min|hour|sec|day)))"
    r"|\b(?P<hour4>1[0-2]|[1-9]) o'?clock\b"
)
_NAMED = (("midnight", time(0)), ("noon", time(12)), ("midday", time(12)))
_PARTS_OF_DAY = (("morning", time(9)), ("afternoon", time(15)), ("tonight", time(20)), ("evening", time(19)),
                 ("night", time(21)))  # fmt: skip


def point_in_time(words: str, now: datetime) -> datetime:
    """The time that words name, in UTC.

    Args:
        words: Such as "in 10 minutes", "tomorrow at 9", "next Friday at 6 pm", "2027-01-31 08:00".
        now: Aware, in the owner's time zone.

    Raises:
        InvalidInput: They name no time, or one that is past.
    """
    text = " ".join(words.casefold().replace("’", "'").split())
    for read in (_iso, _day_and_time, _after, _elsewhere):
        if (found := read(text, now)) is not None:
            at = found.astimezone(UTC)
            if at <= now.astimezone(UTC):
                raise InvalidInput(f"{words!r} is past: it is {now:%Y-%m-%d %H:%M}. Ask the owner what they mean.")
            return at
    raise InvalidInput(f"{words!r} names no time. Write it like: in 10 minutes; tomorrow at 9:00; 2027-01-31 08:00.")


def names_a_time(words: str) -> bool:
    """Whether there is a time in the words that this module reads by itself."""
    text = " ".join(words.casefold().replace("’", "'").split())
    now = datetime.now(UTC)
    return any(read(text, now) is not None for read in (_iso, _day_and_time, _after))


def _iso(text: str, now: datetime) -> datetime | None:
    if (found := _ISO.search(text)) is None:
        return None
    day, clock, offset = found.groups()
    try:
        if offset:
            return datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset == 'z' else offset}")
        return datetime.fromisoformat(f"{day}T{clock or '09:00'}").replace(tzinfo=now.tzinfo)
    except ValueError as error:
        raise InvalidInput(f"{found[0]} is no date of the calendar.") from error


def _after(text: str, now: datetime) -> datetime | None:
    seconds = length_s(text)
    return None if seconds is None else now.astimezone(UTC) + timedelta(seconds=seconds)


def length_s(text: str) -> float | None:
    """The length of time that words name, all of its parts together. [s]"""
    total = 0.0
    for part in _LENGTH.finditer(_QUARTER.sub("15 minutes", text.casefold())):
        number = _number(part["number"]) + _TENS.get(part["tens"], 0) + (0.5 if part["half"] else 0)
        total += number * _UNITS[part["unit"][0]]
    return total or None


def _number(text: str) -> float:
    return _NUMBERS[text] if text in _NUMBERS else float(text)


def _day_and_time(text: str, now: datetime) -> datetime | None:
    day, clock = _day(text, now.date()), clock_time(text)
    if day is None and clock is None:
        return None
    if day is None:
        return _next_time(clock or time(9), now, exact=_is_exact(text))
    clock = clock or time(9)
    if not _is_exact(text) and 1 <= clock.hour <= 6:
        clock = clock.replace(hour=clock.hour + 12)
    return datetime.combine(day, clock, tzinfo=now.tzinfo)


def _next_time(clock: time, now: datetime, *, exact: bool) -> datetime:
    """The next time that a clock shows this; without am or pm, one that has twelve hours."""
    candidates = [clock] if exact or not 1 <= clock.hour <= 12 else [clock, clock.replace(hour=(clock.hour + 12) % 24)]
    moments = [
        datetime.combine(now.date() + timedelta(days=days), candidate, tzinfo=now.tzinfo)
        for days in (0, 1)
        for candidate in candidates
    ]
    return min(moment for moment in moments if moment > now)


def _is_exact(text: str) -> bool:
    """Whether a text leaves no doubt about the half of the day."""
    found = _CLOCK.search(text)
    if found is None or "wake" in text or any(name in text for name, _ in (*_NAMED, *_PARTS_OF_DAY)):
        return True
    written_in_24 = found["hour"] and (int(found["hour"]) > 12 or found["hour"][0] == "0")
    return bool(_half(found) or written_in_24)


def _day(text: str, today: date) -> date | None:
    if "day after tomorrow" in text:
        return today + timedelta(days=2)
    if "tomorrow" in text:
        return today + timedelta(days=1)
    if re.search(r"\b(today|tonight|this (morning|afternoon|evening))\b", text):
        return today
    if (found := re.search(rf"\b(?:in|after) ({_NUMBER}) (day|week)s?\b", text)) and clock_time(text) is not None:
        return today + timedelta(days=int(_number(found[1])) * (7 if found[2] == "week" else 1))
    if (found := _WEEKDAY.search(text)) is not None:
        ahead = (_DAYS.index(found[1]) - today.weekday()) % 7 or 7
        return today + timedelta(days=ahead)
    return _calendar_day(text, today)


def _calendar_day(text: str, today: date) -> date | None:
    if (found := _DATE.search(text)) is None:
        return None
    month = _MONTHS.index((found["month"] or found["month2"])[:3]) + 1
    day = int(found["day"] or found["day2"])
    try:
        this_year = date(today.year, month, day)
        return this_year if this_year >= today else this_year.replace(year=today.year + 1)
    except ValueError as error:
        raise InvalidInput(f"{found[0]} is no date of the calendar.") from error


def _half(found: re.Match[str]) -> str:
    """a, p, or nothing."""
    return (found["half"] or found["half2"] or found["half3"] or "")[:1]


def clock_time(text: str) -> time | None:
    """The time of day that words name."""
    named = next((clock for name, clock in _NAMED if name in text), None)
    if named is not None:
        return named
    part = next((clock for name, clock in _PARTS_OF_DAY if name in text), None)
    if (found := _CLOCK.search(text)) is None:
        return part
    hour = int(found["hour"] or found["hour2"] or found["hour3"] or found["hour4"])
    half = _half(found) or ("p" if part and part.hour >= 12 and hour < 12 else "")
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    return time(hour, int(found["minute"] or 0))


def _elsewhere(text: str, now: datetime) -> datetime | None:
    """Other languages; takes half a second to load, so it comes last."""
    import dateparser

    settings = {
        "RELATIVE_BASE": now.replace(tzinfo=None),
        "PREFER_DATES_FROM": "future",
        "RETURN_AS_TIMEZONE_AWARE": False,
    }
    found: datetime | None = dateparser.parse(text, settings=settings)
    return None if found is None else found.replace(tzinfo=now.tzinfo)


Rule = str
_CRON = re.compile(r"^\s*(?:[\d*/,\-]+\s+){4}[\d*/,\-a-z]+\s*$", re.IGNORECASE)
_EVERY = re.compile(rf"\b(?:every|each) (?P<number>{_NUMBER})? ?(?P<unit>minute|hour)s?\b")


def rule_of(words: str) -> Rule:
    """The rule of a repeated time as five fields of cron.

    Args:
        words: Such as "every day at 7", "weekdays at 8:30", "every Monday and Thursday at noon", "every 15 minutes",
            or the five fields themselves.

    Raises:
        InvalidInput: They name no repeated time, or one more often than every five minutes.
    """
    text = " ".join(words.casefold().replace("’", "'").split())
    rule = text if _CRON.match(text) else _interval(text) or _daily(text)
    if rule is None:
        raise InvalidInput(f"{words!r} names no repeated time. Write it like: every day at 7:00; every Monday at 9:00.")
    check_rule(rule)
    return rule


def _interval(text: str) -> Rule | None:
    if (found := _EVERY.search(text)) is None:
        return None
    count = int(_number(found["number"] or "1"))
    if found["unit"] == "hour":
        return "0 * * * *" if count == 1 else f"0 */{count} * * *"
    return f"*/{count} * * * *"


def _daily(text: str) -> Rule | None:
    clock = clock_time(text) or time(9)
    at = f"{clock.minute} {clock.hour}"
    days = [number for number, name in enumerate(_DAYS, start=1) if name in text]
    if "weekday" in text or "working day" in text:
        return f"{at} * * 1-5"
    if "weekend" in text:
        return f"{at} * * 6,0"
    if days:
        return f"{at} * * {','.join(str(day % 7) for day in days)}"
    if "month" in text:
        found = re.search(r"\b(\d{1,2})(?:st|nd|rd|th)\b", text)
        return f"{at} {found[1] if found else 1} * *"
    if "week" in text:
        return f"{at} * * 1"
    every_day = re.search(
        r"\b(every|each) (single )?(day|morning|afternoon|evening|night)\b|\bdaily\b|\bnightly\b", text
    )
    return f"{at} * * *" if every_day else None


def check_rule(rule: Rule) -> None:
    """Raises InvalidInput where a rule can't be read, or comes more often than every five minutes."""
    first = next_time(rule, ZoneInfo("UTC"), datetime(2030, 1, 1, tzinfo=UTC))
    if next_time(rule, ZoneInfo("UTC"), first) - first < timedelta(minutes=5):
        raise InvalidInput("That is too often. Every five minutes is the most.")


def next_time(rule: Rule, zone: ZoneInfo, after: datetime) -> datetime:
    """When a rule comes next, in UTC.

    It is reckoned on the wall clock: "at 7" is at 7 in summer and in winter. What falls into the hour that a clock
    jumps over comes an hour later; what falls into the one that it repeats comes once.
    """
    from croniter import croniter
    from croniter.croniter import CroniterError

    local = after.astimezone(zone).replace(tzinfo=None)
    try:
        times: Callable[[type[datetime]], datetime] = croniter(rule, local).get_next
        while True:
            at = times(datetime).replace(tzinfo=zone).astimezone(UTC)
            if at > after:
                return at
    except (CroniterError, ValueError, KeyError) as error:
        raise InvalidInput(f"{rule!r} is no rule of cron that ever comes: {error}") from error

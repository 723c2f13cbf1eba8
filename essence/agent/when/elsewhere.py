"""Times in other languages than English, as dateparser knows them.

dateparser reads on where it doesn't understand: "morgen um 9" is tomorrow at this very minute to it, "demain à 9
heures" is in 33 hours. So its answer is not taken on trust: the text is read again from another now, and with each of
its numbers changed. That shows what the answer was made of; where a number was lost there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import product

from essence.agent.when.english import A_DAY_AT
from essence.errors import InvalidInput

_ENGLISH = re.compile(
    r"\b(?:the|at|every|each|next|last|other|first|second|this|tomorrow|today|tonight|yesterday|morning|afternoon|night"
    r"|evening|noon|midnight|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|hours?|days?|weeks?|fortnights?|months?|years?"
    r"|daily|hourly|weekly|monthly|ago|before|after|and|half|quarter|past|from|until|for|of|pm|remind|timer|alarm"
    r"|one|two|three|four|five|seven|eight|nine|ten|eleven|twelve)\b|\bin\b.*\b(?:minute|second)s?\b"
)
"""What is English and was not understood there: dateparser would make something of a part of it."""
_UNCLEAR = re.compile(
    r"(?:^|[^\d.])[-−–]\s?\d|\+\s?\d|\d/\d|\d,\d|^\d+ ?h(?: ?\d+)?$"
    r"|\b(?:utc|gmt|ce?st|ce?t|mes?z|[ep][sd]t|bst|msk|ist|jst)\b"
)
"""Negative; 1/2, in January or in February; maybe a fraction; 1h30, a length or an hour; in another time zone."""
_CHARS_MAX = 100
_NUMBER = re.compile(r"\d+")
_NUMBERS_MAX = 6
_MOVE = timedelta(days=70)
"""Whole weeks, and into another month: days of the week come as far from now as before, days of a month do not."""
_MINUTES = timedelta(minutes=97)
_UNITS_S = (1, 60, 3600, 86_400, 604_800)
_WEEK = 7
_Numbers = tuple[int, ...]


def in_another_language(text: str, now: datetime) -> datetime | None:
    """None where nothing is read, or not all that stands in the text.

    Numbers are read in figures, and a text without any is one word: dateparser loses written ones without a trace.

    Raises:
        InvalidInput: It is of a form that dateparser fails at.
    """
    numbers = list(_NUMBER.finditer(text))
    if (
        len(text) > _CHARS_MAX
        or _ENGLISH.search(text)
        or _UNCLEAR.search(text)
        or len(numbers) > _NUMBERS_MAX
        or (not numbers and " " in text)
    ):
        return None
    here = now.replace(tzinfo=None)
    then = here + _MOVE + (_MINUTES if (here + _MINUTES).date() == here.date() else -_MINUTES)
    if (at := _parsed(text, here)) is None or (moved := _parsed(text, then)) is None:
        return None
    if any(_parsed(_changed(text, number), here) == at for number in numbers):
        return None
    found = _Answer(at, here, moved, then).made_of(tuple(int(number[0]) for number in numbers))
    return None if found is None else found.replace(tzinfo=now.tzinfo)


@dataclass(frozen=True, slots=True)
class _Answer:
    """`at`: what was read from `here`; `moved`: from `then`."""

    at: datetime
    here: datetime
    moved: datetime
    then: datetime

    def made_of(self, numbers: _Numbers) -> datetime | None:
        """The time, if each of the numbers has its place in it, and it has no others."""
        if not numbers:
            alone = self._as_far() and self.at.time() in (self.here.time(), time(0)) and 0 <= self._days() <= _WEEK
            return datetime.combine(self.at, A_DAY_AT) if alone else None
        if self.at - self.here == self.moved - self.then:
            return self.at if _is_length(numbers, (self.at - self.here).total_seconds()) else None
        if self.at.time() != self.moved.time():
            return None
        dates, said = self._dates(), sorted(numbers)
        if any(sorted((*date, *clock)) == said for date, clock in product(dates, self._clocks())):
            return self.at
        alone = self.at.time() == time(0) and any(sorted(date) == said for date in dates)
        return datetime.combine(self.at, A_DAY_AT) if alone else None

    def _days(self) -> int:
        return (self.at.date() - self.here.date()).days

    def _as_far(self) -> bool:
        return self._days() == (self.moved.date() - self.then.date()).days

    def _dates(self) -> list[_Numbers]:
        """The numbers that may stand for the day; none for one that has a name, or for the next."""
        found: list[_Numbers] = []
        if self._as_far():
            found = [(self._days(),), *([()] if self._days() <= _WEEK else [])]
            found += [(self._days() // _WEEK,)] if self._days() % _WEEK == 0 else []
        if (self.at.month, self.at.day) == (self.moved.month, self.moved.day):
            day, month, year = self.at.day, self.at.month, self.at.year
            found += [(day,), (day, month), (day, month, year)]
        return found

    def _clocks(self) -> list[_Numbers]:
        hours = {self.at.hour, self.at.hour - 12 if self.at.hour > 12 else self.at.hour}
        return [(hour, self.at.minute) for hour in hours] + [(hour,) for hour in hours if self.at.minute == 0]


def _is_length(numbers: _Numbers, seconds: float) -> bool:
    """Whether the numbers are so many of some units, together."""
    return any(
        sum(number * unit for number, unit in zip(numbers, units, strict=True)) == abs(seconds)
        for units in product(_UNITS_S, repeat=len(numbers))
    )


def _changed(text: str, number: re.Match[str]) -> str:
    """The text with another number there, of as many figures."""
    other = int(number[0]) - 1 if int(number[0]) else 1
    return f"{text[: number.start()]}{other:0{len(number[0])}d}{text[number.end() :]}"


def _parsed(text: str, now: datetime) -> datetime | None:
    import dateparser  # takes half a second

    settings = {"RELATIVE_BASE": now, "PREFER_DATES_FROM": "future", "RETURN_AS_TIMEZONE_AWARE": False}
    try:
        found: datetime | None = dateparser.parse(text, settings=settings)
    except Exception as error:  # at a text of an unknown form it fails at whatever it made of it
        raise InvalidInput(f"{text!r} can't be read as a time. Write it like: tomorrow at 9:00.") from error
    return found

"""English words of time, and how a text is read so that none of its words is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from typing import TypeVar

from essence.errors import InvalidInput

Found = TypeVar("Found")

_UP_TO_TWELVE = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_NUMBERS: dict[str, float] = {
    **{name: number for number, name in enumerate((*_UP_TO_TWELVE, *_TEENS), start=1)},
    **TENS,
    "zero": 0, "a couple": 2, "couple": 2, "a": 1, "an": 1, "half": 0.5, "sixty": 60, "ninety": 90,
}  # fmt: skip
ALONE = r"(?<![\d.,:/+-])"
"""Before a number that is not the rest of another one, and not a negative one."""
NUMBER = rf"(?:{ALONE}\d+(?:\.\d+)?|\b(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})\b)"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_NAME = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:days?)?\b"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b"
)
_FILLERS = re.compile(
    r"(?:~|a|about|again|alarm|an|and|call|can|could|create|don't|for|forget|get|give|have|hey|hi|i|i'd|is|it|june|know|let"
    r"|like|make|me|my|need|of|ok|okay|please|remind|reminder|schedule|set|sharp|start|tell|that|the|time|timer|to|up|us"
    r"|wake|want|with|would|you)"
)
"""Words that say nothing of the time."""
_ORDER = re.compile(r"\b(?:remind|reminder|alarm|timer|wake|tell me|let me|let us|schedule)\b")
_OF_WHAT = re.compile(r"\b(?:to|that|about|of|for|forget)\b")
_UNIT = r"(?:minute|hour|day|week|month|year|fortnight)s?\b"
_PART_OF_DAY = r"(?:morning|afternoon|evening|night)s?\b"
_MAYBE_OF_TIME = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|noon|midnight|ago|until|starting|except|every|each|twice|daily|weekly|monthly"
    rf"|hourly|o'clock|week(?:day|end)s?)\b|\b{DAY_NAME}|\b{MONTH} \d|\d[a-z ]*\b{MONTH}|\d\s*[ap]\.?m\b|\d[:.]\d"
    rf"|\b(?:at|by|in|after|for|around) (?:\d|(?:{'|'.join(_UP_TO_TWELVE)})\b)|\bon the \d"
    rf"|\b(?:in|after|for|next|this) (?:[a-z]+ ){{0,2}}{_UNIT}|\b(?:in the|this|at|next) {_PART_OF_DAY}"
)
"""In what a reminder is about: then it may be about a time, or be meant for it."""
_GOES_ON = re.compile(rf"(?:to|of|about) (?:\d|(?:{'|'.join(_UP_TO_TWELVE)})\b)")
"""After a time: "at 9 to 10"."""
_OF_TIME = re.compile(
    rf"{_MAYBE_OF_TIME.pattern}|\b{MONTH}|\b(?:before|after|other|past|quarter|half|next|last|first|second)\b"
    rf"|\b{_UNIT}|\b{_PART_OF_DAY}"
)

_CHARS_MAX = 500
_WORDS_MAX = 20
"""A time is not longer; what it comes with may be a whole page."""


def plain(words: str) -> str:
    """In lower case, with single spaces, without marks between words."""
    return re.sub(
        r"(?<![,;!?])[,;!?]++(?=\s|$)|(?<![ap]\.m)\.(?=\s*$)", "", " ".join(words.casefold().replace("’", "'").split())
    )


def speaks_of_time(words: str) -> bool:
    """Whether there is a word of time in the words, be it understood or not."""
    return _OF_TIME.search(plain(words)) is not None


def number_of(text: str) -> float:
    """What `NUMBER` found."""
    return float(_NUMBERS.get(text, text))


class Words:
    """A text of which piece after piece is taken. What is left at the end was not understood."""

    def __init__(self, text: str) -> None:
        self._left = text

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first that fits, which is gone then."""
        if (found := pattern.search(self._left)) is not None:
            self._left = f"{self._left[: found.start()]} ~ {self._left[found.end() :]}"
        return found

    def all(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """All that fit."""
        return list(iter(lambda: self.take(pattern), None))

    def understood(self) -> bool:
        """Whether nothing is left but words that say nothing of the time."""
        return all(_FILLERS.fullmatch(word) for word in self._left.split())


def within(text: str, read: Callable[[str], Found | None]) -> Found | None:
    """What is read of a text, or of an order in it without what it is about: "remind me TIME to …", "… to … TIME"."""
    if len(text) <= _CHARS_MAX and ((found := read(text)) is not None or not _ORDER.search(text)):
        return found
    marks = list(_OF_WHAT.finditer(text, 0, _CHARS_MAX))
    for mark in reversed(marks):
        if (found := read(text[: mark.start()])) is not None:
            rest = text[mark.start() :]
            return None if _MAYBE_OF_TIME.search(rest) or _GOES_ON.match(rest) else found
    if not marks or not Words(text[: marks[0].start()]).understood():
        return None
    return _at_the_end(text[marks[0].end() :].split(), read)


def _at_the_end(words: list[str], read: Callable[[str], Found | None]) -> Found | None:
    """What is read of the longest end of words; none where the words before are of the time as well."""
    for start in range(max(1, len(words) - _WORDS_MAX), len(words)):
        if (found := read(" ".join(words[start:]))) is not None:
            before = " ".join(words[:start])
            return None if _OF_TIME.search(before) or words[start - 1][-1].isdigit() else found
    return None


_HOUR = rf"{ALONE}(?P<hour>2[0-3]|[01]?\d|(?:{'|'.join(_UP_TO_TWELVE)})\b)"
_HALF = r"(?:\s*(?P<half>[ap])\.?m\b\.?)"
_AT = r"(?:\b(?:at|by|for|around|about)(?: around| about)? )"
_NO_MORE = r"(?![\w%]|[:./,-]\d)"
_CLOCKS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_AT}?(?P<part>half|(?:a )?quarter|{ALONE}(?:5|10|20|25)|\b(?:five|ten|twenty(?:[ -]five)?)) "
        rf"(?P<side>past|to) {_HOUR}{_HALF}?{_NO_MORE}",
        rf"{_AT}?{_HOUR}[:.](?P<minute>[0-5]\d){_HALF}?{_NO_MORE}",
        rf"{_AT}?{_HOUR}{_HALF}{_NO_MORE}",
        rf"{_AT}?{_HOUR} o'?clock\b{_HALF}?",
        rf"{_AT}{_HOUR}{_NO_MORE}",
    )
)
_ONE = rf"{ALONE}(?:2[0-3]|[01]?\d|(?:{'|'.join(_UP_TO_TWELVE)})\b)(?:[:.][0-5]\d)?(?:\s*[ap]\.?m\b\.?)?(?![\w%])"
_LIST = re.compile(rf"{_AT}{_ONE}(?: {_ONE})* and (?:at )?{_ONE}{_NO_MORE}")
_ONE_OF_LIST = re.compile(rf"{_HOUR}(?:[:.](?P<minute>[0-5]\d))?{_HALF}?")
_NAMED = re.compile(r"\b(?:at )?(?:12 )?(?P<name>noon|midday|(?:tonight )?(?:at )?midnight(?: tonight)?)\b")
_PART = re.compile(r"\b(?:(?:in the|this|at|the|every|each) )?(?P<name>morning|afternoon|evening|night|tonight)s?\b")
_PARTS = {
    "morning": (9, range(12)),
    "afternoon": (15, range(12, 19)),
    "evening": (19, range(15, 24)),
    "tonight": (20, range(17, 24)),
    "night": (21, range(18, 24)),
}
"""What hour is meant where none is said, and which ones can be."""

A_DAY_AT = time(9)
"""When a day without a time of day is meant."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day. `exact`: there is no doubt about the half of the day."""

    at: time
    exact: bool = True


MIDNIGHT = Clock(time(0))


def take_clock(words: Words) -> Clock | None:
    """The time of day in the words, with the part of the day that they name.

    Raises:
        InvalidInput: Both are there and don't go together: nobody knows what 2 at night is.
    """
    if (named := words.take(_NAMED)) is not None:
        return MIDNIGHT if "midnight" in named["name"] else Clock(time(12))
    part = words.take(_PART)
    name = part["name"] if part else ""
    found = next((found for pattern in _CLOCKS if (found := words.take(pattern))), None)
    if found is not None:
        return _clock_of(found, name)
    return Clock(time(_PARTS[name][0])) if name else None


def take_clocks(words: Words) -> list[Clock]:
    """The times of day in the words; that of `A_DAY_AT` where there is none.

    Raises:
        InvalidInput: One of them is no time of day, or may be meant for either half of it: "at 8 and 9 pm".
    """
    found = words.take(_LIST)
    if found is None:
        return [take_clock(words) or Clock(A_DAY_AT)]
    clocks = [_clock_of(one) for one in _ONE_OF_LIST.finditer(found[0])]
    if len({clock.exact for clock in clocks}) > 1 and "m" in found[0]:
        raise InvalidInput(f"{found[0].strip()!r} can be understood in two ways. Write the times like 8:00 and 21:00.")
    return clocks


def _clock_of(found: re.Match[str], part: str = "") -> Clock:
    """What hour, minute and half of the day in a match are.

    Raises:
        InvalidInput: They are no time of day.
    """
    groups = found.groupdict()
    said, minute, half = int(number_of(groups["hour"])), int(groups.get("minute") or 0), groups.get("half") or ""
    hour, side = said, groups.get("side")
    if side:
        hour, minute = _near(said, groups["part"], side)
    if (half and not 1 <= said <= 12) or (said == 12 and ((side == "to" and half) or part not in ("", "afternoon"))):
        raise InvalidInput(f"{found[0].strip()!r} can be understood in two ways. Write the time like 15:00.")
    if part and not half and hour <= 12:
        half = "a" if part == "morning" else "p"
    hour = hour % 12 + (12 if half == "p" else 0) if half else hour
    if part and hour not in _PARTS[part][1]:
        raise InvalidInput(f"{found[0].strip()!r} is not in the {part}. Write the time like 15:00.")
    return Clock(time(hour, minute), exact=bool(half or part) or said > 12 or groups["hour"][0] == "0")


def _near(hour: int, part: str, side: str) -> tuple[int, int]:
    """Hour and minute of "half past 7" and "quarter to 8"."""
    known = {"half": 30, "quarter": 15}
    minutes = sum(known.get(word) or int(number_of(word)) for word in re.split(r"[ -]", part.removeprefix("a ")))
    if side == "past":
        return hour, minutes
    return ((hour - 1) % 24 if hour > 12 or hour == 0 else (hour - 2) % 12 + 1), 60 - minutes

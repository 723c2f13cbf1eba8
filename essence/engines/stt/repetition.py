"""Structural tests for loops: does a text say one thing over and over, or end by saying something again?

They know no language and no phrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, takewhile

_LONGEST_UNIT = 24
"""Longest repeated unit that is looked for, in items. Loops of Whisper repeat a clause, seldom more than 15 tokens."""

_SHORTEST_ENDING = 4
"""Shortest ending that counts as said again, in items: a clause."""
_LOOSE_ITEMS = 2
"""So many items at the very end may differ: a full stop instead of a comma, a word that was broken off."""


def longest_run(items: Sequence[object]) -> tuple[int, int]:
    """Find the stretch that repeats itself back to back and covers the most.

    Returns:
        Length of the repeated unit and how often it follows itself, (0, 1) for no items. "a b a b a b" gives (2, 3).
    """
    best = (len(items), 1) if not items else (0, 1)
    covered = 0
    for unit in range(1, min(_LONGEST_UNIT, len(items) // 2) + 1):
        times = _repeats(items, unit)
        if times > 1 and unit * times > covered:
            best, covered = (unit, times), unit * times
    return best


def _repeats(items: Sequence[object], unit: int) -> int:
    """How often some `unit` items follow themselves. Equal items at distance `unit`, n in a row, are n/unit repeats."""
    same = (a == b for a, b in zip(items, items[unit:], strict=False))
    longest = max((sum(1 for _ in run) for equal, run in groupby(same) if equal), default=0)
    return 1 + longest // unit


def is_loop(items: Sequence[object]) -> bool:
    """Whether this is a decoder's loop rather than a person's emphasis.

    People say a thing two or three times ("no, no, no", a refrain). A decoder that is caught repeats until its budget
    ends: five times or more, or four times where a unit is a clause of four items or more, and it fills most of the
    text.
    """
    unit, times = longest_run(items)
    enough = 4 if unit >= 4 else 5
    return times >= enough and unit * times * 2 > len(items)


def repeated_ending(items: Sequence[object]) -> tuple[range, range] | None:
    """Find the longest ending that is said earlier too, and where it is said first.

    Whisper may write a sentence once more that was said once: both lie in the text, and only one of them in the sound.

    Returns:
        Places of the first and of the last time, of equal length and apart from one another; None where there are none.
    """
    length, distance, end = max(
        (
            (_common_ending(items, distance, end), distance, end)
            for end in range(max(0, len(items) - _LOOSE_ITEMS), len(items) + 1)
            for distance in range(_SHORTEST_ENDING, end)
        ),
        default=(0, 0, 0),
    )
    if length < _SHORTEST_ENDING:
        return None
    return range(end - distance - length, end - distance), range(end - length, end)


def _common_ending(items: Sequence[object], distance: int, end: int) -> int:
    """How many of the items before `end` equal those `distance` before them; at most `distance`."""
    last = range(end - 1, max(distance, end - distance) - 1, -1)
    return sum(1 for _ in takewhile(lambda place: items[place] == items[place - distance], last))

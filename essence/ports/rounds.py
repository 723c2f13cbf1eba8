"""The rounds of the work on a message: each time it failed and a person wants it tried again begins a new one.

The steps of each are kept under a key of their own, so that what was recorded before it failed counts no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from essence.ports.tasks import Journal
from essence.work import CLAIMED, FAILED


@dataclass(frozen=True, slots=True)
class Round:
    """One of them."""

    number: int
    key: str
    """Of its steps."""
    steps: Mapping[str, str]
    """Texts of those that are recorded, by name."""


def key_of(key: str, number: int) -> str:
    """Key of a round's steps; `key`: of the first one's."""
    return f"{key}~{number}" if number else key


def first_of(key: str) -> str:
    """The inverse of `key_of`: key of the first round's steps."""
    first, _, number = key.rpartition("~")
    return first if first and number.isdecimal() else key


async def rounds_of(key: str, journal: Journal) -> list[Round]:
    """All, up to the one that has not failed, which nobody may have begun yet; `key`: of the first one's steps."""
    rounds = [Round(0, key, await journal.steps(key))]
    while FAILED in rounds[-1].steps:
        number = len(rounds)
        rounds.append(Round(number, key_of(key, number), await journal.steps(key_of(key, number))))
    return rounds


async def begun_round(key: str, journal: Journal) -> Round:
    """The newest that an agent has begun with; the first one even if none has."""
    *before, coming = await rounds_of(key, journal)
    return before[-1] if before and CLAIMED not in coming.steps else coming

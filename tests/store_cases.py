"""What tests of the store share: a clock that is set by hand, messages, and stores by the name of their database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from essence.config import StoreSettings
from essence.dialogue import Address, Message, Person
from essence.store import Clock

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = Address("telegram", "7")
THERE = Address("telegram", "8")
ANNA = Person("1", "Anna")
NEVER_S = 60.0
"""Between two looks: who waits is woken by a ring, or the test takes too long."""
SETTINGS = StoreSettings(
    _env_file=None, store_poll_s=NEVER_S, message_deadline_s=60, history_max_turns=6, history_max_chars=1000
)


class HandClock:
    """Time passes when it is told to."""

    def __init__(self) -> None:
        self.wall = START
        self.lease_s = 1000.0

    def pass_s(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.lease_s += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.wall, lease_s=lambda: self.lease_s)


def note(number: int, address: Address = HERE, *, text: str = "", sender: Person = ANNA) -> Message:
    sent_at = START + timedelta(seconds=number)
    return Message(address, str(number), sender, sent_at, text or f"note {number}")

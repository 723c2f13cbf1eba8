"""Who may talk to June: her owners, guests by name, and guests whom an owner let in by a pairing code."""

from __future__ import annotations

import secrets
import time
from typing import Literal

from essence.dialogue import Pairing, Person, Platform
from essence.errors import Conflict, NotAllowed, NotFound
from essence.ports import People

Standing = Literal["owner", "guest", "stranger"]

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without characters that look alike: I, L, O, 0, 1."""
CODE_CHARS = 8
"""31^8 codes, 39.6 bits. Guessing is pointless: only owners can try a code, and only what somebody asked for is one."""
CACHE_S = 30.0
"""How long the store is not asked again about somebody who was let in."""
CACHE_MAX = 1_000


class Access:
    """Knows the standing of everybody on one platform."""

    def __init__(self, people: People, platform: Platform, owners: frozenset[str], guests: frozenset[str]) -> None:
        self._people, self._platform, self._owners, self._guests = people, platform, owners, guests
        self._let_in_until: dict[str, float] = {}

    @property
    def owners(self) -> frozenset[str]:
        """Their ids on this platform."""
        return self._owners

    async def standing(self, person_id: str) -> Standing:
        """What somebody may do. Whoever was let in stays so for up to 30 s after they were removed."""
        if person_id in self._owners:
            return "owner"
        if person_id in self._guests or self._let_in_until.get(person_id, 0.0) > time.monotonic():
            return "guest"
        if not await self._people.is_paired(self._platform, person_id):
            return "stranger"
        if len(self._let_in_until) >= CACHE_MAX:
            self._let_in_until.clear()
        self._let_in_until[person_id] = time.monotonic() + CACHE_S
        return "guest"

    async def invite(self, person: Person) -> Pairing:
        """The request of somebody who wants to be let in, with its code; the same each time they ask."""
        try:
            return await self._people.ask(self._platform, person, _fresh_code())
        except Conflict:  # somebody has this very code: two out of 10^12 were alike
            return await self._people.ask(self._platform, person, _fresh_code())

    async def let_in(self, code: str, by: str) -> Pairing:
        """Let in whoever has this code, on whichever platform they asked.

        Args:
            code: As it was shown or typed: case, spaces and dashes don't matter.
            by: Who says so, by their id on this platform.

        Raises:
            NotAllowed: `by` is no owner.
            NotFound: Nobody has it.
        """
        if by not in self._owners:
            raise NotAllowed("Only an owner can let people in.")
        pairing = await self._people.approve(code)
        if pairing is None:
            raise NotFound(f"Nobody has the code {code}. `python -m essence pair --list` shows who asked.")
        return pairing


def _fresh_code() -> str:
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
    return f"{code[:4]}-{code[4:]}"

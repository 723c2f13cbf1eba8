from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from essence.chat import access as accesses
from essence.chat.access import ALPHABET, CODE_CHARS, Access
from essence.config import StoreSettings
from essence.dialogue import Pairing, Person, Platform
from essence.errors import Conflict, NotAllowed, NotFound, StoreError
from essence.ports import People
from essence.store import open_store

OWNER, GUEST, ANN, BEN = "1", "2", "3", "4"
SHOWN = re.compile(f"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}")


def person(person_id: str, name: str = "Ann") -> Person:
    return Person(person_id, name)


@asynccontextmanager
async def opened_people() -> AsyncIterator[People]:
    settings = StoreSettings(store_url="memory://")
    async with open_store(settings.store_url, settings) as store:
        yield store.people


@pytest.fixture
async def people() -> AsyncIterator[People]:
    async with opened_people() as opened:
        yield opened


def access_of(people: People, platform: Platform = "telegram") -> Access:
    return Access(people, platform, frozenset({OWNER}), frozenset({GUEST}))


def clock_at(now_s: float) -> SimpleNamespace:
    return SimpleNamespace(monotonic=lambda: now_s)


class CountingPeople:
    """Passes everything on and counts what reaches the store."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.asked_about: list[str] = []
        self.taken_codes = 0
        """So many codes more are somebody else's."""

    async def ask(self, platform: Platform, person: Person, code: str) -> Pairing:
        if self.taken_codes:
            self.taken_codes -= 1
            raise Conflict("Somebody else has this pairing code. Make up another one.")
        return await self._people.ask(platform, person, code)

    async def approve(self, code: str) -> Pairing | None:
        return await self._people.approve(code)

    async def remove(self, platform: Platform, person_id: str) -> bool:
        return await self._people.remove(platform, person_id)

    async def is_paired(self, platform: Platform, person_id: str) -> bool:
        self.asked_about.append(person_id)
        return await self._people.is_paired(platform, person_id)

    async def pairings(self) -> tuple[Pairing, ...]:
        return await self._people.pairings()


async def test_whoever_nobody_let_in_is_a_stranger(people: People) -> None:
    access = access_of(people)
    assert [await access.standing(who) for who in (OWNER, GUEST, ANN, "")] == ["owner", "guest", "stranger", "stranger"]


async def test_asking_is_not_being_let_in(people: People) -> None:
    access = access_of(people)
    await access.invite(person(ANN))
    assert await access.standing(ANN) == "stranger"


async def test_an_owner_lets_in_whoever_has_the_code_at_once(people: People) -> None:
    access = access_of(people)
    pairing = await access.invite(person(ANN))
    assert await access.standing(ANN) == "stranger"
    assert (await access.let_in(pairing.code, OWNER)).person.person_id == ANN
    assert await access.standing(ANN) == "guest"
    assert await access.standing(BEN) == "stranger"


@pytest.mark.parametrize(
    "typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code[:4]} {code[5:]} "]
)
async def test_a_code_may_be_typed_carelessly(people: People, typed) -> None:
    access = access_of(people)
    pairing = await access.invite(person(ANN))
    await access.let_in(typed(pairing.code), OWNER)
    assert await access.standing(ANN) == "guest"


@pytest.mark.parametrize("by", [GUEST, ANN, BEN, ""])
async def test_only_owners_let_people_in(people: People, by: str) -> None:
    access = access_of(people)
    pairing = await access.invite(person(ANN))
    with pytest.raises(NotAllowed):
        await access.let_in(pairing.code, by)
    assert await access.standing(ANN) == "stranger"


@pytest.mark.parametrize("code", ["", "-", "AAAA-AAAA", "\0", "x" * 10_000])
async def test_a_code_that_nobody_has_lets_nobody_in(people: People, code: str) -> None:
    access = access_of(people)
    await access.invite(person(ANN))
    with pytest.raises(NotFound):
        await access.let_in(code, OWNER)
    assert await access.standing(ANN) == "stranger"


async def test_one_who_asks_again_keeps_their_code(people: People) -> None:
    access = access_of(people)
    first, second = await access.invite(person(ANN)), await access.invite(person(ANN, "Anna"))
    assert first.code == second.code
    assert second.person.name == "Anna"


async def test_codes_are_shown_in_two_halves_without_characters_that_look_alike(people: People) -> None:
    access = access_of(people)
    codes = {(await access.invite(person(str(number)))).code for number in range(50)}
    assert len(codes) == 50
    assert all(SHOWN.fullmatch(code) for code in codes)
    assert not set("IL1O0") & set(ALPHABET)
    assert len(ALPHABET) ** CODE_CHARS > 2**39


async def test_a_code_that_somebody_has_is_made_up_anew(people: People) -> None:
    counting = CountingPeople(people)
    counting.taken_codes = 1
    assert SHOWN.fullmatch((await access_of(counting).invite(person(ANN))).code)


async def test_who_is_let_in_on_one_platform_stays_a_stranger_on_another(people: People) -> None:
    telegram, discord = access_of(people), access_of(people, "discord")
    await telegram.let_in((await telegram.invite(person(ANN))).code, OWNER)
    assert await telegram.standing(ANN) == "guest"
    assert await discord.standing(ANN) == "stranger"


async def test_the_store_is_asked_once_in_a_while_about_a_guest_and_each_time_about_a_stranger(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingPeople(people)
    access = access_of(counting)
    await access.let_in((await access.invite(person(ANN))).code, OWNER)
    now = time.monotonic()
    monkeypatch.setattr(accesses, "time", clock_at(now))
    for who in (ANN, ANN, BEN, BEN, OWNER, GUEST):
        await access.standing(who)
    assert counting.asked_about == [ANN, BEN, BEN]
    monkeypatch.setattr(accesses, "time", clock_at(now + accesses.CACHE_S))
    await access.standing(ANN)
    assert counting.asked_about == [ANN, BEN, BEN, ANN]


async def test_who_was_removed_is_a_stranger_when_the_answer_is_too_old(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = access_of(people)
    await access.let_in((await access.invite(person(ANN))).code, OWNER)
    assert await access.standing(ANN) == "guest"
    await people.remove("telegram", ANN)
    monkeypatch.setattr(accesses, "time", clock_at(time.monotonic() + accesses.CACHE_S))
    assert await access.standing(ANN) == "stranger"


async def test_what_is_remembered_of_guests_is_bounded(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesses, "CACHE_MAX", 3)
    access = access_of(people)
    for number in range(10, 20):
        await access.let_in((await access.invite(person(str(number)))).code, OWNER)
        assert await access.standing(str(number)) == "guest"
        assert len(access._let_in_until) <= 3


async def test_nobody_is_let_in_because_the_store_fails() -> None:
    class BrokenPeople(CountingPeople):
        async def is_paired(self, platform: Platform, person_id: str) -> bool:
            raise StoreError("The disk is full. Make room.")

    async with opened_people() as people:
        access = access_of(BrokenPeople(people))
        with pytest.raises(StoreError):
            await access.standing(ANN)
        assert await access.standing(OWNER) == "owner"

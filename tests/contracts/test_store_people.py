"""The contract of pairings, over memory, a file and a server."""

import asyncio
from datetime import timedelta

import pytest

from essence.dialogue import Pairing, Person
from essence.errors import Conflict, InvalidInput
from essence.store import open_store
from tests.store_cases import ANNA, SETTINGS, START

BEN = Person("2", "Ben", "ben", "de")


async def test_one_who_asked_is_let_in_by_their_code(store, clock):
    asked = await store.people.ask("telegram", BEN, "K7QF2M9X")
    assert asked == Pairing("telegram", BEN, "K7QF2M9X", START)
    assert not await store.people.is_paired("telegram", "2")
    clock.pass_s(60)
    approved = await store.people.approve("K7QF2M9X")
    assert approved == Pairing("telegram", BEN, "K7QF2M9X", START, START + timedelta(seconds=60))
    assert await store.people.is_paired("telegram", "2")
    assert not await store.people.is_paired("discord", "2")
    assert not await store.people.is_paired("telegram", "1")


@pytest.mark.parametrize("typed", ["k7qf2m9x", " K7QF 2m9x\n", "K7QF-2M9X", "k7qf–2m9x", "«K7QF2M9X»"])
async def test_a_code_is_known_however_it_is_typed(store, typed):
    assert (await store.people.ask("telegram", BEN, "k7qf-2M9X")).code == "K7QF-2M9X"
    assert (await store.people.approve(typed)).person == BEN
    assert [pairing.code for pairing in await store.people.pairings()] == ["K7QF-2M9X"]


@pytest.mark.parametrize("typed", ["", " - ", "\0", "K7QF2M9", "K7QF2M9XX", "%", "_" * 8, "K7QF2M9X' OR 1=1"])
async def test_another_code_lets_nobody_in(store, typed):
    await store.people.ask("telegram", BEN, "K7QF2M9X")
    assert await store.people.approve(typed) is None
    assert not await store.people.is_paired("telegram", "2")


async def test_one_who_asks_again_keeps_their_code_and_their_place_under_their_new_name(store, clock):
    first = await store.people.ask("telegram", BEN, "K7QF2M9X")
    await store.people.approve("K7QF2M9X")
    clock.pass_s(60)
    renamed = Person("2", "Benjamin \0", "benji", "fr")
    again = await store.people.ask("telegram", renamed, "OTHERONE")
    assert (again.code, again.asked_at, again.approved_at) == (first.code, START, START)
    assert again.person == Person("2", "Benjamin ", "benji", "fr")
    assert await store.people.approve("OTHERONE") is None


async def test_approving_twice_changes_nothing(store, clock):
    await store.people.ask("telegram", BEN, "K7QF2M9X")
    first = await store.people.approve("K7QF2M9X")
    clock.pass_s(60)
    assert await store.people.approve("K7QF2M9X") == first


async def test_no_two_people_have_one_code(store):
    await store.people.ask("telegram", BEN, "K7QF2M9X")
    with pytest.raises(Conflict, match="another one"):
        await store.people.ask("telegram", ANNA, "k7qf-2m9x")
    with pytest.raises(InvalidInput):
        await store.people.ask("telegram", ANNA, "--")
    assert len(await store.people.pairings()) == 1


async def test_a_removed_person_has_to_ask_again(store):
    await store.people.ask("telegram", BEN, "K7QF2M9X")
    await store.people.approve("K7QF2M9X")
    assert await store.people.remove("telegram", "2")
    assert not await store.people.remove("telegram", "2")
    assert not await store.people.is_paired("telegram", "2")
    assert await store.people.approve("K7QF2M9X") is None
    assert (await store.people.ask("telegram", BEN, "OTHERONE")).approved_at is None


async def test_all_who_asked_are_listed_the_newest_first(store, clock):
    odd = Person("a/b %:\0", "Odd")
    for platform, person, code in (("telegram", ANNA, "A"), ("discord", ANNA, "B"), ("discord", odd, "C")):
        await store.people.ask(platform, person, code)
        clock.pass_s(1)
    assert [(p.platform, p.person, p.code) for p in await store.people.pairings()] == [
        ("discord", odd, "C"),
        ("discord", ANNA, "B"),
        ("telegram", ANNA, "A"),
    ]


async def test_one_who_asks_several_times_at_once_has_one_code(store):
    asking = (store.people.ask("telegram", BEN, f"CODE{number}") for number in range(8))
    assert len({pairing.code for pairing in await asyncio.gather(*asking)}) == 1


async def test_pairings_outlive_the_process(durable_url):
    async with open_store(durable_url, SETTINGS) as store:
        await store.people.ask("telegram", BEN, "K7QF2M9X")
    async with open_store(durable_url, SETTINGS) as store:
        await store.people.approve("K7QF2M9X")
    async with open_store(durable_url, SETTINGS) as store:
        assert await store.people.is_paired("telegram", "2")

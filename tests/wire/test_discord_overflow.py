"""More than June can hold while her store is away."""

import asyncio

import pytest

from essence.errors import StoreError
from essence.services.discord import intake, interactions
from tests.discord_june import COMMANDS, June, fake_discord, listening

FULL = [StoreError("The disk is full. Make room.")] * 100_000


@pytest.fixture
async def server(monkeypatch):
    monkeypatch.setattr(interactions, "KEEP_S", 0.05)
    async with fake_discord(monkeypatch) as fake:
        yield fake


@pytest.fixture
async def june(server):
    async with listening(June(server)) as one:
        await server.until(lambda: len(server.commands.offered(None)) == len(COMMANDS))
        await server.user("Bob").says("first of all")
        await one.hears()
        yield one


@pytest.fixture
def ann(server):
    return server.user("Ann")


async def test_messages_beyond_what_june_holds_are_read_again_in_order_and_none_twice(june, ann):
    june.failures += FULL
    for number in range(3 * intake.MOST_WAITING):
        await ann.says(f"message {number}")
    await june.until(lambda: june.troubles.get("message to be read again", 0) > intake.MOST_WAITING)
    june.failures.clear()
    await june.hears(1 + 3 * intake.MOST_WAITING)
    await ann.says("after")
    await june.hears(2 + 3 * intake.MOST_WAITING)
    assert june.texts[1:] == [*(f"message {number}" for number in range(3 * intake.MOST_WAITING)), "after"]


async def test_a_message_that_was_edited_meanwhile_is_heard_as_it_is_now(june, ann):
    june.failures += FULL
    await ann.says("stuck")
    await june.until(lambda: june.tries > 1)
    edited = await ann.says("as it was")
    await ann.edits(edited, "as it is")
    for number in range(intake.MOST_WAITING):
        await ann.says(f"message {number}")
    await june.until(lambda: june.troubles.get("message to be read again", 0) > 0)
    june.failures.clear()
    await june.hears(3 + intake.MOST_WAITING)
    assert june.texts[1:4] == ["stuck", "as it is", "message 0"]


async def test_of_commands_beyond_what_june_holds_their_people_are_told(server, june, ann):
    june.failures += FULL
    in_hand = await ann.uses("stop")
    await june.until(lambda: june.tries > 1)
    used = [in_hand, *[await ann.uses("stop") for _ in range(intake.MOST_USED + 2)]]
    for number in range(intake.MOST_WAITING):
        await ann.says(f"message {number}")
    await june.until(lambda: june.troubles.get("command not taken", 0) > 0)
    await server.until(lambda: all(one.callback is not None for one in used))
    june.failures.clear()
    await june.until(lambda: june.texts[-1] == "/stop" and len(june.heard) > intake.MOST_WAITING)
    assert ["use the command again" in one.callback["data"]["content"] for one in used] == [True] * len(used)
    assert june.troubles["command not taken"] == 2


async def test_a_channel_that_is_stuck_does_not_hold_up_another(server, june, ann):
    june.gates["Ann"] = gate = asyncio.Event()
    for number in range(2 * intake.MOST_WAITING):
        await ann.says(f"message {number}")
    await server.user("Eve").says("meanwhile")
    await june.hears(2)
    assert june.texts[1] == "meanwhile"
    gate.set()
    await june.hears(2 + 2 * intake.MOST_WAITING)

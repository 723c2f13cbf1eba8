"""The last line, in virtual time: what is ended by it, and which time counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from essence.chat import watchdog
from essence.chat.patience import STORE_S, reachable_for, with_patience
from essence.dialogue import ChannelState, Receipt, Reply
from essence.errors import StoreError, TooSlow
from essence.ports import Store
from essence.store import Clock, open_store
from tests.store_cases import HERE, SETTINGS, START, note

pytestmark = pytest.mark.looptime
DEADLINE_S = SETTINGS.message_deadline_s
TOLD = ["⚠️ I did not get this done in time. Please send it again."]


@dataclass
class World:
    """A store, a platform that can be reached or not, and a wall clock that can be set."""

    store: Store
    set_by: timedelta = timedelta()
    connected: bool = True

    @property
    def profile(self):
        return SimpleNamespace(platform="telegram")

    @property
    def state(self) -> ChannelState:
        return ChannelState(self.connected)

    def now(self, _zone=None) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time()) + self.set_by

    async def told(self) -> list[str]:
        return [part.reply.text for part in await self.store.outbox.parts(note(1).key)]


def counted() -> float:
    return REGISTRY.get_sample_value("june_messages_without_end_total", {"platform": "telegram"}) or 0.0


@asynccontextmanager
async def watched(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """In the test itself, since fixtures live in real time. The watchdog's grace is over, and a message has come."""
    world = World(None)
    monkeypatch.setattr(watchdog, "datetime", world)
    clock = Clock(now=world.now, lease_s=lambda: asyncio.get_running_loop().time())
    async with open_store("memory://", SETTINGS, clock) as store, asyncio.TaskGroup() as tasks:
        world.store = store
        watching = tasks.create_task(watchdog.watch(store, world))
        await asyncio.sleep(watchdog.GRACE_S)
        await store.inbox.receive(note(1))
        yield world
        watching.cancel()


async def test_what_nothing_else_ends_is_ended_told_and_counted_once(monkeypatch):
    async with watched(monkeypatch) as world:
        before = counted()
        await asyncio.sleep(DEADLINE_S - 1)
        assert await world.told() == []
        await asyncio.sleep(10)
        assert await world.told() == TOLD
        assert await world.store.inbox.waiting(HERE) == ()
        assert counted() == before + 1


async def test_what_is_on_its_way_to_its_sender_is_not_ended_before_it_has_arrived(monkeypatch):
    async with watched(monkeypatch) as world:
        key = f"{note(1).key}:t0"
        await world.store.outbox.dispatch(key, HERE, Reply("Yes."), sender_id="s", lease_s=9999)
        await asyncio.sleep(DEADLINE_S * 3)
        assert await world.told() == ["Yes."]
        await world.store.outbox.sent(key, Receipt("5", START))
        await asyncio.sleep(10)
        assert await world.told() == ["Yes.", *TOLD]


async def test_an_outage_takes_nothing_of_the_time_that_a_message_has(monkeypatch):
    async with watched(monkeypatch) as world:
        await asyncio.sleep(DEADLINE_S / 2)
        world.connected = False
        await asyncio.sleep(3600)
        world.connected = True
        await asyncio.sleep(DEADLINE_S / 2 - 2)
        assert await world.told() == []
        await asyncio.sleep(watchdog.GRACE_S)
        assert await world.told() == TOLD


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_set_ends_nothing_early(monkeypatch, hours):
    async with watched(monkeypatch) as world:
        await asyncio.sleep(DEADLINE_S / 2)
        world.set_by = timedelta(hours=hours)
        await asyncio.sleep(DEADLINE_S / 2 - 2)
        assert await world.told() == []


async def test_reachable_time_stands_still_in_an_outage(monkeypatch):
    async with watched(monkeypatch) as world:
        waiting = asyncio.create_task(reachable_for(10, world))
        await asyncio.sleep(5)
        world.connected = False
        await asyncio.sleep(1000)
        world.connected = True
        await asyncio.sleep(4)
        assert not waiting.done()
        await asyncio.sleep(3)
        assert waiting.done()


async def test_a_store_that_can_not_be_had_is_tried_again_for_a_minute():
    tries = []

    async def work() -> None:
        tries.append(asyncio.get_running_loop().time())
        raise TooSlow("held")

    with pytest.raises(TooSlow):
        await with_patience(work)
    assert tries[-1] - tries[0] == pytest.approx(STORE_S, abs=2)


async def test_a_store_that_fails_for_good_is_not_tried_again():
    async def work() -> None:
        raise StoreError("full")

    with pytest.raises(StoreError):
        await with_patience(work)
    assert asyncio.get_running_loop().time() == 0

"""What `/health` and `/metrics` of a chat service say, and that its store is kept small."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from essence import observe
from essence.config import TelegramService
from essence.dialogue import Address, Reply, Unsent
from essence.engines import table
from essence.errors import StoreError
from essence.fakes.channel import MemoryChannel
from essence.fakes.telegram import Reset, TelegramServer, TooManyRequests
from essence.ports import Store
from essence.services import chatting, upkeep, vitals
from essence.services.telegram import polling
from essence.services.telegram.channel import TelegramChannel
from essence.services.vitals import Vitals
from essence.store import open_store
from essence.store.clock import Clock


@pytest.fixture(autouse=True)
def _haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "EVERY_S", 0.02)
    monkeypatch.setattr(polling, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(polling, "LONGEST_PAUSE_S", 0.05)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def settings(telegram: TelegramServer, tmp_path) -> TelegramService:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return TelegramService(
        _env_file=None,
        telegram_token=telegram.token,
        telegram_api_url=telegram.url,
        telegram_poll_s=1,
        telegram_http_port=port,
        telegram_grpc_port=0,
        stt_url="fake:hello",
        tts_url="fake:",
        llm_url="fake:Hi.",
        store_url=f"sqlite:///{tmp_path}/june.db",
        grace_s=1,
    )


class Service:
    """June's Telegram service in this process, as seen over HTTP."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def health(self) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self._http.get("/health")
        except httpx.ConnectError:
            return 0, {"reasons": [], "state": "not there yet"}
        return answer.status_code, answer.json()

    async def until(self, code: int, seen: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                status, report = await self.health()
                if status == code and seen(report):
                    return report
                await asyncio.sleep(0.01)

    async def metric(self, sample: str) -> float:
        lines = (await self._http.get("/metrics")).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample)), 0.0)

    async def until_metric(self, sample: str, least: float) -> None:
        async with asyncio.timeout(20):
            while await self.metric(sample) < least:  # noqa: ASYNC110 - it is behind HTTP
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(settings: TelegramService) -> AsyncIterator[Service]:
    june = chatting.Chatting(
        "telegram",
        TelegramService,
        lambda settings, _: TelegramChannel(settings, ()),
        lambda _: chatting.Crowd(frozenset(), frozenset()),
        lambda channel: channel.webhook_app,
    )
    work = asyncio.create_task(chatting._serve(june, settings))
    url = f"http://127.0.0.1:{settings.telegram_http_port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        yield Service(http)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(20):
        await work


def mentions(words: str) -> Callable[[dict[str, Any]], bool]:
    return lambda report: any(words in reason for reason in report["reasons"])


async def test_it_is_ready_once_connected_and_loaded(settings):
    async with serving(settings) as june:
        report = await june.until(200)
    assert (report["ready"], report["state"], report["reasons"]) == (True, "ready", [])


async def test_it_is_not_ready_while_its_engines_load(settings, monkeypatch):
    may_load = asyncio.Event()
    opened = table.open_players

    @asynccontextmanager
    async def slowly(settings: TelegramService) -> AsyncIterator[table.Players]:
        await may_load.wait()
        async with opened(settings) as players:
            yield players

    monkeypatch.setattr(table, "open_players", slowly)
    async with serving(settings) as june:
        report = await june.until(503, lambda report: report["reasons"] == ["The engines are loading."])
        assert (report["live"], report["ready"], report["state"]) == (True, False, "impaired")
        may_load.set()
        await june.until(200)


async def test_a_platform_that_is_out_of_reach_is_told_with_its_time_and_comes_back(settings, telegram):
    async with serving(settings) as june:
        await june.until(200)
        outages = await june.metric('june_channel_outages_total{platform="telegram"}')
        telegram.fails("*", Reset(), times=None)
        await june.until(503, mentions("Not connected to Telegram since 20"))
        await june.until_metric('june_channel_outages_total{platform="telegram"}', outages + 1)
        assert await june.metric('june_channel_connected{platform="telegram"}') == 0
        telegram.heals()
        await june.until(200)
        await june.until_metric('june_channel_connected{platform="telegram"}', 1)


async def test_what_the_platform_refuses_is_counted_by_its_kind(settings, telegram):
    async with serving(settings) as june:
        await june.until(200)
        sample = 'june_channel_troubles_total{platform="telegram",trouble="429"}'
        before = await june.metric(sample)
        telegram.fails("getUpdates", TooManyRequests(0), times=2)
        await june.until_metric(sample, before + 2)


async def no_store(platform: str) -> Unsent:
    raise StoreError("The disk is full. Make room.")


async def test_a_store_that_fails_is_told_and_comes_back(settings, monkeypatch):
    async with open_store("memory://", settings) as store:
        vital = Vitals(MemoryChannel(), store, engines_loaded=lambda: True)
        with monkeypatch.context() as broken:
            broken.setattr(store.outbox, "unsent", no_store)
            await vital.look()
        assert any("The store fails since" in reason and "disk is full" in reason for reason in vital.reasons())
        await vital.look()
        assert not any("store" in reason for reason in vital.reasons())


async def test_the_outbox_is_measured(settings):
    channel = MemoryChannel()
    async with open_store("memory://", settings) as store:
        vital = Vitals(channel, store, engines_loaded=lambda: True)
        await store.outbox.intend("a:0", Address("grpc", "1"), Reply("one"))
        await store.outbox.intend("b:0", Address("grpc", "2"), Reply("two"))
        await vital.look()
        await vital.look()
        assert observe.OUTBOX_PARTS.labels("grpc")._value.get() == 2
        assert observe.OUTBOX_OLDEST_SECONDS.labels("grpc")._value.get() > 0
        await store.outbox.cancel("a")
        await store.outbox.cancel("b")
        await vital.look()
        assert observe.OUTBOX_PARTS.labels("grpc")._value.get() == 0
        assert observe.OUTBOX_OLDEST_SECONDS.labels("grpc")._value.get() == 0


TWO_MONTHS_AGO = Clock(now=lambda: datetime.now(UTC) - timedelta(days=60))


async def settle_long_ago(settings: TelegramService) -> None:
    async with open_store(settings.store_url, settings, TWO_MONTHS_AGO) as store:
        await store.outbox.intend("a:0", Address("telegram", "1"), Reply("one"))
        await store.outbox.cancel("a")


async def until_gone(store: Store) -> None:
    async with asyncio.timeout(20):
        while await store.outbox.parts("a"):  # noqa: ASYNC110 - it is in the store
            await asyncio.sleep(0.01)


async def test_what_ended_long_ago_is_deleted_when_the_service_starts(settings):
    await settle_long_ago(settings)
    async with open_store(settings.store_url, settings) as store:
        assert await store.outbox.parts("a")
        async with serving(settings) as june:
            await until_gone(store)
            await june.until(200)


async def test_where_deleting_failed_it_is_tried_again(settings, monkeypatch):
    monkeypatch.setattr(upkeep, "PRUNE_EVERY_S", 0.01)
    await settle_long_ago(settings)
    async with open_store(settings.store_url, settings) as store:
        prune, failures = store.prune, [StoreError("The disk is full. Make room.")]

        async def fails_once() -> int:
            if failures:
                raise failures.pop()
            return await prune()

        monkeypatch.setattr(store, "prune", fails_once)
        pruning = asyncio.create_task(upkeep.prune_daily(store))
        await until_gone(store)
        assert not failures
        pruning.cancel()

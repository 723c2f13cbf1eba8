"""A message from a service reaches its person once, whichever process is killed at whichever point of its way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from essence.errors import TooSlow, Unreachable
from essence.fakes.telegram import TelegramServer, User
from essence.message_client import Delivery
from tests.crash.message_api_victim import POINTS, UNKNOWABLE
from tests.crash.world import MARK, until_dead
from tests.message_world import KEY, client
from tests.ports import free_ports

PATIENCE_S = 60.0


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


class Services:
    """The two services in processes of their own, each at its own address however often it starts."""

    def __init__(self, telegram: TelegramServer, folder: Path) -> None:
        self._folder = folder
        grpc_port, http_port = free_ports(2)
        self.url = f"http://127.0.0.1:{http_port}"
        self._environment = os.environ | {
            "STORE_URL": f"sqlite:///{folder}/june.db",
            "STORE_POLL_S": "0.05",
            "STT_URL": "fake:hello",
            "LLM_URL": "fake:hello",
            "TTS_URL": "fake:en",
            "TELEGRAM_TOKEN": telegram.token,
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_GRPC_PORT": str(grpc_port),
            "TELEGRAM_HTTP_PORT": "0",
            "TELEGRAM_URL": f"grpc://127.0.0.1:{grpc_port}",
            "DISCORD_URL": "none",
            "MESSAGE_API_HTTP_PORT": str(http_port),
            "MESSAGE_API_KEY": KEY,
        }

    @contextmanager
    def running(self, service: str, point: str = "never") -> Iterator[subprocess.Popen[bytes]]:
        with (self._folder / f"{service} {point}.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.crash.message_api_victim", service, point]
            process = subprocess.Popen(command, env=self._environment, stderr=log)
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    async def post(self, user: User) -> Delivery:
        """As a careful service does: again under the same key, until it is accepted."""
        async with asyncio.timeout(PATIENCE_S), client(self.url) as api:
            while True:
                try:
                    return await api.post("Your tea is ready.", user_id=str(user.person.user_id), key="tea")
                except (Unreachable, TooSlow):
                    await asyncio.sleep(0.05)

    async def delivered(self, message_id: str) -> Delivery:
        async with asyncio.timeout(PATIENCE_S), client(self.url) as api:
            while (delivery := await api.delivery(message_id, wait_s=5)).state == "queued":
                pass
        return delivery


@pytest.fixture
def services(telegram: TelegramServer, tmp_path: Path) -> Services:
    return Services(telegram, tmp_path)


async def got_once(services: Services, user: User) -> None:
    """Post once more, as a service would that does not know; the person has one message, and the receipt is of that."""
    delivery = await services.delivered((await services.post(user)).message_id)
    [sent] = user.chat.answers
    assert (delivery.state, sent.text) == ("sent", "Your tea is ready.")
    assert [receipt.message_id for receipt in delivery.receipts] == [str(sent.message_id)]


@pytest.mark.parametrize("point", POINTS["message-api"])
async def test_a_message_is_delivered_once_though_the_message_api_is_killed(services, ann, point):
    with services.running("telegram"):
        with services.running("message-api", point) as victim:
            posting = asyncio.create_task(services.post(ann))
            assert await until_dead(victim) == -9
            with services.running("message-api"):
                await posting
                await got_once(services, ann)


@pytest.mark.parametrize("point", [point for point in POINTS["telegram"] if point != UNKNOWABLE])
async def test_a_message_is_delivered_once_though_the_telegram_service_is_killed(services, ann, point):
    with services.running("message-api"):
        with services.running("telegram", point) as victim:
            await services.post(ann)
            assert await until_dead(victim) == -9
        with services.running("telegram"):
            await got_once(services, ann)


async def test_a_message_is_delivered_once_though_both_are_killed_between_handover_and_receipt(services, ann):
    with services.running("telegram", "about to answer") as telegram:
        with services.running("message-api"):
            await services.post(ann)
            assert await until_dead(telegram) == -9
    with services.running("telegram"), services.running("message-api"):
        await got_once(services, ann)


async def test_what_june_can_not_know_to_have_arrived_comes_again_with_a_mark(services, ann):
    with services.running("message-api"):
        with services.running("telegram", UNKNOWABLE) as victim:
            await services.post(ann)
            assert await until_dead(victim) == -9
        with services.running("telegram"):
            delivery = await services.delivered((await services.post(ann)).message_id)
    first, again = ann.chat.answers
    assert first.text == "Your tea is ready."
    assert again.text.startswith(MARK)
    assert [receipt.message_id for receipt in delivery.receipts] == [str(again.message_id)]

"""The Message API over real HTTP, down to the fake Telegram: what is accepted, delivered, changed and told."""

from collections.abc import AsyncIterator

import httpx
import pytest

from essence.fakes.telegram import TelegramServer, User
from essence.message_client import MessageApi
from tests.message_world import client, free_port, http, message_api, telegram_service


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.fixture
def store_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def url(telegram, store_url, port, tmp_path) -> AsyncIterator[str]:
    async with telegram_service(telegram, store_url, port), message_api(store_url, tmp_path, telegram_port=port) as url:
        yield url


@pytest.fixture
async def api(url) -> AsyncIterator[MessageApi]:
    async with client(url) as opened:
        yield opened


@pytest.fixture
async def rest(url) -> AsyncIterator[httpx.AsyncClient]:
    async with http(url) as opened:
        yield opened


def id_of(user: User) -> str:
    return str(user.person.user_id)


async def delivered(rest: httpx.AsyncClient, message_id: str) -> dict:
    receipt = await rest.get(f"/messages/{message_id}/receipt", params={"wait_s": 30})
    assert receipt.status_code == 200
    return receipt.json()


async def test_a_message_reaches_its_person_and_the_receipt_names_it(rest, ann):
    posted = await rest.post("/messages", json={"user_id": id_of(ann), "message": "Your **tea** is ready."})
    assert posted.status_code == 202
    assert posted.headers["Location"] == f"/messages/{posted.json()['message_id']}"
    receipt = await delivered(rest, posted.json()["message_id"])
    [sent] = ann.chat.answers
    assert (receipt["state"], sent.text) == ("sent", "Your tea is ready.")
    assert [one["platform_message_id"] for one in receipt["receipts"]] == [str(sent.message_id)]

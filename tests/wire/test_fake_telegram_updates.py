"""How updates reach a bot, by long polling and by webhook, and how they go wrong."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.responses import Response

from essence.fakes.telegram import TelegramServer, User
from tests.telegram_client import Api
from tests.telegram_hook import Listening


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def api(telegram: TelegramServer) -> AsyncIterator[Api]:
    async with Api(telegram) as client:
        yield client


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


def texts(updates) -> list[str]:
    return [update["message"]["text"] for update in updates]


async def test_what_was_not_confirmed_is_told_again(api, ann):
    await ann.says("a")
    await ann.says("b")
    first = await api.updates()
    assert texts(first) == ["a", "b"]
    assert await api.updates() == first
    assert await api.updates(offset=first[0]["update_id"] + 1) == first[1:]
    assert await api.updates(offset=first[1]["update_id"] + 1) == []
    assert await api.updates() == []


async def test_a_poll_waits_for_the_first_update(telegram, api, ann):
    poll = asyncio.create_task(api.updates(timeout=30))
    await telegram.called("getUpdates", done=False)
    await ann.says("late")
    assert texts(await poll) == ["late"]


async def test_the_limit_is_honoured(api, ann):
    for text in "abc":
        await ann.says(text)
    assert texts(await api.updates(limit=2)) == ["a", "b"]


async def test_a_negative_offset_forgets_all_but_the_last(api, ann):
    for text in "abc":
        await ann.says(text)
    assert texts(await api.updates(offset=-1)) == ["c"]
    assert texts(await api.updates()) == ["c"]


async def test_reactions_are_told_only_on_request(api, ann):
    said = await ann.says("a")
    await ann.reacts(said, "👍")
    (message,) = await api.updates(allowed_updates=["message_reaction"])
    await ann.reacts(said, "")
    await ann.says("unwanted")
    (update,) = await api.updates(offset=message["update_id"] + 1)
    assert update["message_reaction"]["new_reaction"] == []


async def test_a_second_poller_ends_the_first_with_409(telegram, api, ann):
    first = asyncio.create_task(api.refusal("getUpdates", timeout=30))
    await telegram.called("getUpdates", done=False)
    await api.updates()
    refused = await first
    assert refused.status == 409
    assert "terminated by other getUpdates request" in refused.why


async def test_a_poller_that_died_does_not_take_updates_with_it(telegram, api, ann):
    poll = asyncio.create_task(api.updates(timeout=30))
    await telegram.called("getUpdates", done=False)
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)
    await ann.says("a")
    assert texts(await api.updates()) == ["a"]


async def test_an_update_can_be_told_again_after_it_was_confirmed(telegram, api, ann):
    telegram.repeats_next_update()
    await ann.says("a")
    (update,) = await api.updates()
    assert await api.updates(offset=update["update_id"] + 1) == [update]
    assert await api.updates(offset=update["update_id"] + 1) == []


async def test_updates_can_come_in_the_wrong_order(telegram, api, ann):
    with telegram.reorders_updates():
        await ann.says("a")
        await ann.says("b")
    updates = await api.updates()
    assert texts(updates) == ["b", "a"]
    assert updates[0]["update_id"] > updates[1]["update_id"]


class Hook:
    """A bot's webhook that answers as it is told to."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = [*statuses]
        self.got: list[tuple[str, str]] = []
        self.changed = asyncio.Condition()

    async def take(self, request: Request) -> Response:
        update = await request.json()
        self.got.append((update["message"]["text"], request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")))
        async with self.changed:
            self.changed.notify_all()
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: len(self.got) >= count)


async def test_a_webhook_gets_the_updates_with_its_secret(telegram, api, ann):
    await ann.says("before")
    async with Listening((hook := Hook()).take) as url:
        await api("setWebhook", url=url, secret_token="secret-1")
        await ann.says("after")
        await hook.until(2)
        await api("deleteWebhook")
    assert hook.got == [("before", "secret-1"), ("after", "secret-1")]


async def test_what_a_webhook_did_not_take_is_told_again_in_order(telegram, api, ann):
    async with Listening((hook := Hook(500, 503)).take) as url:
        await api("setWebhook", url=url)
        await ann.says("a")
        await ann.says("b")
        await hook.until(4)
        info = await api("getWebhookInfo")
        await api("deleteWebhook")
    assert [text for text, _ in hook.got] == ["a", "a", "a", "b"]
    assert info["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"


async def test_a_webhook_that_nobody_serves_is_told_of_in_its_info(telegram, api, ann):
    await api("setWebhook", url="http://127.0.0.1:9/hook")
    await ann.says("a")
    await ann.chat.until(lambda: telegram.webhook_error)
    info = await api("getWebhookInfo")
    assert (info["last_error_message"], info["pending_update_count"]) == ("Connection refused", 1)
    await api("deleteWebhook")
    assert texts(await api.updates()) == ["a"]


async def test_polling_is_refused_while_a_webhook_is_set(telegram, api):
    await api("setWebhook", url="http://127.0.0.1:9/hook")
    refused = await api.refusal("getUpdates")
    assert refused.status == 409
    assert "can't use getUpdates method while webhook is active" in refused.why


async def test_setting_a_webhook_ends_the_poll(telegram, api):
    poll = asyncio.create_task(api.refusal("getUpdates", timeout=30))
    await telegram.called("getUpdates", done=False)
    await api("setWebhook", url="http://127.0.0.1:9/hook")
    assert (await poll).why == "Conflict: terminated by setWebhook request"


@pytest.mark.parametrize(
    "wrong", [{"url": "http://bot.example/hook"}, {"url": "https://bot.example/", "secret_token": "a b"}]
)
async def test_a_webhook_needs_https_and_a_proper_secret(api, wrong):
    assert (await api.refusal("setWebhook", **wrong)).status == 400
    assert (await api("getWebhookInfo"))["url"] == ""


async def test_pending_updates_can_be_dropped(api, ann):
    await ann.says("a")
    await api("deleteWebhook", drop_pending_updates=True)
    assert await api.updates() == []

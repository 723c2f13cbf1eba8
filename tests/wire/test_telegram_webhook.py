"""Updates that Telegram brings to June: believed only with the secret, answered 200 only when they are durable."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from essence.dialogue import Message
from essence.errors import ConfigError, NotAllowed, StoreError
from essence.fakes.telegram import Refusal, ServerError, TelegramServer, User
from essence.services.telegram import polling
from essence.services.telegram.channel import TelegramChannel
from essence.services.telegram.webhook import MAX_BYTES, SECRET_HEADER
from tests.telegram_hook import Listening
from tests.telegram_june import held_to_the_specification, settings_of


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server
    held_to_the_specification(server)


@pytest.fixture(autouse=True)
def _patience_of_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "FIRST_PAUSE_S", 0.02)


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


class Hooked:
    """June behind her webhook."""

    def __init__(self, june: TelegramChannel, url: str) -> None:
        self.june, self.url = june, url
        self.received: asyncio.Queue[Message] = asyncio.Queue()
        self.failures: list[StoreError] = []

    async def receive(self, message: Message) -> None:
        if self.failures:
            raise self.failures.pop()
        await self.received.put(message)

    @asynccontextmanager
    async def listening(self, telegram: TelegramServer) -> AsyncIterator[None]:
        task = asyncio.create_task(self.june.listen(self.receive))
        await telegram.called("setWebhook")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def next(self) -> Message:
        return await asyncio.wait_for(self.received.get(), 10)


class Front:
    """An address that is known before the app behind it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture
async def hooked(telegram: TelegramServer) -> AsyncIterator[Hooked]:
    async with Listening(front := Front()) as url:
        async with TelegramChannel(settings_of(telegram, telegram_webhook_url=url), []) as june:
            front.app = june.webhook_app
            yield Hooked(june, url)


async def post(hooked: Hooked, body: bytes, secret: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(hooked.url, content=body, headers={SECRET_HEADER: secret.encode()})).status_code


async def test_messages_come_by_the_webhook_and_are_confirmed_by_its_answer(telegram, ann, hooked):
    async with hooked.listening(telegram):
        await ann.says("hello")
        assert (await hooked.next()).text == "hello"
        await ann.chat.until(lambda: not telegram.unconfirmed)
        assert hooked.june.state.connected is True
    assert telegram.calls_of("getUpdates", "deleteWebhook") == []
    asked = telegram.calls_of("setWebhook")[0].parameters
    assert set(asked["allowed_updates"]) == {"message", "edited_message", "callback_query", "my_chat_member"}
    assert "drop_pending_updates" not in asked


async def test_the_secret_is_made_of_the_token_and_does_not_tell_it(telegram, hooked):
    async with hooked.listening(telegram):
        secret = telegram.calls_of("setWebhook")[0].parameters["secret_token"]
    assert len(bytes.fromhex(secret)) == 32
    async with TelegramChannel(settings_of(telegram, telegram_webhook_url=hooked.url), []) as again:
        await _until_hooked(telegram, again)
    assert telegram.calls_of("setWebhook")[1].parameters["secret_token"] == secret


async def _until_hooked(telegram: TelegramServer, june: TelegramChannel) -> None:
    async def receive(_: Message) -> None:
        pass

    task = asyncio.create_task(june.listen(receive))
    await telegram.called("setWebhook", times=2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_not_kept_is_brought_again(telegram, ann, hooked):
    hooked.failures = [StoreError("The disk is full. Make room.")] * 2
    async with hooked.listening(telegram):
        await ann.says("hello")
        assert (await hooked.next()).text == "hello"
        assert "503" in telegram.webhook_error


async def test_what_comes_while_june_is_away_is_brought_when_she_is_back(telegram, ann, hooked):
    async with hooked.listening(telegram):
        pass
    await ann.says("hello")
    await ann.chat.until(lambda: telegram.webhook_error)
    assert "503" in telegram.webhook_error
    async with hooked.listening(telegram):
        assert (await hooked.next()).text == "hello"


async def test_an_update_that_makes_no_sense_is_not_brought_again(telegram, ann, hooked):
    async with hooked.listening(telegram):
        ann.platform.updates.add("message", {"date": "never"}, 1)
        await ann.chat.until(lambda: not telegram.unconfirmed)
    assert dict(hooked.june.state.troubles) == {"malformed": 1}


async def test_strangers_large_bodies_and_nonsense_are_turned_away(telegram, hooked):
    update = json.dumps({"update_id": 1}).encode()
    async with hooked.listening(telegram):
        secret = telegram.calls_of("setWebhook")[0].parameters["secret_token"]
        assert await post(hooked, update, "guess") == 403
        assert await post(hooked, update, "") == 403
        assert await post(hooked, update, "é") == 403
        assert await post(hooked, bytes(MAX_BYTES + 1), secret) == 413
        assert await post(hooked, b"{", secret) == 400
        assert await post(hooked, b"[]", secret) == 400
        assert await post(hooked, update, secret) == 200
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(hooked.url)).status_code == 405
            assert (await client.post(hooked.url + "/else")).status_code == 404


async def test_messages_of_one_chat_keep_their_order_when_they_come_at_once(telegram, hooked):
    order, has_begun, may_end = [], asyncio.Event(), asyncio.Event()

    async def slow_at_first(message: Message) -> None:
        if message.text == "first":
            has_begun.set()
            await may_end.wait()
        order.append(message.text)

    hooked.receive = slow_at_first
    async with hooked.listening(telegram):
        secret = telegram.calls_of("setWebhook")[0].parameters["secret_token"]
        posts = []
        for number, text in enumerate(("first", "second", "other chat")):
            posts.append(asyncio.create_task(post(hooked, _update(number, text, chat=number // 2 + 1), secret)))
            await has_begun.wait()
        await posts[2]
        assert order == ["other chat"]
        may_end.set()
        assert await asyncio.gather(*posts) == [200, 200, 200]
    assert order == ["other chat", "first", "second"]


def _update(number: int, text: str, *, chat: int) -> bytes:
    who = {"id": chat, "is_bot": False, "first_name": "Ann"}
    where = {"id": chat, "type": "private", "first_name": "Ann"}
    message = {"message_id": number + 1, "date": 1, "chat": where, "from": who, "text": text}
    return json.dumps({"update_id": number + 1, "message": message}).encode()


async def test_a_webhook_is_set_as_soon_as_telegram_can_be_reached(telegram, ann, hooked):
    telegram.fails("setWebhook", ServerError(), times=2)
    await ann.says("hello")
    async with hooked.listening(telegram):
        assert (await hooked.next()).text == "hello"


async def test_an_address_that_telegram_refuses_is_a_matter_of_settings(telegram):
    settings = settings_of(telegram, telegram_webhook_url="http://example.org/hook")
    async with TelegramChannel(settings, []) as june:
        with pytest.raises(ConfigError, match="TELEGRAM_WEBHOOK_URL"):
            await june.listen(lambda _: asyncio.sleep(0))


async def test_a_token_that_is_refused_meanwhile_is_told_as_such(telegram, hooked):
    telegram.fails("setWebhook", Refusal(401, "Unauthorized"))
    with pytest.raises(NotAllowed, match="@BotFather"):
        await hooked.june.listen(hooked.receive)


async def test_without_an_address_there_is_no_webhook(telegram):
    async with TelegramChannel(settings_of(telegram), []) as june:
        transport = httpx.ASGITransport(june.webhook_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://june") as client:
            assert (await client.post("/")).status_code == 404

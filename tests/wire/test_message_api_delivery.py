"""Messages reach their person once: with the platform's service down, with several workers, with changes meanwhile."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from essence.dialogue import Address, Button
from essence.errors import InvalidInput, NotAllowed, NotFound, StoreError, TooSlow, Uncertain, Unreachable
from essence.fakes.messenger import MemoryMessenger
from essence.fakes.telegram import ServerError, TelegramServer, User
from essence.message_client import Delivery, MessageApi
from essence.outgoing import Draft
from essence.ports import Messenger
from essence.services.http import HttpServer
from essence.services.message_api.handover import Handover, key_of
from essence.store import open_store
from tests.message_world import KEY, client, message_api, telegram_service
from tests.ports import free_port
from tests.store_cases import HERE, SETTINGS, THERE


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.fixture
def to(ann: User) -> Address:
    return Address("telegram", str(ann.person.user_id))


@pytest.fixture
def store_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def messenger(telegram, ann, store_url, port, tmp_path) -> AsyncIterator[Messenger]:
    async with (
        telegram_service(telegram, ann, store_url, port),
        message_api(store_url, tmp_path, telegram_port=port) as url,
        client(url) as api,
    ):
        yield api


async def texts(user: User, count: int) -> list[str]:
    await user.chat.until(lambda: len(user.chat.answers) >= count)
    return [one.text for one in user.chat.answers]


async def failed_once(api: MessageApi, message_id: str) -> Delivery:
    """As soon as a message was tried in vain."""
    while (delivery := await api.delivery(message_id)).error is None:  # noqa: ASYNC110  # it is behind HTTP
        await asyncio.sleep(0.02)
    return delivery


async def test_what_was_posted_while_the_telegram_service_was_down_is_delivered_when_it_returns(
    telegram, ann, store_url, port, tmp_path
):
    async with message_api(store_url, tmp_path, telegram_port=port) as url, client(url) as api:
        posted = [await api.post(text, user_id=str(ann.person.user_id), key=text) for text in ("One.", "Two.")]
        waiting = await failed_once(api, posted[0].message_id)
        assert (waiting.state, type(waiting.error)) == ("queued", Unreachable)
        async with telegram_service(telegram, ann, store_url, port):
            for one in posted:
                assert (await api.delivery(one.message_id, wait_s=60)).state == "sent"
        assert await texts(ann, 2) == ["One.", "Two."]


async def test_a_change_that_comes_while_the_service_is_down_is_seen_when_it_returns(
    telegram, ann, store_url, port, tmp_path
):
    async with message_api(store_url, tmp_path, telegram_port=port) as url, client(url) as api:
        posted = await api.post("One.", user_id=str(ann.person.user_id), key="k")
        await failed_once(api, posted.message_id)
        await api.append(posted.message_id, " Two.", key="more")
        async with telegram_service(telegram, ann, store_url, port):
            delivery = await api.delivery(posted.message_id, wait_s=60)
        assert (delivery.state, delivery.delivered_revision) == ("sent", 2)
        assert await texts(ann, 1) == ["One. Two."]


async def test_a_message_that_changes_before_it_is_handed_over_has_no_buttons():
    messenger, buttons = MemoryMessenger(), (Button("Do it", "do"),)
    async with open_store("memory://", SETTINGS) as store:
        changed = await store.messages.post(Draft(HERE, "Shall I?", buttons=buttons), author="bot")
        await store.messages.revise(changed.message_id, "Done.")
        asked = await store.messages.post(Draft(HERE, "And now?", buttons=buttons), author="bot")
        handing_over = asyncio.create_task(Handover(store.messages, messenger, "telegram", worker_id="w").run())
        assert (await store.messages.outcome(asked.message_id, wait_s=30)).state == "sent"
        handing_over.cancel()
        await asyncio.wait([handing_over])
    assert [(one.text, tuple(one.buttons)) for one in messenger.sent] == [("Done.", ()), ("And now?", buttons)]


async def test_a_change_does_not_change_what_a_first_try_sends_again():
    asked, buttons = [], (Button("Do it", "do"),)

    class Unsure(MemoryMessenger):
        async def send(self, to, text, *, key, **options):
            asked.append((text, tuple(options["buttons"])))
            receipts = await super().send(to, text, key=key, **options)
            if len(asked) == 1:
                await store.messages.revise(posted.message_id, "Done.")
                raise Uncertain("Its answer was lost.")
            return receipts

    async with open_store("memory://", SETTINGS.model_copy(update={"store_poll_s": 0.05})) as store:
        posted = await store.messages.post(Draft(HERE, "Shall I?", buttons=buttons), author="bot")
        handing_over = asyncio.create_task(Handover(store.messages, Unsure(), "telegram", worker_id="w").run())
        assert (await store.messages.outcome(posted.message_id, wait_s=30)).state == "sent"
        handing_over.cancel()
        await asyncio.wait([handing_over])
    assert asked == [("Shall I?", buttons)] * 2


async def test_the_example_of_the_guide_tells_its_person_and_says_why_where_it_can_not(
    telegram, ann, store_url, port, tmp_path
):
    guide = (Path(__file__).parents[2] / "docs/guides/message-api.md").read_text()
    example = guide.split("```python\n")[1].split("```")[0]

    async def told(url: str, person_id: str, key: str) -> str:
        program = example.replace('"42"', f'"{person_id}"').replace('"tea-2"', f'"{key}"')
        settings = {"MESSAGE_API_URL": url, "MESSAGE_API_KEY": KEY}
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=os.environ | settings, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(started.communicate(), 60)
        assert started.returncode == 0
        return out.decode()

    async with (
        telegram_service(telegram, ann, store_url, port),
        message_api(store_url, tmp_path, telegram_port=port) as url,
    ):
        assert (await told(url, str(ann.person.user_id), "known")).startswith("sent (Receipt(")
        assert (await told(url, "4711", "unknown")).startswith("failed Telegram knows no such chat")
    assert [one.text for one in ann.chat.answers] == ["Your tea is ready."]


async def test_a_platform_that_fails_for_a_while_is_tried_again(telegram, messenger, ann, to):
    telegram.fails("sendMessage", ServerError(), times=2)
    await messenger.send(to, "Tea.", key="tea")
    assert await texts(ann, 1) == ["Tea."]


async def test_several_message_apis_deliver_each_message_once(telegram, ann, store_url, port, tmp_path):
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(telegram_service(telegram, ann, store_url, port))
        urls = [
            await stack.enter_async_context(
                message_api(store_url, tmp_path, telegram_port=port, message_api_worker_id=name)
            )
            for name in ("a", "b", "c")
        ]
        apis = [await stack.enter_async_context(client(url)) for url in urls]
        wanted = [f"Message {number}." for number in range(9)]
        posted = [
            await apis[number % 3].post(text, user_id=str(ann.person.user_id), key=text)
            for number, text in enumerate(wanted)
        ]
        for one in posted:
            assert (await apis[0].delivery(one.message_id, wait_s=60)).state == "sent"
        assert await texts(ann, 9) == wanted


async def test_the_client_is_a_messenger_that_sends_once_under_a_key(messenger, ann, to):
    buttons = [Button("Thanks", "thanks")]
    first = await messenger.send(to, "Your **tea** is ready.", key="task 7: «tea»", buttons=buttons)
    again = await messenger.send(to, "Your **tea** is ready.", key="task 7: «tea»", buttons=buttons)
    assert first == again
    [sent] = ann.chat.answers
    assert (sent.text, sent.buttons[0]["text"]) == ("Your tea is ready.", "Thanks")
    assert first[0].message_id == str(sent.message_id)
    with pytest.raises(InvalidInput, match="Idempotency-Key"):
        await messenger.send(to, "Your coffee is ready.", key="task 7: «tea»")


async def test_the_client_speaks_and_replies(messenger, ann, to):
    question = await ann.says("Is it ready?")
    receipts = await messenger.send(
        to, "Tea.", key="t", speak=True, language="en", reply_to_id=str(question.message_id)
    )
    text, spoken = [one for one in ann.chat.answers if one.voice or one.text == "Tea."]
    assert (text.reply_to.text, spoken.voice is not None) == ("Is it ready?", True)
    assert [receipt.message_id for receipt in receipts] == [str(text.message_id), str(spoken.message_id)]


async def test_the_client_changes_a_text_by_its_key(messenger, ann, to):
    sent = await messenger.send(to, "Steeping.", key="tea «1»")
    assert await messenger.edit("tea «1»", "Ready.") == sent
    assert [one.text for one in ann.chat.answers] == ["Ready."]
    with pytest.raises(NotFound):
        await messenger.edit("coffee", "No.")


async def test_the_client_raises_what_the_platform_refuses(messenger, ann, to):
    ann.blocks_bot()
    with pytest.raises(NotAllowed):
        await messenger.send(to, "Hi.", key="hi")
    with pytest.raises(InvalidInput):
        await messenger.send(Address("grpc", "1"), "Hi.", key="hi")
    with pytest.raises(InvalidInput, match="message"):
        await messenger.send(to, "  ", key="blank")


async def test_the_client_tells_that_a_message_is_not_delivered_yet(store_url, tmp_path, monkeypatch):
    monkeypatch.setattr("essence.message_client.DEADLINE_S", 0.0)
    monkeypatch.setattr("essence.message_client.POLL_S", 0.0)
    async with message_api(store_url, tmp_path) as url, client(url) as api:
        with pytest.raises(TooSlow, match="kept"):
            await api.send(HERE, "Hi.", key="hi")


async def test_the_client_tells_a_wrong_key_from_an_api_that_is_not_there_or_not_ready(store_url, tmp_path):
    async with message_api(store_url, tmp_path) as url, client(url, "wrong") as api:
        with pytest.raises(NotAllowed):
            await api.post("Hi.", user_id="1", key="hi")
    async with client(f"http://127.0.0.1:{free_port()}") as api:
        with pytest.raises(Unreachable, match="message-api"):
            await api.post("Hi.", user_id="1", key="hi")
    loading = HttpServer("message-api", has_api=True)
    port = await loading.start("127.0.0.1", 0)
    try:
        async with client(f"http://127.0.0.1:{port}") as api:
            with pytest.raises(Unreachable, match="503"):
                await api.post("Hi.", user_id="1", key="hi")
    finally:
        await loading.stop()


async def test_a_conversation_that_waits_delays_no_other():
    """One platform's message is on its way for long; those to others go meanwhile."""
    held = asyncio.Event()

    class Slow(MemoryMessenger):
        async def send(self, to, text, *, key, **options):
            if to == HERE:
                await held.wait()
            return await super().send(to, text, key=key, **options)

    messenger = Slow()
    async with open_store("memory://", SETTINGS) as store:
        slow = await store.messages.post(Draft(HERE, "Slow."), author="bot")
        quick = await store.messages.post(Draft(THERE, "Quick."), author="bot")
        handing_over = asyncio.create_task(Handover(store.messages, messenger, "telegram", worker_id="w").run())
        assert (await store.messages.outcome(quick.message_id, wait_s=30)).state == "sent"
        assert (await store.messages.read(slow.message_id)).state == "queued"
        held.set()
        assert (await store.messages.outcome(slow.message_id, wait_s=30)).state == "sent"
        handing_over.cancel()
        await asyncio.wait([handing_over])
    assert [(one.text, one.key) for one in messenger.sent] == [
        ("Quick.", key_of(quick.message_id)),
        ("Slow.", key_of(slow.message_id)),
    ]


async def test_a_store_that_fails_for_a_while_ends_no_handover(monkeypatch):
    messenger = MemoryMessenger()
    async with open_store("memory://", SETTINGS) as store:
        for name in ("release_all", "claim"):
            monkeypatch.setattr(store.messages, name, failing_once(getattr(store.messages, name)))
        monkeypatch.setattr("essence.services.message_api.handover.FIRST_PAUSE_S", 0.01)
        posted = await store.messages.post(Draft(HERE, "Tea."), author="bot")
        handing_over = asyncio.create_task(Handover(store.messages, messenger, "telegram", worker_id="w").run())
        assert (await store.messages.outcome(posted.message_id, wait_s=30)).state == "sent"
        handing_over.cancel()
        await asyncio.wait([handing_over])


def failing_once(ask):
    failures = [StoreError("The store's disk is full.")]

    async def asked(*arguments, **options):
        if failures:
            raise failures.pop()
        return await ask(*arguments, **options)

    return asked

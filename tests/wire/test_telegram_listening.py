"""How June listens on Telegram: nothing is confirmed before it is durable, and no trouble ends her listening."""

import asyncio
import io
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from essence import observe
from essence.dialogue import Address, Message, Sound
from essence.errors import JuneError, NotAllowed, StoreError
from essence.fakes.telegram import Hang, LostAnswer, Refusal, Reset, ServerError, TelegramServer, TooManyRequests, User
from essence.services.telegram import channel, polling
from essence.services.telegram.channel import TelegramChannel
from tests.telegram_client import Api
from tests.telegram_june import held_to_the_specification, settings_of


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server
    held_to_the_specification(server)


@pytest.fixture(autouse=True)
def _patience_of_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(polling, "CONFLICT_PAUSE_S", 0.02)


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


class Inbox:
    """Keeps what it receives; `fails` says what it does not keep, and why."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.seen: list[str] = []
        self.fails: Callable[[Message], JuneError | None] = lambda _: None
        self._changed = asyncio.Condition()

    async def receive(self, message: Message) -> None:
        self.seen.append(message.text)
        error = self.fails(message)
        async with self._changed:
            if error is None and message.text not in self.texts:
                self.texts.append(message.text)
            self._changed.notify_all()
        if error is not None:
            raise error

    async def until(self, count: int, *, seen: bool = False) -> None:
        async with self._changed, asyncio.timeout(10):
            await self._changed.wait_for(lambda: len(self.seen if seen else self.texts) >= count)


@asynccontextmanager
async def listening(telegram: TelegramServer, inbox: Inbox, **more: object) -> AsyncIterator[TelegramChannel]:
    async with TelegramChannel(settings_of(telegram, **more), [("help", "What June can do")]) as june:
        task = asyncio.create_task(june.listen(inbox.receive))
        yield june
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert june.state.connected is False


async def test_listening_begins_with_who_june_is_and_her_menu(telegram, ann):
    inbox = Inbox()
    async with listening(telegram, inbox) as june:
        await ann.says("hello")
        await inbox.until(1)
        assert (june.state.connected, june.state.account) == (True, "@june_fake_bot")
    assert telegram.commands == [{"command": "help", "description": "What June can do"}]
    wanted = telegram.calls_of("getUpdates")[0].parameters["allowed_updates"]
    assert set(wanted) == {"message", "edited_message", "callback_query", "my_chat_member"}


async def test_a_menu_that_hangs_keeps_nobody_waiting(telegram, ann, monkeypatch):
    monkeypatch.setattr(channel, "SIGN_S", 0.1)
    telegram.fails("setMyCommands", Hang())
    inbox = Inbox()
    await ann.says("hello")
    async with listening(telegram, inbox):
        await inbox.until(1)


async def test_a_menu_that_is_refused_is_counted_and_no_more(telegram, ann):
    telegram.fails("setMyCommands", Refusal(400, "Bad Request: BOT_COMMAND_INVALID"))
    inbox = Inbox()
    async with listening(telegram, inbox) as june:
        await ann.says("hello")
        await inbox.until(1)
        assert dict(june.state.troubles) == {"400": 1}


async def test_an_update_is_confirmed_only_after_it_was_received(telegram, ann):
    inbox, may_end = Inbox(), asyncio.Event()

    async def slowly(message: Message) -> None:
        await inbox.receive(message)
        await may_end.wait()

    async with TelegramChannel(settings_of(telegram), []) as june:
        task = asyncio.create_task(june.listen(slowly))
        await ann.says("hello")
        await inbox.until(1)
        assert telegram.unconfirmed == 1
        polls = len(telegram.calls_of("getUpdates"))
        may_end.set()
        await telegram.called("getUpdates", times=polls + 1, done=False)
        await asyncio.sleep(0)
        await ann.says("bye")
        await inbox.until(2)
        assert telegram.unconfirmed == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_was_not_received_comes_again_after_a_restart(telegram, ann):
    lost, kept = Inbox(), Inbox()
    lost.fails = lambda _: StoreError("The disk is full. Make room.")
    await ann.says("hello")
    async with listening(telegram, lost) as june:
        await lost.until(3, seen=True)
        assert june.state.connected is True
    async with listening(telegram, kept):
        await kept.until(1)


async def test_chats_go_side_by_side_and_each_in_order(telegram):
    people = [telegram.user(f"P{number}") for number in range(3)]
    for number in range(3):
        for person in people:
            await person.says(f"{person.person.first_name} {number}")
    all_here, waiting, texts = asyncio.Event(), set(), []

    async def together(message: Message) -> None:
        waiting.add(message.sender.name)
        if len(waiting) == len(people):
            all_here.set()
        await all_here.wait()  # would never end if the chats came one after another
        texts.append(message.text)

    async with TelegramChannel(settings_of(telegram), []) as june:
        task = asyncio.create_task(june.listen(together))
        await telegram.called("getUpdates", times=2, done=False)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(texts) == 9
    for person in people:
        mine = [text for text in texts if text.startswith(person.person.first_name)]
        assert mine == sorted(mine)


async def test_what_is_kept_of_a_group_is_in_its_supergroup_before_words_from_there(telegram, ann):
    group, inbox, moves, failures = telegram.group("Club", ann), Inbox(), [], [StoreError("Full.")]
    await ann.says("before", to=group)
    old = group.moves(ann)
    await ann.says("after", to=group)

    async def move_on(before: Address, now: Address) -> None:
        if failures:
            raise failures.pop()
        moves.append((before.chat_id, now.chat_id, list(inbox.texts)))

    async with TelegramChannel(settings_of(telegram), [], move_on) as june:
        task = asyncio.create_task(june.listen(inbox.receive))
        await inbox.until(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert {move[:2] for move in moves} == {(str(old), str(group.chat.chat_id))}
    assert "after" not in moves[0][2]


async def test_one_failure_keeps_back_its_own_chat_alone_and_its_order(telegram, ann):
    bob, inbox, failures = telegram.user("Bob"), Inbox(), iter([StoreError("Full."), StoreError("Full.")])
    inbox.fails = lambda message: next(failures, None) if message.text == "a1" else None
    for person, text in ((bob, "b1"), (ann, "a1"), (bob, "b2"), (ann, "a2")):
        await person.says(text)
    async with listening(telegram, inbox):
        await inbox.until(4)
        await telegram.called("getUpdates", times=4, done=False)
    assert inbox.texts.index("b2") < inbox.texts.index("a1") < inbox.texts.index("a2")
    assert inbox.seen.count("b1") == 1  # it lies before the first failure, and was confirmed
    assert telegram.unconfirmed == 0


async def test_updates_that_come_in_a_wrong_order_or_twice_are_put_right(telegram, ann):
    inbox = Inbox()
    with telegram.reorders_updates():
        for text in "abc":
            await ann.says(text)
    telegram.repeats_next_update()
    await ann.says("d")
    async with listening(telegram, inbox):
        await inbox.until(5, seen=True)
    assert inbox.texts == ["a", "b", "c", "d"]
    assert inbox.seen == ["a", "b", "c", "d", "d"]


@pytest.mark.parametrize(
    "body", [{"date": "never"}, {"message_id": 1}, {"chat": 5}, {"date": 1, "message_id": 1, "chat": {}}]
)
async def test_an_update_that_makes_no_sense_is_counted_and_passed_over(telegram, ann, body):
    inbox = Inbox()
    ann.platform.updates.add("message", body, 1)
    await ann.says("hello")
    async with listening(telegram, inbox) as june:
        await inbox.until(1)
        assert dict(june.state.troubles) == {"malformed": 1}
        await telegram.called("getUpdates", times=2, done=False)
    assert telegram.unconfirmed == 0


@pytest.mark.parametrize("fault", [ServerError(), ServerError(503, html=True), Reset(), LostAnswer()])
async def test_an_outage_ends_by_itself(telegram, ann, fault):
    inbox = Inbox()
    async with listening(telegram, inbox) as june:
        await ann.says("before")
        await inbox.until(1)
        await telegram.called("getUpdates", times=2, done=False)  # it waits there
        telegram.fails("getUpdates", fault, times=None)
        telegram.cuts_connections()
        await until(lambda: not june.state.connected)
        await ann.says("meanwhile")
        telegram.heals()
        await inbox.until(2)
        assert june.state.connected is True


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not seen():  # noqa: ASYNC110 - what is looked at tells nobody that it changes
            await asyncio.sleep(0.01)


async def test_after_an_outage_june_knows_at_once_that_it_is_over(telegram):
    inbox = Inbox()
    async with listening(telegram, inbox) as june:
        await telegram.called("getUpdates", done=False)
        telegram.fails("getUpdates", ServerError(), times=2)
        telegram.cuts_connections()
        await until(lambda: not june.state.connected)
        await until(lambda: june.state.connected)
        await until(lambda: telegram.calls_of("getUpdates")[-1].parameters["timeout"] == 30)


async def test_telegram_need_not_be_there_when_june_starts(telegram, ann):
    inbox = Inbox()
    telegram.fails("getMe", ServerError(), times=2)
    telegram.fails("getMe", Reset())
    await ann.says("hello")
    async with listening(telegram, inbox) as june:
        await inbox.until(1)
        assert dict(june.state.troubles) == {"502": 2, "unreachable": 1}


@pytest.mark.parametrize("token", ["1:refused-by-telegram", "no token at all/?"])
async def test_a_refused_token_says_where_to_get_another(telegram, token):
    settings = settings_of(telegram).model_copy(update={"telegram_token": token})
    async with TelegramChannel(settings, []) as june:
        with pytest.raises(NotAllowed, match=r"@BotFather.*TELEGRAM_TOKEN"):
            await june.listen(Inbox().receive)


async def test_a_token_that_is_withdrawn_ends_the_listening(telegram):
    telegram.fails("getUpdates", Refusal(401, "Unauthorized"), skip=1)
    async with TelegramChannel(settings_of(telegram, telegram_poll_s=1), []) as june:
        with pytest.raises(NotAllowed):
            await june.listen(Inbox().receive)
        assert june.state.connected is False


async def test_another_process_with_the_token_is_counted_and_waited_for(telegram, ann):
    inbox = Inbox()
    telegram.fails("getUpdates", Refusal(409, "Conflict: terminated by other getUpdates request"), times=2)
    async with listening(telegram, inbox) as june:
        await ann.says("hello")
        await inbox.until(1)
        assert june.state.troubles == (("409", 2),)


async def test_a_rate_limit_of_polls_is_kept(telegram, ann, monkeypatch):
    pauses, sleep = [], asyncio.sleep

    async def at_once(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(polling.asyncio, "sleep", at_once)
    telegram.fails("getUpdates", TooManyRequests(17))
    inbox = Inbox()
    async with listening(telegram, inbox):
        await ann.says("hello")
        await inbox.until(1)
    assert 17 in pauses


async def test_pauses_grow_to_half_a_minute_and_begin_anew(monkeypatch):
    pauses = []

    async def at_once(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(polling.asyncio, "sleep", at_once)
    monkeypatch.setattr(polling.random, "uniform", lambda least, most: most)
    monkeypatch.setattr(polling, "FIRST_PAUSE_S", 0.5)
    again = polling.Pauses()
    for _ in range(8):
        await again.after(StoreError("Full."))
    again.over()
    await again.after(StoreError("Full."))
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 0.5]


async def test_a_poll_that_hangs_is_given_up(telegram, ann, monkeypatch):
    monkeypatch.setattr("essence.services.telegram.api.POLL_GRACE_S", 0.1)
    inbox = Inbox()
    telegram.fails("getUpdates", Hang())
    async with listening(telegram, inbox, telegram_poll_s=0.1) as june:
        await ann.says("hello")
        await inbox.until(1)
        assert dict(june.state.troubles) == {"too_slow": 1}


async def test_a_webhook_from_before_is_taken_down(telegram, ann):
    async with Api(telegram) as api:
        await api("setWebhook", url="http://127.0.0.1:9/hook")
    inbox = Inbox()
    await ann.says("hello")
    async with listening(telegram, inbox):
        await inbox.until(1)
    assert telegram.calls_of("deleteWebhook")[0].parameters.get("drop_pending_updates") in (None, False)


async def test_the_token_is_in_no_log_no_error_and_no_repr(telegram, ann, capfd):
    root = logging.getLogger()
    before = root.handlers, root.level
    observe.set_up("telegram", level="debug")
    try:
        await _everything_fails(telegram)
    finally:
        root.handlers = before[0]
        root.setLevel(before[1])
    shown = "".join(capfd.readouterr())
    assert telegram.token not in shown
    assert telegram.token.partition(":")[2] not in shown
    assert "bot[redacted]" not in shown  # and not by the grace of the log's own filter


async def _everything_fails(telegram: TelegramServer) -> None:
    shown = io.StringIO()
    async with TelegramChannel(settings_of(telegram), []) as june:
        shown.write(repr(june) + repr(june.state) + repr(vars(june)))
        for fault in (ServerError(), ServerError(html=True), Reset(), LostAnswer(), Refusal(401, "Unauthorized")):
            telegram.fails("getMe", fault)
        telegram.fails("getFile", Reset())
        for call in (june.listen(Inbox().receive), june.fetch(Sound("AwAC", "audio/ogg"), max_bytes=9)):
            try:
                await call
            except JuneError as error:
                shown.write("".join(traceback.format_exception(error)) + repr(error))
                observe.logger().error("failed", exc_info=error)
    assert "NotAllowed" in shown.getvalue()
    assert "Unreachable" in shown.getvalue()
    assert telegram.token.partition(":")[2] not in shown.getvalue()

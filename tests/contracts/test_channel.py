"""What every Channel does, whoever plays it. A new player is a stage in tests/channel_stages.py and a line here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from essence.audio import Pcm, encode_voice
from essence.dialogue import Button, Message, Reply
from essence.errors import (
    InvalidAudio,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    StoreError,
    Uncertain,
    Unreachable,
)
from tests import channel_stages
from tests.channel_stages import Stage

NOTE = encode_voice([Pcm(bytes(48_000 * 2), 48_000)])
PLAYERS = [channel_stages.telegram, channel_stages.discord, channel_stages.memory]


@pytest.fixture(params=PLAYERS)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    opened: Callable[[], AbstractAsyncContextManager[Stage]] = request.param
    async with opened() as platform:
        yield platform


class Ear:
    """Receives messages; `failures` are raised first."""

    def __init__(self) -> None:
        self.failures: list[StoreError] = []
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    async def receive(self, message: Message) -> None:
        if self.failures:
            raise self.failures.pop()
        await self._messages.put(message)

    async def next(self) -> Message:
        return await asyncio.wait_for(self._messages.get(), 10)


@asynccontextmanager
async def listening(stage: Stage) -> AsyncIterator[Ear]:
    ear = Ear()
    task = asyncio.create_task(stage.channel.listen(ear.receive))
    try:
        await until(lambda: stage.channel.state.connected or task.done())
        if task.done():
            task.result()
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a channel tells nobody that it is connected
            await asyncio.sleep(0.005)


async def first_message(stage: Stage) -> Message:
    async with listening(stage) as ear:
        await stage.says("hello")
        return await ear.next()


# --- listening


async def test_what_a_person_says_in_private_is_heard(stage: Stage) -> None:
    message = await first_message(stage)
    assert (message.text, message.address) == ("hello", stage.home)
    assert (message.private, message.addressed, message.forwarded, message.version) == (True, True, False, "")
    assert message.sender.name == "Ann"
    assert message.sent_at.utcoffset() == timedelta(0)


async def test_a_thread_is_an_address_of_its_own(stage: Stage) -> None:
    async with listening(stage) as ear:
        await stage.says("hello", in_thread=True)
        message = await ear.next()
    assert (message.address, message.private) == (stage.thread, False)
    assert message.address.thread_id


async def test_messages_of_one_chat_come_in_order(stage: Stage) -> None:
    async with listening(stage) as ear:
        for number in range(5):
            await stage.says(f"message {number}")
        texts = [(await ear.next()).text for _ in range(5)]
    assert texts == [f"message {number}" for number in range(5)]


async def test_what_was_said_before_june_listened_is_heard_when_she_does(stage: Stage) -> None:
    for text in ("one", "two"):
        await stage.says(text)
    async with listening(stage) as ear:
        assert [(await ear.next()).text for _ in range(2)] == ["one", "two"]


async def test_what_was_not_kept_is_handed_over_again(stage: Stage) -> None:
    async with listening(stage) as ear:
        ear.failures = [StoreError("The disk is full. Make room.")]
        await stage.says("hello")
        assert (await ear.next()).text == "hello"


async def test_the_state_tells_whether_june_is_connected_and_who_she_is(stage: Stage) -> None:
    assert stage.channel.state.connected is False
    async with listening(stage) as ear:
        await stage.says("hello")
        await ear.next()
        assert stage.channel.state.connected is True
        assert stage.channel.state.account
    assert stage.channel.state.connected is False


async def test_a_refused_token_ends_the_listening(stage: Stage) -> None:
    stage.refuses_token()
    with pytest.raises(NotAllowed):
        await stage.channel.listen(Ear().receive)


# --- sending


async def test_a_text_arrives_and_its_receipt_names_it(stage: Stage) -> None:
    receipt = await stage.channel.send(stage.home, Reply("hello"), key="k")
    (shown,) = stage.shown(stage.home)
    assert (shown.text, shown.message_id) == ("hello", receipt.message_id)
    assert receipt.assumed is False
    assert abs((datetime.now(UTC) - receipt.sent_at).total_seconds()) < 60


async def test_a_voice_message_arrives_as_one(stage: Stage) -> None:
    await stage.channel.send(stage.home, Reply(voice=NOTE), key="k")
    assert [shown.voice for shown in stage.shown(stage.home)] == [NOTE.data]


async def test_the_words_of_a_voice_message_stand_below_it_where_the_platform_has_captions(stage: Stage) -> None:
    sending = stage.channel.send(stage.home, Reply("hello", voice=NOTE), key="k")
    if stage.channel.profile.caption_units == 0:
        with pytest.raises(InvalidInput):
            await sending
    else:
        await sending
        assert [(shown.text, shown.voice) for shown in stage.shown(stage.home)] == [("hello", NOTE.data)]


async def test_a_text_may_be_as_long_as_the_profile_says_and_not_much_longer(stage: Stage) -> None:
    units = stage.channel.profile.text_units
    longest = "😀" * (units // 2)
    await stage.channel.send(stage.home, Reply(longest), key="k")
    assert [shown.text for shown in stage.shown(stage.home)] == [longest]
    with pytest.raises(InvalidInput):
        await stage.channel.send(stage.home, Reply("x" * (2 * units)), key="l")


async def test_a_text_without_a_word_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidInput):
        await stage.channel.send(stage.home, Reply(" "), key="k")
    assert stage.shown(stage.home) == []


async def test_messages_to_a_thread_arrive_there_alone(stage: Stage) -> None:
    await stage.channel.send(stage.thread, Reply("hello"), key="k")
    assert [shown.text for shown in stage.shown(stage.thread)] == ["hello"]
    assert stage.shown(stage.home) == []


async def test_an_answer_is_tied_to_its_question(stage: Stage) -> None:
    question = await first_message(stage)
    await stage.channel.send(stage.home, Reply("yes", reply_to_id=question.message_id), key="k")
    assert stage.shown(stage.home)[0].reply_to_id == question.message_id


async def test_the_private_conversation_with_a_person_can_be_found(stage: Stage) -> None:
    question = await first_message(stage)
    assert await stage.channel.direct(question.sender.person_id) == stage.home
    with pytest.raises(NotFound):
        await stage.channel.direct("nobody")


async def test_a_lost_answer_is_uncertain_and_a_repeat_is_recognised_or_marked(stage: Stage) -> None:
    stage.fails("send", "lost answer")
    with pytest.raises(Uncertain):
        await stage.channel.send(stage.home, Reply("hello"), key="k")
    receipt = await stage.channel.send(stage.home, Reply("hello"), key="k", again=True)
    shown = stage.shown(stage.home)
    assert receipt.message_id == shown[-1].message_id
    if stage.channel.profile.knows_repeats:
        assert len(shown) == 1
    else:
        assert shown[1].text.startswith("🔁")


async def test_a_rate_limit_names_the_wait_and_nothing_was_sent(stage: Stage) -> None:
    stage.fails("send", "rate limit")
    with pytest.raises(RateLimited) as limited:
        await stage.channel.send(stage.home, Reply("hello"), key="k")
    assert limited.value.retry_after_s == channel_stages.RETRY_AFTER_S
    assert stage.shown(stage.home) == []


@pytest.mark.parametrize(
    ("trouble", "error"),
    [("broken", Unreachable), ("forbidden", NotAllowed), ("bad token", NotAllowed), ("gone", NotFound)],
)
async def test_each_trouble_of_a_message_has_its_error_and_is_counted(stage: Stage, trouble, error) -> None:
    stage.fails("send", trouble)
    with pytest.raises(error) as raised:
        await stage.channel.send(stage.home, Reply("hello"), key="k")
    assert type(raised.value) is error
    assert stage.shown(stage.home) == []
    assert sum(count for _, count in stage.channel.state.troubles) == 1


# --- editing


async def test_an_edit_puts_a_text_in_the_place_of_another_and_may_be_repeated(stage: Stage) -> None:
    receipt = await stage.channel.send(stage.home, Reply("old"), key="k")
    for _ in range(2):
        await stage.channel.edit(stage.home, receipt.message_id, Reply("new"))
    assert [shown.text for shown in stage.shown(stage.home)] == ["new"]


async def test_an_edit_whose_answer_is_lost_may_be_repeated(stage: Stage) -> None:
    receipt = await stage.channel.send(stage.home, Reply("old"), key="k")
    stage.fails("edit", "lost answer")
    with pytest.raises(Unreachable):
        await stage.channel.edit(stage.home, receipt.message_id, Reply("new"))
    await stage.channel.edit(stage.home, receipt.message_id, Reply("new"))
    assert [shown.text for shown in stage.shown(stage.home)] == ["new"]


async def test_what_is_gone_can_not_be_edited(stage: Stage) -> None:
    with pytest.raises(NotFound):
        await stage.channel.edit(stage.home, "4711", Reply("new"))


# --- buttons


async def test_a_tapped_button_says_which_and_of_what_message(stage: Stage) -> None:
    buttons = (Button("Yes", "approve y"), Button("No", "approve n"))
    receipt = await stage.channel.send(stage.home, Reply("Shall I?", buttons=buttons), key="k")
    assert stage.shown(stage.home)[0].buttons == ("Yes", "No")
    async with listening(stage) as ear:
        await stage.presses("No")
        message = await ear.next()
        await stage.channel.acknowledge(message, "Good.")
    assert (message.pressed, message.reply_to_id, message.address) == ("approve n", receipt.message_id, stage.home)
    assert (message.text, message.sender.name) == ("", "Ann")
    assert stage.notices() == ["Good."]


async def test_an_edit_takes_the_buttons_away(stage: Stage) -> None:
    receipt = await stage.channel.send(stage.home, Reply("Shall I?", buttons=(Button("Yes", "y"),)), key="k")
    await stage.channel.edit(stage.home, receipt.message_id, Reply("Done."))
    assert [(shown.text, shown.buttons) for shown in stage.shown(stage.home)] == [("Done.", ())]


# --- signs


async def test_a_person_is_shown_that_june_has_heard_and_is_writing(stage: Stage) -> None:
    message = await first_message(stage)
    await stage.channel.sign(message, "heard")
    await stage.channel.sign(message, "writing")
    assert list(stage.signs()) == ["heard", "writing"]


async def test_a_sign_that_fails_is_counted_and_goes_no_further(stage: Stage) -> None:
    message = await first_message(stage)
    stage.fails("sign", "broken")
    await stage.channel.sign(message, "writing")
    assert sum(count for _, count in stage.channel.state.troubles) == 1


# --- fetching


async def test_a_sound_is_fetched_as_it_was_sent(stage: Stage) -> None:
    async with listening(stage) as ear:
        await stage.sends_sound(NOTE.data)
        sound = (await ear.next()).sound
    assert sound is not None
    assert await stage.channel.fetch(sound, max_bytes=1 << 20) == NOTE.data
    with pytest.raises(InvalidAudio):
        await stage.channel.fetch(sound, max_bytes=len(NOTE.data) - 1)
    stage.fails("fetch", "broken")
    with pytest.raises(Unreachable):
        await stage.channel.fetch(sound, max_bytes=1 << 20)
    assert await stage.channel.fetch(sound, max_bytes=1 << 20) == NOTE.data

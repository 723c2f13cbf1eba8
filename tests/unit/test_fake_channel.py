"""People on the channel in memory. What June sees of it is in tests/contracts/test_channel.py."""

import asyncio
from dataclasses import replace

import pytest

from essence.dialogue import Button, Message, Reply, Sound
from essence.errors import NotFound, TooSlow, Unreachable
from essence.fakes.channel import MemoryChannel


@pytest.fixture
def channel():
    return MemoryChannel()


@pytest.fixture
def ann(channel):
    return channel.person("Ann")


async def heard(channel: MemoryChannel, count: int) -> list[Message]:
    messages: list[Message] = []

    async def receive(message: Message) -> None:
        messages.append(message)
        if len(messages) == count:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await channel.listen(receive)
    return messages


async def test_messages_wait_until_june_listens(channel, ann):
    await ann.says("one")
    await ann.says("two")
    assert [message.text for message in await heard(channel, 2)] == ["one", "two"]


async def test_in_a_group_a_person_may_talk_to_others(channel, ann):
    group = channel.group()
    await ann.says("hello all", group, addressed=False)
    await ann.says("hello June", group)
    aside, meant = await heard(channel, 2)
    assert (aside.addressed, aside.private, meant.addressed) == (False, False, True)
    assert aside.address == meant.address == group


async def test_an_edit_is_another_version_of_the_same_message(channel, ann):
    said = await ann.says("old")
    edited = await ann.edits(said, "new")
    assert (edited.message_id, edited.text, bool(edited.version)) == (said.message_id, "new", True)
    assert edited.key != said.key


async def test_a_person_receives_what_june_sends_one_after_the_other(channel, ann):
    for text in ("one", "two"):
        await channel.send(ann.home, Reply(text), key=text)
    assert [(await ann.receives()).text for _ in range(2)] == ["one", "two"]
    with pytest.raises(TooSlow):
        await ann.receives(timeout_s=0.0)


async def test_a_person_can_answer_a_message_of_junes(channel, ann):
    receipt = await channel.send(ann.home, Reply("one"), key="k")
    answer = await ann.says("why?", reply_to=await ann.receives())
    assert answer.reply_to_id == receipt.message_id


async def test_the_versions_of_a_message_can_be_looked_at(channel, ann):
    receipt = await channel.send(ann.home, Reply("a"), key="k")
    for text in ("a b", "a b", "a b c"):
        await channel.edit(ann.home, receipt.message_id, Reply(text))
    assert channel.shown(ann.home)[0].versions == ("a", "a b", "a b c")


async def test_a_button_that_is_gone_can_not_be_tapped(channel, ann):
    await channel.send(ann.home, Reply("Shall I?", buttons=(Button("Yes", "y"),)), key="k")
    question = await ann.receives()
    await channel.edit(ann.home, question.message_id, Reply("Done."))
    with pytest.raises(NotFound):
        await ann.presses(question, "Yes")


async def test_a_failure_strikes_once(channel, ann):
    channel.fails("direct", Unreachable("Nobody answers."))
    with pytest.raises(Unreachable):
        await channel.direct(ann.person.person_id)
    assert await channel.direct(ann.person.person_id) == ann.home


async def test_a_file_that_nobody_sent_is_gone(channel):
    with pytest.raises(NotFound):
        await channel.fetch(Sound("file-4711", "audio/ogg"), max_bytes=1)


async def test_it_can_stand_for_another_platform(channel):
    discord = MemoryChannel(replace(channel.profile, platform="discord", caption_units=0))
    assert discord.person("Ann").home.platform == "discord"

"""Slash commands and buttons on Discord, from June's side."""

import asyncio
from collections import Counter

import pytest

from essence.dialogue import Address, Button, Reply
from essence.errors import StoreError, Unreachable
from essence.fakes.discord import Broken, LostAnswer, Reset, Slow, TooMany
from essence.fakes.discord.refusals import Refused
from essence.services.discord import interactions
from tests.discord_june import COMMANDS, NOTE, OGG, June, fake_discord, listening


@pytest.fixture
async def server(monkeypatch):
    async with fake_discord(monkeypatch) as fake:
        yield fake


@pytest.fixture
async def june(server):
    async with listening(June(server)) as one:
        await server.until(lambda: len(server.commands.offered(None)) == len(COMMANDS))
        yield one


@pytest.fixture
def ann(server):
    return server.user("Ann")


@pytest.fixture
def general(server, ann):
    return server.guild("Home", ann).channel("general")


def writes_of_commands(server):
    return [call for call in server.calls if call.method == "PUT" and call.path.endswith("/commands")]


async def test_commands_are_offered_everywhere_and_written_only_if_they_change(server, june):
    offered = {one["name"]: one for one in server.commands.offered(None)}
    assert {name: one["description"] for name, one in offered.items()} == dict(COMMANDS)
    assert all(one["options"][0]["name"] == "text" and not one["options"][0]["required"] for one in offered.values())
    async with listening(June(server)) as again:
        await again.until(lambda: again.channel.state.connected)
        await server.until(lambda: len([c for c in server.calls if c.method == "GET" and "commands" in c.path]) == 2)
    assert len(writes_of_commands(server)) == 1
    changed = June(server)
    changed.channel._commands = [("stop", "Stop it")]
    async with listening(changed):
        await server.until(lambda: [one["name"] for one in server.commands.offered(None)] == ["stop"])


async def test_an_outage_while_commands_are_offered_is_waited_for(server):
    server.faults.next(Broken(503), TooMany(0.01), path="/applications/*/commands")
    async with listening(June(server)) as june:
        await server.until(lambda: bool(server.commands.offered(None)))
    assert june.troubles["commands not offered"] == 2


async def test_a_command_is_a_message_and_its_answer_stands_in_its_place(server, june, ann):
    used = await ann.uses("language", {"text": "de"})
    message = await june.hears()
    assert (message.text, message.message_id) == ("/language de", f"slash-{used.interaction_id}")
    assert (message.private, message.addressed, message.sender.language) == (True, True, "en")
    await june.channel.send(message.address, Reply("German it is", reply_to_id=message.message_id), key="a")
    post = await ann.receives()
    assert post.text == "German it is"
    assert [one.message_id for one in ann.dm.posts()] == [post.message_id]


async def test_a_command_is_kept_before_discord_is_told_that_june_has_it(server, june, ann, monkeypatch):
    monkeypatch.setattr(interactions, "KEEP_S", 60.0)
    june.gates["Ann"] = asyncio.Event()
    used = await ann.uses("stop")
    await june.until(lambda: june.tries > 0)
    for _ in range(3):  # what leaves at once is there by then
        await june.channel.direct(ann.user_id)
    assert used.callback is None
    june.gates["Ann"].set()
    await server.until(lambda: used.callback is not None)
    assert (used.callback, june.texts) == ({"type": 5}, ["/stop"])


async def test_who_uses_a_command_that_can_not_be_kept_is_told_what_to_do_and_answered_later(
    server, june, ann, monkeypatch
):
    monkeypatch.setattr(interactions, "KEEP_S", 0.05)
    june.failures += [StoreError("the disk is full")] * 1000
    await ann.uses("stop")
    assert "use the command again" in (await ann.receives()).text
    june.failures.clear()
    message = await june.hears()
    await june.channel.send(message.address, Reply("stopped", reply_to_id=message.message_id), key="a")
    assert [post.text for post in ann.dm.posts()] == ["stopped"]


async def test_who_taps_a_button_while_nothing_can_be_kept_is_told_what_to_do(server, june, ann, monkeypatch):
    post = await shown(june, ann)
    monkeypatch.setattr(interactions, "KEEP_S", 0.05)
    june.failures += [StoreError("the disk is full")] * 1000
    await ann.presses(post, "approve:1")
    whispered = await ann.receives()
    assert "tap the button again" in whispered.text
    assert whispered.json["flags"] & 64
    june.failures.clear()
    assert (await june.hears()).pressed == "approve:1"


async def test_a_command_that_dies_with_june_before_it_is_kept_has_an_end_that_its_person_sees(
    server, ann, monkeypatch
):
    monkeypatch.setattr(interactions, "KEEP_S", 0.05)
    first = June(server)
    async with listening(first):
        await server.until(lambda: bool(server.commands.offered(None)))
        first.gates["Ann"] = asyncio.Event()
        await ann.uses("stop")
        await ann.receives()
    async with listening(June(server)) as second:
        await ann.says("still there?")
        await second.hears()
    assert second.texts == ["still there?"]
    assert ["use the command again" in post.text for post in ann.dm.posts()] == [True, False]


async def test_an_answer_waits_until_discord_knows_of_its_command(server, june, ann):
    server.faults.next(Slow(0.2), method="POST", path="/interactions/*")
    await ann.uses("stop")
    message = await june.hears()
    await june.channel.send(message.address, Reply("stopped", reply_to_id=message.message_id), key="a")
    assert [post.text for post in ann.dm.posts()] == ["stopped"]
    assert june.troubles == {}


async def test_a_command_in_a_thread_of_a_server_is_answered_there(server, june, ann, general):
    thread = await ann.opens_thread("Plans", general)
    await ann.uses("stop", where=thread)
    message = await june.hears()
    assert message.address == Address("discord", general.channel_id, thread.channel_id)
    assert (message.private, message.addressed) == (False, True)
    await june.channel.send(message.address, Reply("stopped", reply_to_id=message.message_id), key="a")
    assert (await ann.receives(thread)).text == "stopped"


async def test_further_parts_of_an_answer_follow_the_first(server, june, ann):
    await ann.uses("stop")
    message = await june.hears()
    for key in ("a", "b"):
        await june.channel.send(message.address, Reply(key, reply_to_id=message.message_id), key=key)
    assert [post.text for post in ann.dm.posts()] == ["a", "b"]


async def test_an_answer_to_a_command_can_be_edited(server, june, ann):
    await ann.uses("stop")
    message = await june.hears()
    receipt = await june.channel.send(message.address, Reply("stopp", reply_to_id=message.message_id), key="a")
    await june.channel.edit(message.address, receipt.message_id, Reply("stopped"))
    assert [post.text for post in ann.dm.posts()] == ["stopped"]


async def test_a_lost_answer_to_an_answer_leaves_one_message(server, june, ann):
    await ann.uses("stop")
    message = await june.hears()
    reply = Reply("stopped", reply_to_id=message.message_id)
    server.faults.next(LostAnswer(), method="PATCH", path="/webhooks/*")
    with pytest.raises(Unreachable):
        await june.channel.send(message.address, reply, key="a")
    await june.channel.send(message.address, reply, key="a")
    assert [post.text for post in ann.dm.posts()] == ["stopped"]


async def test_a_command_answered_by_voice_stops_to_say_that_june_is_thinking(server, june, ann):
    await ann.uses("stop")
    message = await june.hears()
    await june.channel.send(message.address, Reply(voice=NOTE, reply_to_id=message.message_id), key="a")
    await june.channel.send(message.address, Reply("in words", reply_to_id=message.message_id), key="b")
    posts = ann.dm.posts()
    assert [(post.is_voice, post.text) for post in posts] == [(True, ""), (False, "in words")]
    assert posts[0].attachments[0].data == OGG


async def test_after_discord_has_forgotten_a_command_its_answer_is_an_ordinary_message(server, june, ann, monkeypatch):
    used = await ann.uses("stop")
    message = await june.hears()
    server.interactions._by_token.pop(used.token)
    await june.channel.send(message.address, Reply("stopped", reply_to_id=message.message_id), key="a")
    post = await ann.receives()
    assert (post.text, post.json.get("message_reference")) == ("stopped", None)


async def test_after_a_restart_a_command_is_answered_by_an_ordinary_message(server, june, ann):
    await ann.uses("stop")
    message = await june.hears()
    async with June(server).channel as restarted:
        await restarted.send(message.address, Reply("stopped", reply_to_id=message.message_id), key="a")
    assert (await ann.receives()).text == "stopped"


async def test_a_command_that_comes_twice_is_handed_over_once(server, june, ann):
    server.gateway.duplicate_next()
    await ann.uses("stop")
    await ann.says("after")
    await june.hears(2)
    assert (june.texts, june.tries) == (["/stop", "after"], 2)


CALLBACK = {"method": "POST", "path": "/interactions/*"}


@pytest.mark.parametrize("fault", [Broken(502), Reset(), LostAnswer()], ids=["502", "reset", "lost answer"])
async def test_an_acknowledgement_that_fails_is_tried_again_in_time(server, june, ann, fault):
    server.faults.next(fault, **CALLBACK)
    used = await ann.uses("stop")
    message = await june.hears()
    await server.until(lambda: used.callback == {"type": 5})
    await june.channel.send(message.address, Reply("stopped", reply_to_id=message.message_id), key="a")
    assert [post.text for post in ann.dm.posts()] == ["stopped"]


async def test_a_command_that_cannot_be_acknowledged_is_answered_by_an_ordinary_message(server, june, ann):
    with server.faults.during(Broken(502), **CALLBACK):
        await ann.uses("stop")
        message = await june.hears()
        await june.channel.send(message.address, Reply("stopped", reply_to_id=message.message_id), key="a")
    assert [post.text for post in ann.dm.posts()] == ["stopped"]
    assert june.troubles["interaction not acknowledged"] == 1


async def shown(june, ann):
    buttons = (Button("Yes", "approve:1"), Button("No", "refuse:1"))
    await june.channel.send(Address("discord", ann.dm.channel_id), Reply("Let Bob in?", buttons=buttons), key="q")
    return await ann.receives()


async def test_a_pressed_button_is_a_message_and_is_acknowledged_at_once(server, june, ann):
    post = await shown(june, ann)
    pressed = await ann.presses(post, "approve:1")
    message = await june.hears()
    assert (message.pressed, message.message_id) == ("approve:1", f"press-{pressed.interaction_id}")
    assert (message.reply_to_id, message.text, message.addressed) == (post.message_id, "", True)
    await server.until(lambda: pressed.callback == {"type": 6})


async def test_who_pressed_a_button_is_told_and_nobody_else(server, june, ann, general):
    buttons = (Button("Yes", "approve:1"),)
    await june.channel.send(Address("discord", general.channel_id), Reply("Let Bob in?", buttons=buttons), key="q")
    await ann.presses(await ann.receives(general), "approve:1")
    message = await june.hears()
    await june.channel.acknowledge(message, "Bob is in")
    whispered = await ann.receives(general)
    assert (whispered.text, whispered.json["flags"] & 64) == ("Bob is in", 64)
    assert [post.text for post in general.posts()] == ["Let Bob in?"]
    assert whispered.json["interaction_metadata"]["user"]["id"] == ann.user_id


@pytest.mark.parametrize("is_late", [False, True], ids=["in time", "late"])
async def test_a_command_that_gets_no_answer_ends_for_its_person_alone(server, ann, general, monkeypatch, is_late):
    monkeypatch.setattr(interactions, "KEEP_S", 0.05 if is_late else 60.0)
    june, may = June(server), asyncio.Event()

    async def refuse(message):
        await may.wait()
        await june.channel.acknowledge(message, "Not for you")

    june.receive = refuse
    async with listening(june):
        await server.until(lambda: bool(server.commands.offered(None)))
        await ann.uses("stop", where=general)
        if is_late:
            assert "use the command again" in (await ann.receives(general)).text
        may.set()
        await server.until(lambda: [post["content"] for post in server.world.ephemeral.values()] == ["Not for you"])
        assert general.posts() == []
    assert june.troubles == {}


async def test_what_was_typed_is_not_acknowledged(server, june, ann):
    await ann.says("/stop")
    await june.channel.acknowledge(await june.hears(), "Not for you")
    assert [post.text for post in ann.dm.posts()] == ["/stop"]
    assert june.troubles == {}


async def test_a_button_that_an_edit_took_away_cannot_be_pressed(server, june, ann):
    post = await shown(june, ann)
    await june.channel.edit(Address("discord", post.channel_id), post.message_id, Reply("Bob is in"))
    with pytest.raises(Refused):
        await ann.presses(post, "approve:1")


async def test_an_acknowledgement_that_comes_too_late_is_counted(server, june, ann):
    post = await shown(june, ann)
    await ann.presses(post, "approve:1")
    message = await june.hears()
    june.channel._parts.interactions.forget(message.message_id)
    await june.channel.acknowledge(message, "Bob is in")
    assert june.troubles["button answered too late"] == 1


async def test_an_answer_to_a_pressed_button_is_an_ordinary_message(server, june, ann):
    await ann.presses(await shown(june, ann), "approve:1")
    message = await june.hears()
    await june.channel.send(message.address, Reply("Bob is in", reply_to_id=message.message_id), key="a")
    assert (await ann.receives()).text == "Bob is in"


def test_what_can_be_answered_is_forgotten_in_time_and_bounded(monkeypatch):
    now = [0.0]
    kept = interactions.Interactions(None, (), Counter(), lambda: now[0])  # type: ignore[arg-type]
    for number in range(interactions._MOST_OPEN + 5):
        assert kept.began({"id": number, "type": 2, "token": "t", "application_id": "1"})
    assert kept.find("slash-4") is None
    assert kept.find("slash-5") is not None
    assert "'t'" not in repr(kept.find("slash-5"))
    now[0] = 15 * 60
    assert kept.find("slash-5") is None

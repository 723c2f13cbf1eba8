"""The contract of conversations, over memory, a file and a server."""

import asyncio
import json
import threading
from dataclasses import replace

import pytest

from essence.dialogue import Address, Person, Preferences, Reply, ToolCall, Turn
from essence.errors import Conflict
from essence.store import conversations, open_store
from essence.store.conversations import DurableConversations
from essence.work import Reminder
from tests.store_cases import ANNA, HERE, SETTINGS, START, THERE, note

BEN = Person("2", "Ben")
ALL = {"turns": 100, "chars": 10_000}


async def say(store, *texts: str, address: Address = HERE, person_id: str = "1") -> None:
    for text in texts:
        assert await store.conversations.append(
            address, [Turn("user", text)], key=f"{address}:{text}", person_id=person_id
        )


async def texts(store, address: Address = HERE, **limits: int) -> list[str]:
    return [turn.text for turn in await store.conversations.read(address, **(ALL | limits))]


async def test_turns_are_read_oldest_first_as_they_were(store):
    spoken = [
        Turn("user", "What's the time? 🎈"),
        Turn("assistant", "", (ToolCall("c1", "clock", "{}"), ToolCall("c2", "zone", '{"a": 1}'))),
        Turn("tool", "noon", tool_call_id="c1"),
        Turn("assistant", "It's noon."),
    ]
    assert await store.conversations.append(HERE, spoken, key="k", person_id="1")
    assert await store.conversations.read(HERE, **ALL) == tuple(spoken)


async def test_an_addition_is_made_once(store):
    turn = Turn("user", "hello")
    assert await store.conversations.append(HERE, [turn, turn], key="k", person_id="1")
    assert not await store.conversations.append(HERE, [turn, turn], key="k", person_id="1")
    assert await texts(store) == ["hello", "hello"]


async def test_the_last_turns_are_read_as_far_as_they_fit(store):
    await say(store, "aaaa", "bbb", "cc", "d")
    assert await texts(store, turns=2) == ["cc", "d"]
    assert await texts(store, chars=6) == ["bbb", "cc", "d"]
    assert await texts(store, chars=5) == ["cc", "d"]
    assert await texts(store, chars=0) == []


async def test_an_addition_is_found_again_by_its_key(store):
    asked, answered = Turn("user", "hello"), Turn("assistant", "Hi.")
    await store.conversations.append(HERE, [asked, answered], key="k", person_id="1")
    assert await store.conversations.said("k") == (asked, answered)
    assert await store.conversations.said("other") == ()


async def test_conversations_and_threads_do_not_mix(store):
    topic = Address("telegram", "7", "topic")
    await say(store, "here")
    await say(store, "topic", address=topic)
    await say(store, "there", address=THERE)
    assert [await texts(store, address) for address in (HERE, topic, THERE)] == [["here"], ["topic"], ["there"]]


async def test_a_conversation_keeps_no_more_turns_than_the_settings_allow(store):
    await say(store, *(f"t{number}" for number in range(9)))
    assert await texts(store) == [f"t{number}" for number in range(3, 9)]


async def test_a_history_over_its_limit_loses_its_oldest_tenth_and_no_more(store_url):
    limits = SETTINGS.model_copy(update={"history_max_turns": 20})
    async with open_store(store_url, limits) as store:
        kept = []
        for number in range(45):
            await say(store, f"t{number}")
            kept.append(len(await texts(store)))
        assert kept[:22] == [*range(1, 21), 18, 19]
        assert set(kept[18:]) == {18, 19, 20}
        assert (await texts(store))[-1] == "t44"


async def test_a_conversation_keeps_no_more_text_than_the_settings_allow(store):
    await say(store, "a" * 400, "b" * 400, "c" * 400)
    assert await texts(store) == ["b" * 400, "c" * 400]
    await say(store, "d" * 2000)
    assert await texts(store) == ["d" * 2000]


async def test_a_reset_forgets_the_history_and_leaves_what_is_being_answered(store):
    await say(store, "a", "b")
    await say(store, "there", address=THERE)
    await store.inbox.receive(note(1))
    in_work = await store.inbox.claim("w", lease_s=30)
    assert await store.conversations.reset(HERE) == 2
    assert (await texts(store), await texts(store, THERE)) == ([], ["there"])
    await store.inbox.finish(in_work, "answered")


async def test_what_came_before_a_reset_is_not_remembered_after_it(store):
    asked, answered = Turn("user", "my PIN is 1234"), Turn("assistant", "I keep it.")
    await store.inbox.receive(note(1))
    await store.inbox.receive(note(1, THERE))
    await store.conversations.append(HERE, [asked], key=f"{note(1).key}:asked", person_id="1")
    assert await store.conversations.reset(HERE) == 1
    for turn, name in ((asked, "asked"), (answered, "answered")):
        assert not await store.conversations.append(HERE, [turn], key=f"{note(1).key}:{name}", person_id="1")
    assert await store.conversations.append(THERE, [asked], key=f"{note(1, THERE).key}:asked", person_id="1")
    assert (await texts(store), await texts(store, THERE)) == ([], ["my PIN is 1234"])


async def test_what_comes_after_a_reset_is_remembered_whatever_the_clock_says(store, clock):
    await store.inbox.receive(note(1))
    clock.pass_s(3600)
    await store.conversations.reset(HERE)
    clock.pass_s(-7200)
    await store.inbox.receive(note(2))
    for number in (1, 2):
        await store.conversations.append(HERE, [Turn("user", "hi")], key=f"{note(number).key}:asked", person_id="1")
    assert await store.conversations.said(f"{note(1).key}:asked") == ()
    assert await texts(store) == ["hi"]


async def test_a_reset_outlives_the_process_and_counts_anew_each_time(durable_url):
    for number in (1, 2):
        async with open_store(durable_url, SETTINGS) as store:
            await store.inbox.receive(note(number))
            await store.inbox.finish(await store.inbox.claim("w", lease_s=30), "delegated")
            await store.conversations.reset(HERE)
        async with open_store(durable_url, SETTINGS) as store:
            key = f"{note(number).key}:answered"
            assert not await store.conversations.append(HERE, [Turn("assistant", "late")], key=key, person_id="1")


async def test_what_was_set_aside_before_a_reset_and_is_wanted_after_it_is_remembered(store):
    await store.inbox.park(note(1))
    await store.conversations.reset(HERE)
    await store.inbox.unpark(HERE)
    assert await store.conversations.append(HERE, [Turn("user", "hi")], key=f"{note(1).key}:asked", person_id="1")


async def test_who_is_forgotten_after_a_reset_leaves_nothing_that_keeps_new_words_out(store):
    """Databases may give a number again that belonged to a deleted row."""
    ben = Person("2", "Ben")
    for number in range(1, 9):
        await store.inbox.receive(note(number, sender=ben))
    await store.conversations.reset(HERE)
    await store.conversations.forget("telegram", "2")
    for number in range(11, 15):
        await store.inbox.receive(note(number))
        key = f"{note(number).key}:asked"
        assert await store.conversations.append(HERE, [Turn("user", "hi")], key=key, person_id="1")


async def test_a_reset_holds_against_what_another_process_is_adding(postgresql, monkeypatch):
    adding, shorten = threading.Event(), DurableConversations._shorten

    def slowly(self, connection, chat):
        adding.set()
        connection.exec_driver_sql("SELECT pg_sleep(0.5)")
        shorten(self, connection, chat)

    monkeypatch.setattr(DurableConversations, "_shorten", slowly)
    url = str(postgresql.new_database())
    async with open_store(url, SETTINGS) as one, open_store(url, SETTINGS) as other:
        await one.inbox.receive(note(1))
        turn, key = Turn("assistant", "secret"), f"{note(1).key}:answered"
        appending = asyncio.create_task(one.conversations.append(HERE, [turn], key=key, person_id="1"))
        await asyncio.to_thread(adding.wait, 10)
        await other.conversations.reset(HERE)
        await appending
        assert await texts(one) == []


async def test_what_waits_for_a_reset_is_not_added_after_it(postgresql, monkeypatch):
    resetting, lock = threading.Event(), conversations.lock

    def slowly(connection, address, at):
        lock(connection, address, at)
        resetting.set()
        connection.exec_driver_sql("SELECT pg_sleep(0.5)")

    monkeypatch.setattr(conversations, "lock", slowly)
    url = str(postgresql.new_database())
    async with open_store(url, SETTINGS) as one, open_store(url, SETTINGS) as other:
        await one.inbox.receive(note(1))
        reset = asyncio.create_task(other.conversations.reset(HERE))
        await asyncio.to_thread(resetting.wait, 10)
        turn, key = Turn("assistant", "secret"), f"{note(1).key}:answered"
        assert not await one.conversations.append(HERE, [turn], key=key, person_id="1")
        await reset


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
async def test_what_was_ended_over_its_worker_is_not_remembered_after_a_reset(store, outcome):
    await store.inbox.receive(note(1))
    await store.inbox.claim("w", lease_s=30)
    await store.inbox.settle(note(1).key, outcome, "overdue")
    await store.conversations.reset(HERE)
    late = Turn("assistant", "secret")
    assert not await store.conversations.append(HERE, [late], key=f"{note(1).key}:answered", person_id="1")


async def test_a_task_that_is_tried_again_is_not_remembered_after_a_reset(store):
    key = note(1).key
    await store.inbox.receive(note(1))
    await store.inbox.finish(await store.inbox.claim("w", lease_s=30), "delegated")
    for step in ("claimed", "answer", "delivered", "failed"):
        await store.journal.record(key, step, "", person="telegram/1")
    await store.conversations.reset(HERE)
    late = Turn("assistant", "secret")
    assert not await store.conversations.append(HERE, [late], key=f"{key}~1:answered", person_id="1")


async def test_of_a_group_that_never_spoke_to_june_nothing_moves(store):
    await store.conversations.move(HERE, THERE)
    await say(store, "there", address=THERE)
    await store.conversations.move(Address("telegram", "78"), Address("telegram", "79"))
    assert await texts(store, THERE) == ["there"]
    await store.conversations.move(THERE, HERE)
    assert await texts(store) == ["there"]


async def test_a_history_is_exported_as_json_lines(store, monkeypatch):
    monkeypatch.setattr("essence.store.conversations._PAGE", 2)
    await say(store, "a", "b\n🎈", "c")
    lines = [line async for line in store.conversations.export(HERE)]
    assert all("\n" not in line for line in lines)
    assert [json.loads(line) for line in lines] == [
        {"at": START.isoformat(), "role": "user", "text": text, "person_id": "1"} for text in ("a", "b\n🎈", "c")
    ]


async def test_a_conversation_that_moves_takes_along_what_was_said_and_begun(store):
    await say(store, "here")
    await store.inbox.receive(note(1))
    await store.inbox.finish(await store.inbox.claim("w", lease_s=30), "delegated", record="spoke German")
    tea = await store.reminders.add(Reminder("", HERE, "1", "Tea", START, "UTC"), key="tea")
    await say(store, "other", address=Address("telegram", "77"))
    for _ in range(2):
        await store.conversations.move(HERE, THERE)
    await say(store, "there", address=THERE)
    assert (await texts(store), await texts(store, THERE)) == ([], ["here", "there"])
    assert (await store.inbox.record(HERE), await store.inbox.record(THERE)) == ("", "spoke German")
    assert await store.inbox.delegated(THERE) == (note(1),)
    assert await store.reminders.of("telegram", "1") == (replace(tea, address=THERE),)
    assert await texts(store, Address("telegram", "77")) == ["other"]


async def test_what_was_forgotten_before_a_move_stays_forgotten(store):
    await store.inbox.receive(note(1))
    await store.inbox.finish(await store.inbox.claim("w", lease_s=30), "delegated")
    await store.conversations.reset(HERE)
    await store.conversations.move(HERE, THERE)
    late = Turn("assistant", "done")
    assert not await store.conversations.append(THERE, [late], key=f"{note(1).key}:answered", person_id="1")


async def test_a_move_leaves_in_its_place_what_is_being_answered(store):
    await store.inbox.receive(note(1))
    held = await store.inbox.claim("w", lease_s=30)
    await store.conversations.move(HERE, THERE)
    await store.outbox.intend(f"{note(1).key}:0", HERE, Reply("x"), under=held)
    await store.inbox.finish(held, "answered", record="spoke French")
    assert (await store.inbox.record(HERE), await store.inbox.record(THERE)) == ("spoke French", "")


async def test_preferences_are_kept_for_each_person(store):
    assert await store.conversations.preferences("telegram", "1") == Preferences()
    chosen = Preferences("de", "de_DE-thorsten", "both")
    await store.conversations.prefer("telegram", "1", Preferences("fr"))
    await store.conversations.prefer("telegram", "1", chosen)
    assert await store.conversations.preferences("telegram", "1") == chosen
    assert await store.conversations.preferences("discord", "1") == Preferences()


async def test_a_voice_is_kept_without_what_no_database_takes(store):
    await store.conversations.prefer("telegram", "1", Preferences(voice="Jo\0e\ud83d"))
    assert await store.conversations.preferences("telegram", "1") == Preferences(voice="Joe\ufffd")


async def test_nothing_of_a_forgotten_person_remains_and_others_keep_theirs(store):
    await say(store, "Anna's")
    await say(store, "Ben's", person_id="2")
    await store.conversations.prefer("telegram", "1", Preferences("de"))
    for number, sender in ((1, ANNA), (2, BEN), (3, ANNA)):
        await store.inbox.receive(note(number, sender=sender))
        await store.outbox.intend(f"{note(number).key}:0", HERE, Reply("x"))
    held = await store.inbox.claim("w", lease_s=30)
    assert await store.conversations.forget("telegram", "1") == 6
    with pytest.raises(Conflict):
        await store.inbox.finish(held, "answered")
    assert await texts(store) == ["Ben's"]
    assert await store.conversations.preferences("telegram", "1") == Preferences()
    assert [part.key for part in await store.outbox.pending("telegram")] == [f"{note(2).key}:0"]
    assert (await store.inbox.claim("w", lease_s=30)).message == note(2, sender=BEN)
    assert [entry.messages for entry in await store.inbox.backlog()] == [1]


async def test_parked_messages_and_the_pairing_of_a_forgotten_person_are_gone(store):
    await store.people.ask("telegram", ANNA, "K7QF")
    await store.people.approve("K7QF")
    await store.people.ask("telegram", BEN, "M2XD")
    await store.inbox.receive(note(1))
    await store.inbox.finish(await store.inbox.claim("w", lease_s=30), "answered", record="of Anna")
    await store.inbox.park(note(2))
    await store.inbox.park(note(3, sender=BEN))
    assert await store.conversations.forget("telegram", "1") == 3
    assert not await store.people.is_paired("telegram", "1")
    assert [pairing.person for pairing in await store.people.pairings()] == [BEN]
    assert await store.inbox.record(HERE) == ""
    assert [entry.messages for entry in await store.inbox.parked("telegram")] == [1]
    assert await store.inbox.unpark(HERE) == 1
    assert (await store.inbox.claim("w", lease_s=30)).message == note(3, sender=BEN)
    assert not await store.inbox.knows(note(2).key)

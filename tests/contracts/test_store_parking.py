"""Messages that came while June was away, over memory, a file and a server: set aside, told of, answered or dropped."""

import asyncio
from datetime import timedelta

from essence.dialogue import Address, Reply
from essence.store import open_store
from tests.store_cases import HERE, SETTINGS, START, THERE, note

LEASE_S = 30.0
TELL = Reply("3 messages came while I was away. Answer them?")


async def claim(store, worker="w"):
    return await store.inbox.claim(worker, lease_s=LEASE_S)


async def untold(store, platform="telegram"):
    return {entry.address: entry.messages for entry in await store.inbox.parked(platform)}


async def backlog(store):
    return {entry.address: entry.messages for entry in await store.inbox.backlog()}


async def test_a_parked_message_is_known_and_answered_by_nobody(store):
    assert await store.inbox.park(note(1))
    assert not await store.inbox.park(note(1))
    assert not await store.inbox.receive(note(1))
    assert await store.inbox.knows(note(1).key)
    assert await claim(store) is None
    assert await backlog(store) == {}
    assert await untold(store) == {HERE: 1}


async def test_an_edit_of_a_parked_message_counts(store):
    await store.inbox.park(note(1))
    assert await store.inbox.amend(note(1, text="edited"))
    await store.inbox.unpark(HERE)
    assert (await claim(store)).message.text == "edited"
    await store.inbox.park(note(2))
    await store.inbox.discard(HERE)
    assert not await store.inbox.amend(note(2, text="too late"))


async def test_conversations_with_parked_messages_are_told_of_once(store, clock):
    for number in (1, 2):
        await store.inbox.park(note(number))
    clock.pass_s(5)
    await store.inbox.park(note(1, THERE))
    here, there = await store.inbox.parked("telegram")
    assert (here.address, here.messages, here.oldest_at) == (HERE, 2, START)
    assert (there.address, there.messages, there.oldest_at) == (THERE, 1, START + timedelta(seconds=5))
    assert await store.inbox.announce(HERE, "telegram:7:parked:0", TELL)
    assert not await store.inbox.announce(HERE, "telegram:7:parked:0", Reply("again"))
    assert await untold(store) == {THERE: 1}
    assert [part.reply for part in await store.outbox.pending("telegram")] == [TELL]


async def test_nothing_is_announced_where_nothing_is_parked_that_is_unknown(store):
    assert not await store.inbox.announce(HERE, "a:0", TELL)
    await store.inbox.park(note(1))
    assert await store.inbox.announce(HERE, "b:0", TELL)
    assert not await store.inbox.announce(HERE, "c:0", TELL)
    assert [part.key for part in await store.outbox.pending("telegram")] == ["b:0"]


async def test_a_message_that_is_parked_later_is_told_of_too(store):
    await store.inbox.park(note(1))
    await store.inbox.announce(HERE, "a:0", TELL)
    await store.inbox.park(note(2))
    assert await untold(store) == {HERE: 1}
    assert await store.inbox.announce(HERE, "b:0", TELL)
    assert await untold(store) == {}


async def test_that_its_sender_was_told_outlives_the_process(durable_url):
    async with open_store(durable_url, SETTINGS) as store:
        await store.inbox.park(note(1))
        await store.inbox.park(note(1, THERE))
        await store.inbox.announce(HERE, "a:0", TELL)
    async with open_store(durable_url, SETTINGS) as store:
        assert await untold(store) == {THERE: 1}
        assert not await store.inbox.park(note(1))
        assert await store.inbox.unpark(HERE) == 1
        assert (await claim(store)).message == note(1)


async def test_platforms_are_told_apart(store):
    elsewhere = Address("discord", "7")
    await store.inbox.park(note(1))
    await store.inbox.park(note(1, elsewhere))
    assert (await untold(store), await untold(store, "discord")) == ({HERE: 1}, {elsewhere: 1})


async def test_unparked_messages_are_answered_in_their_order_with_new_deadlines(store, clock):
    for number in (3, 1, 2):
        await store.inbox.park(note(number))
    await store.inbox.park(note(1, THERE))
    clock.pass_s(1000)
    assert await store.inbox.unpark(HERE) == 3
    assert await store.inbox.unpark(HERE) == 0
    assert await backlog(store) == {HERE: 3}
    order = []
    while taken := await claim(store):
        order.append(taken.message.message_id)
        assert (taken.received_at, taken.deadline_at) == (START, clock.wall + timedelta(seconds=60))
        await store.inbox.finish(taken, "answered")
    assert order == ["1", "2", "3"]
    assert await untold(store) == {THERE: 1}


async def test_unparked_messages_stand_in_the_line_behind_those_who_waited(store):
    await store.inbox.park(note(1, HERE))
    await store.inbox.receive(note(2, THERE))
    await store.inbox.unpark(HERE)
    assert [(await claim(store)).message.address for _ in range(2)] == [THERE, HERE]


async def test_unparking_a_conversation_that_is_being_answered_delays_nothing_and_loses_nothing(store):
    await store.inbox.park(note(1))
    await store.inbox.receive(note(2))
    in_work = await claim(store)
    assert await store.inbox.unpark(HERE) == 1
    assert await claim(store, "other") is None
    await store.inbox.finish(in_work, "answered")
    assert (await claim(store)).message == note(1)
    assert await backlog(store) == {HERE: 1}


async def test_whoever_waits_is_woken_by_unparking(store):
    await store.inbox.park(note(1))
    waiting = asyncio.create_task(store.inbox.claim("w", lease_s=LEASE_S, wait_s=100, platform="telegram"))
    await asyncio.sleep(0.01)
    await store.inbox.unpark(HERE)
    assert (await waiting).message == note(1)


async def test_discarded_messages_are_cancelled_and_stay_known(store):
    for number in (1, 2):
        await store.inbox.park(note(number))
    await store.inbox.park(note(1, THERE))
    assert await store.inbox.discard(HERE) == 2
    assert await store.inbox.discard(HERE) == 0
    assert await store.inbox.unpark(HERE) == 0
    assert not await store.inbox.receive(note(1))
    assert await untold(store) == {THERE: 1}


async def test_what_nobody_has_begun_with_is_parked_by_the_time_it_was_sent(store):
    for number in (1, 2, 3):
        await store.inbox.receive(note(number))
    await store.inbox.receive(note(1, THERE))
    await store.inbox.receive(note(1, Address("discord", "7")))
    begun = await claim(store)
    assert begun.message == note(1)
    assert await store.inbox.park_unbegun("telegram", START + timedelta(seconds=3)) == 2
    assert await store.inbox.waiting(HERE) == (note(1), note(3))
    assert await store.inbox.waiting(THERE) == ()
    assert await untold(store) == {HERE: 1, THERE: 1}
    assert await backlog(store) == {HERE: 2, Address("discord", "7"): 1}
    await store.inbox.finish(begun, "answered")
    assert await store.inbox.park_unbegun("telegram", START + timedelta(seconds=3)) == 0


async def test_more_than_a_batch_is_parked(store):
    for number in range(600):
        await store.inbox.receive(note(number, Address("telegram", str(number % 7))))
    assert await store.inbox.park_unbegun("telegram", START + timedelta(days=1)) == 600
    assert sum((await untold(store)).values()) == 600
    assert await backlog(store) == {}
    assert await claim(store) is None


async def test_what_was_begun_and_given_back_is_not_parked(store):
    await store.inbox.receive(note(1))
    await store.inbox.release(await claim(store))
    assert await store.inbox.park_unbegun("telegram", START + timedelta(days=1)) == 0
    assert (await claim(store)).attempt == 2


async def test_what_was_wanted_is_not_parked_again(store, clock):
    await store.inbox.receive(note(1))
    assert await store.inbox.park_unbegun("telegram", START + timedelta(days=1)) == 1
    await store.inbox.announce(HERE, "a:0", TELL)
    await store.inbox.park(note(2))  # not told of, and wanted with the other
    assert await store.inbox.unpark(HERE) == 2
    await store.inbox.receive(note(3))
    clock.pass_s(1000)
    assert await store.inbox.park_unbegun("telegram", START + timedelta(days=1)) == 1
    assert await store.inbox.waiting(HERE) == (note(1), note(2))
    assert await untold(store) == {HERE: 1}


async def test_what_was_wanted_and_is_finished_as_parked_is_told_of_again(store):
    await store.inbox.park(note(1))
    await store.inbox.announce(HERE, "a:0", TELL)
    await store.inbox.unpark(HERE)
    await store.inbox.finish(await claim(store), "parked")
    assert await untold(store) == {HERE: 1}
    assert await store.inbox.announce(HERE, "b:0", TELL)


async def test_a_message_may_be_finished_as_parked(store):
    await store.inbox.receive(note(1))
    await store.inbox.finish(await claim(store), "parked")
    assert await untold(store) == {HERE: 1}
    assert await store.inbox.unpark(HERE) == 1
    again = await claim(store)
    assert (again.message, again.attempt) == (note(1), 2)
    assert await store.inbox.settle(note(1).key, "cancelled")
    assert await claim(store) is None


async def test_parked_messages_are_kept_until_they_are_old(store, clock):
    await store.inbox.park(note(1))
    clock.pass_s(29 * 86400)
    assert await store.prune() == 0
    assert await store.inbox.unpark(HERE) == 1
    await store.inbox.finish(await claim(store), "parked")
    clock.pass_s(31 * 86400)
    assert await store.prune() == 2  # the message and its conversation
    assert await untold(store) == {}

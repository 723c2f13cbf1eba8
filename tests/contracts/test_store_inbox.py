"""The inbox's contract, over memory, a file and a server."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.dialogue import Address, Message, Person, Reply, Sound
from essence.errors import Conflict
from essence.store import open_store
from essence.store.records import message_json, message_of
from tests.store_cases import HERE, SETTINGS, START, THERE, note

LEASE_S = 30.0
text = st.text(st.characters(), max_size=20)
optional = st.none() | text
messages = st.builds(
    Message,
    address=st.builds(Address, st.sampled_from(["telegram", "discord", "grpc"]), text, optional),
    message_id=text,
    sender=st.builds(Person, text, text, text),
    sent_at=st.datetimes(timezones=st.just(UTC)),
    text=text,
    sound=st.none() | st.builds(Sound, text, text, st.none() | st.floats(0, 1e6), st.none() | st.integers(0, 2**40)),
    reply_to_id=optional,
    forwarded=st.booleans(),
    quoted=text,
    private=st.booleans(),
    addressed=st.booleans(),
    unreadable=text,
    pressed=text,
    version=text,
)


async def claim(store, worker="w", lease_s=LEASE_S):
    return await store.inbox.claim(worker, lease_s=lease_s)


@given(messages)
def test_a_message_is_kept_as_it_was(message):
    assert message_of(message_json(message)) == message


def test_a_message_of_an_older_june_is_read():
    record = json.loads(message_json(note(1)))
    for new in ("quoted", "private", "addressed", "unreadable", "pressed", "version"):
        del record[new]
    assert message_of(json.dumps(record)) == note(1)


async def test_a_repeated_message_is_kept_once(store):
    assert await store.inbox.receive(note(1))
    assert not await store.inbox.receive(note(1))
    assert len(await store.inbox.waiting(HERE)) == 1


async def test_a_message_is_known_after_it_ended(store):
    await store.inbox.receive(note(1))
    await store.inbox.finish(await claim(store), "answered")
    assert not await store.inbox.receive(note(1))
    assert await claim(store) is None


async def test_messages_and_ends_outlive_the_process(durable_url, clock):
    async with open_store(durable_url, SETTINGS, clock.clock()) as store:
        await store.inbox.receive(note(1))
        await store.inbox.receive(note(2))
        await store.inbox.finish(await claim(store), "answered")
    async with open_store(durable_url, SETTINGS, clock.clock()) as store:
        assert not await store.inbox.receive(note(1))
        assert (await claim(store)).message == note(2)


async def test_what_is_claimed_is_what_was_received(store):
    strange = note(1, Address("discord", "a/b:c", "t%20"), text="naïve \0 \ud83d 🎈")
    await store.inbox.receive(strange)
    taken = await claim(store)
    assert taken.message == strange
    assert (taken.attempt, taken.worker_id, taken.deadline_at) == (1, "w", START + timedelta(seconds=60))
    assert (taken.received_at, taken.record) == (START, "")


async def test_a_conversation_is_answered_in_the_order_of_sending(store):
    for number in (3, 1, 2):
        await store.inbox.receive(note(number))
    order = []
    while taken := await claim(store):
        order.append(taken.message.message_id)
        await store.inbox.finish(taken, "answered")
    assert order == ["1", "2", "3"]


async def test_no_message_is_claimed_while_an_earlier_one_is_worked_on(store):
    await store.inbox.receive(note(1))
    await store.inbox.receive(note(2))
    first = await claim(store)
    assert await claim(store, "other") is None
    await store.inbox.finish(first, "silent")
    assert (await claim(store, "other")).message == note(2)


async def test_conversations_are_worked_on_side_by_side(store):
    await store.inbox.receive(note(1, HERE))
    await store.inbox.receive(note(1, THERE))
    assert {(await claim(store)).message.address, (await claim(store)).message.address} == {HERE, THERE}


async def test_threads_of_a_chat_are_conversations_of_their_own(store):
    await store.inbox.receive(note(1, Address("telegram", "7")))
    await store.inbox.receive(note(2, Address("telegram", "7", "topic")))
    assert await claim(store) is not None
    assert await claim(store) is not None


async def test_a_flood_in_one_conversation_delays_another_by_no_more_than_the_note_in_work(store):
    for number in range(20):
        await store.inbox.receive(note(number, HERE))
    in_work = await claim(store)
    await store.inbox.receive(note(99, THERE))
    await store.inbox.finish(in_work, "answered")
    assert (await claim(store)).message.address == THERE


async def test_a_lost_lease_is_claimed_again_and_its_old_holder_learns_it(store, clock):
    await store.inbox.receive(note(1))
    old = await claim(store, "old")
    clock.pass_s(LEASE_S)
    new = await claim(store, "new")
    assert (new.message, new.attempt) == (old.message, 2)
    assert new.fence > old.fence
    with pytest.raises(Conflict):
        await store.inbox.extend(old, lease_s=LEASE_S)
    with pytest.raises(Conflict):
        await store.inbox.release(old)
    with pytest.raises(Conflict):
        await store.inbox.finish(old, "answered")
    await store.inbox.finish(new, "answered")


async def test_an_extended_lease_holds(store, clock):
    await store.inbox.receive(note(1))
    mine = await claim(store)
    clock.pass_s(LEASE_S - 1)
    await store.inbox.extend(mine, lease_s=LEASE_S)
    clock.pass_s(LEASE_S - 1)
    assert await claim(store, "other") is None
    clock.pass_s(1)
    assert (await claim(store, "other")).attempt == 2


async def test_a_lease_that_nobody_took_over_can_still_be_finished(store, clock):
    await store.inbox.receive(note(1))
    mine = await claim(store)
    clock.pass_s(10 * LEASE_S)
    await store.inbox.finish(mine, "answered")
    assert await claim(store) is None


async def test_a_message_ends_once(store):
    await store.inbox.receive(note(1))
    mine = await claim(store)
    await store.inbox.finish(mine, "answered")
    with pytest.raises(Conflict):
        await store.inbox.finish(mine, "answered")


async def test_a_released_message_stays_the_first_of_its_conversation(store):
    await store.inbox.receive(note(1))
    await store.inbox.receive(note(2))
    await store.inbox.release(await claim(store))
    again = await claim(store)
    assert (again.message, again.attempt) == (note(1), 2)


async def test_a_restarted_worker_gives_back_what_its_dead_self_held(store):
    await store.inbox.receive(note(1, HERE))
    await store.inbox.receive(note(1, THERE))
    lost, kept = await claim(store, "restarted"), await claim(store, "other")
    assert await store.inbox.release_all("restarted") == 1
    assert (await claim(store, "restarted")).message == lost.message
    await store.inbox.finish(kept, "answered")


async def test_a_message_is_settled_whoever_holds_it(store):
    await store.inbox.receive(note(1))
    await store.inbox.receive(note(2))
    await store.inbox.receive(note(3))
    held = await claim(store)
    assert await store.inbox.settle(note(2).key, "cancelled", "/stop")
    assert await store.inbox.settle(held.message.key, "failed", "too slow")
    assert not await store.inbox.settle(held.message.key, "failed")
    assert not await store.inbox.settle("telegram:7:none", "failed")
    with pytest.raises(Conflict):
        await store.inbox.finish(held, "answered")
    last = await claim(store)
    assert last.message == note(3)
    await store.inbox.finish(last, "answered")
    assert await store.inbox.backlog() == ()


async def test_the_watchdog_sees_what_has_no_end_by_its_deadline(store, clock):
    await store.inbox.receive(note(1))
    clock.pass_s(30)
    await store.inbox.receive(note(2))
    assert await store.inbox.overdue() == ()
    clock.pass_s(30)
    await claim(store)
    assert await store.inbox.overdue() == (note(1),)
    await store.inbox.settle(note(1).key, "failed")
    assert await store.inbox.overdue() == ()


async def test_what_is_settled_may_be_told_with_it_and_only_if_it_had_no_end(store):
    await store.inbox.receive(note(1))
    assert await store.inbox.settle(note(1).key, "failed", "overdue", reply=Reply("Too late."))
    assert not await store.inbox.settle(note(1).key, "failed", "overdue", reply=Reply("Too late again."))
    (part,) = await store.outbox.parts(note(1).key)
    assert (part.key, part.to, part.reply.text, part.state) == (f"{note(1).key}:w0", HERE, "Too late.", "intended")


async def test_deadlines_of_open_messages_are_put_off_platform_by_platform(store, clock):
    for message in (note(1), note(2, THERE), note(3, Address("discord", "7"))):
        await store.inbox.receive(message)
    await store.inbox.settle(note(2, THERE).key, "answered")
    await store.inbox.put_off("telegram", timedelta(seconds=10))
    clock.pass_s(60)
    assert await store.inbox.overdue() == (note(3, Address("discord", "7")),)
    assert (await store.inbox.claim("w", lease_s=5, platform="telegram")).deadline_at == clock.wall + timedelta(
        seconds=10
    )
    clock.pass_s(10)
    assert note(1) in await store.inbox.overdue()


async def test_the_backlog_counts_each_conversation_and_its_age(store, clock):
    await store.inbox.receive(note(1, THERE))
    clock.pass_s(5)
    for number in (1, 2, 3):
        await store.inbox.receive(note(number, HERE))
    await claim(store)
    there, here = await store.inbox.backlog()
    assert (there.address, there.messages, there.oldest_at) == (THERE, 1, START)
    assert (here.address, here.messages, here.oldest_at) == (HERE, 3, START + timedelta(seconds=5))
    assert await store.inbox.waiting(HERE) == (note(1), note(2), note(3))
    assert await store.inbox.waiting(HERE, limit=1) == (note(1),)


async def test_an_edit_counts_until_the_message_is_claimed(store):
    await store.inbox.receive(note(1))
    assert await store.inbox.amend(note(1, text="edited"))
    assert not await store.inbox.amend(note(2))
    taken = await claim(store)
    assert taken.message.text == "edited"
    assert not await store.inbox.amend(note(1, text="too late"))


async def test_setting_the_clock_ends_no_lease(store, clock):
    await store.inbox.receive(note(1))
    await claim(store)
    for jump in (timedelta(days=400), timedelta(days=-800)):
        clock.wall += jump
        assert await claim(store, "other") is None


async def test_leases_from_before_a_restart_of_the_machine_count_for_nothing(store, clock):
    await store.inbox.receive(note(1))
    await claim(store)
    clock.lease_s = 1.0
    assert (await claim(store, "other")).attempt == 2


async def test_whoever_waits_is_woken_by_a_message(store):
    waiting = asyncio.create_task(store.inbox.claim("w", lease_s=LEASE_S, wait_s=100))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await store.inbox.receive(note(1))
    assert (await waiting).message == note(1)


async def test_whoever_waits_is_woken_by_the_end_of_the_message_before(store):
    await store.inbox.receive(note(1))
    await store.inbox.receive(note(2))
    first = await claim(store)
    waiting = asyncio.create_task(store.inbox.claim("w", lease_s=LEASE_S, wait_s=100))
    await asyncio.sleep(0.01)
    await store.inbox.finish(first, "answered")
    assert (await waiting).message == note(2)


async def test_waiting_ends_when_nothing_comes(store):
    assert await store.inbox.claim("w", lease_s=LEASE_S, wait_s=0.01) is None


async def test_messages_of_another_process_are_found_by_looking(durable_url):
    looking = SETTINGS.model_copy(update={"store_poll_s": 0.05})
    async with open_store(durable_url, looking) as mine, open_store(durable_url, looking) as other:
        waiting = asyncio.create_task(mine.inbox.claim("w", lease_s=LEASE_S, wait_s=100))
        await asyncio.sleep(0.01)
        await other.inbox.receive(note(1))
        assert (await waiting).message == note(1)


async def test_whoever_is_cancelled_while_claiming_holds_nothing(store):
    for number in range(20):
        await store.inbox.receive(note(number, Address("telegram", str(number))))
    for steps in range(20):
        claiming = asyncio.create_task(claim(store, "leaving"))
        for _ in range(steps):
            await asyncio.sleep(0)
        if not claiming.done():
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
        else:
            await store.inbox.release(claiming.result())
    assert await store.inbox.release_all("leaving") == 0


async def test_many_workers_of_one_process_claim_each_message_once(store):
    chats = [Address("telegram", str(number)) for number in range(20)]
    await asyncio.gather(*(store.inbox.receive(note(n, chats[n % 20])) for n in range(100)))
    seen = []

    async def work(worker):
        while taken := await store.inbox.claim(worker, lease_s=LEASE_S, wait_s=0.2):
            seen.append(taken.message.key)
            await store.inbox.finish(taken, "answered")

    await asyncio.gather(*(work(f"w{number}") for number in range(8)))
    assert len(seen) == len(set(seen)) == 100


async def test_ended_messages_are_pruned_when_they_are_old(store, clock):
    await store.inbox.receive(note(1))
    await store.inbox.finish(await claim(store), "answered")
    await store.inbox.receive(note(2))
    assert await store.prune() == 0
    clock.pass_s(31 * 86400)
    assert await store.prune() == 1
    assert await store.inbox.waiting(HERE) == (note(2),)
    assert await store.inbox.receive(note(1, THERE))
    taken = await claim(store)
    await store.inbox.finish(taken, "answered")


async def test_a_key_is_known_from_receipt_on(store):
    assert not await store.inbox.knows(note(1).key)
    await store.inbox.receive(note(1))
    assert await store.inbox.knows(note(1).key)
    await store.inbox.finish(await claim(store), "answered")
    assert await store.inbox.knows(note(1).key)
    assert not await store.inbox.knows(replace(note(1), version="2").key)


@pytest.mark.parametrize(
    ("sound", "allowed_s"),
    [
        (Sound("r", "audio/ogg", 90.0, 1), 90),
        (Sound("r", "audio/ogg", None, 400_000), 100),
        (Sound("r", "audio/ogg"), 0),
        (Sound("r", "audio/ogg", 1e9), 4 * 3600),
        (Sound("r", "audio/ogg", -5.0), 0),
        (Sound("r", "audio/ogg", float("nan")), 0),
    ],
)
async def test_a_long_sound_has_a_later_deadline(store, sound, allowed_s):
    await store.inbox.receive(replace(note(1), sound=sound))
    assert (await claim(store)).deadline_at == START + timedelta(seconds=60 + allowed_s)


async def test_a_worker_of_one_platform_is_given_no_other_s_messages(store, clock):
    elsewhere = note(1, Address("discord", "7"))
    await store.inbox.receive(note(1))
    clock.pass_s(1)
    await store.inbox.receive(elsewhere)
    taken = await store.inbox.claim("w", lease_s=LEASE_S, platform="discord")
    assert taken.message == elsewhere
    assert await store.inbox.claim("w", lease_s=LEASE_S, platform="discord") is None
    clock.pass_s(60)
    assert await store.inbox.overdue(platform="discord") == (elsewhere,)
    assert await store.inbox.overdue(platform="telegram") == (note(1),)
    assert await store.inbox.overdue() == (note(1), elsewhere)
    assert (await store.inbox.claim("w", lease_s=LEASE_S, platform="telegram")).message == note(1)


async def test_workers_of_two_platforms_are_not_woken_in_place_of_one_another(store):
    def waiting(platform):
        return asyncio.create_task(store.inbox.claim("w", lease_s=LEASE_S, wait_s=100, platform=platform))

    discord = waiting("discord")
    await asyncio.sleep(0.01)
    telegram = waiting("telegram")
    await asyncio.sleep(0.01)
    await store.inbox.receive(note(1))
    assert (await telegram).message == note(1)
    await store.inbox.receive(note(1, Address("discord", "7")))
    assert (await discord).message.address.platform == "discord"


async def test_the_record_of_the_last_answer_comes_with_the_next_claim(store):
    for number in range(1, 5):
        await store.inbox.receive(note(number))
    assert await store.inbox.record(HERE) == ""
    await store.inbox.finish(await claim(store), "answered", record="first\0")
    assert (await store.inbox.record(HERE), await store.inbox.record(THERE)) == ("first", "")
    second = await claim(store)
    assert second.record == "first"
    await store.inbox.finish(second, "silent")
    await store.inbox.finish(await claim(store), "answered", record="third")
    assert (await claim(store)).record == "third"


async def test_a_message_is_concluded_together_with_its_answer(store):
    assert await store.inbox.conclude(note(1), "refused", Reply("You may not."), "no pairing")
    assert not await store.inbox.conclude(note(1), "refused", Reply("again"))
    assert not await store.inbox.receive(note(1))
    assert await store.inbox.knows(note(1).key)
    assert await claim(store) is None
    assert await store.inbox.backlog() == ()
    (part,) = await store.outbox.pending("telegram")
    assert (part.key, part.to, part.reply) == (f"{note(1).key}:0", HERE, Reply("You may not."))


async def test_a_message_may_be_concluded_without_an_answer(store):
    assert await store.inbox.conclude(note(1), "silent")
    assert await store.outbox.pending("telegram") == ()


async def test_a_message_that_is_being_answered_can_t_be_concluded(store):
    await store.inbox.receive(note(1))
    held = await claim(store)
    assert not await store.inbox.conclude(note(1), "cancelled", Reply("x"))
    assert await store.outbox.pending("telegram") == ()
    await store.inbox.finish(held, "answered")


async def test_concluding_another_message_leaves_the_claim_and_the_line(store):
    await store.inbox.receive(note(1))
    held = await claim(store)
    assert await store.inbox.conclude(note(2), "cancelled")
    await store.inbox.finish(held, "answered")
    assert await store.inbox.backlog() == ()


async def test_a_sender_that_waits_is_woken_by_a_concluded_message(store):
    waiting = asyncio.create_task(store.outbox.pending("telegram", wait_s=100))
    await asyncio.sleep(0.01)
    await store.inbox.conclude(note(1), "refused", Reply("No."))
    assert len(await waiting) == 1


async def test_a_channel_reads_on_after_the_message_that_was_sent_last(store):
    assert await store.inbox.newest("telegram") == ()
    topic = Address("telegram", "7", "topic")
    for number, address in ((3, HERE), (1, HERE), (2, THERE), (5, topic), (9, Address("discord", "7"))):
        await store.inbox.receive(note(number, address))
    await store.inbox.finish(await claim(store), "answered")
    await store.inbox.conclude(note(4, THERE), "silent")
    await store.inbox.park(note(8, Address("telegram", "9")))
    newest = await store.inbox.newest("telegram")
    assert {m.address: m.message_id for m in newest} == {
        HERE: "3",
        THERE: "4",
        topic: "5",
        Address("telegram", "9"): "8",
    }
    assert [m.message_id for m in await store.inbox.newest("discord")] == ["9"]

"""The outbox's contract, over memory, a file and a server."""

import asyncio
from datetime import timedelta

import pytest

from essence.audio import VoiceNote
from essence.dialogue import Button, Entity, Receipt, Reply, Unsent
from essence.errors import Conflict, NotFound
from essence.store import open_store
from tests.store_cases import HERE, SETTINGS, START, THERE, note

LEASE_S = 30.0
CAUSE = note(1).key
RECEIPT = Receipt("501", START)


def key(number: int) -> str:
    return f"{CAUSE}:{number}"


async def pending(store) -> list[str]:
    return [part.key for part in await store.outbox.pending("telegram")]


async def begin(store, part_key=f"{CAUSE}:0", sender="s"):
    return await store.outbox.sending(part_key, sender_id=sender, lease_s=LEASE_S)


async def test_a_part_is_intended_once_and_stays_as_it_was(store):
    assert await store.outbox.intend(key(0), HERE, Reply("first"))
    assert not await store.outbox.intend(key(0), HERE, Reply("second"))
    (part,) = await store.outbox.parts(CAUSE)
    assert (part.reply.text, part.state, part.tries) == ("first", "intended", 0)


async def test_what_is_sent_is_what_was_intended(store):
    reply = Reply("**naïve** 🎈", VoiceNote(bytes(range(256)) * 40, 1.25, b"\x00\xff" * 32), reply_to_id="9")
    await store.outbox.intend(key(0), HERE, reply)
    (part,) = await store.outbox.pending("telegram")
    assert (part.reply, part.to) == (reply, HERE)


async def test_every_field_of_a_reply_is_kept(store):
    reply = Reply(
        "**naïve** 🎈",
        VoiceNote(b"OggS", 0.5, b""),
        reply_to_id="9",
        entities=(Entity("pre", 0, 5, language="py"), Entity("text_link", 6, 2, "https://june.example/ü")),
        spoken="naïve [x](y) 🎈",
        buttons=(Button("Retry 🔁", "retry:7"), Button("", "")),
    )
    await store.outbox.intend(key(0), HERE, reply)
    (part,) = await store.outbox.parts(CAUSE)
    assert part.reply == reply


async def test_text_that_a_database_refuses_is_kept_without_what_it_refuses(store):
    await store.outbox.intend(key(0), HERE, Reply("a\0b\ud83dc"))
    (part,) = await store.outbox.parts(CAUSE)
    assert part.reply.text == "ab\ufffdc"


async def test_a_conversation_s_parts_leave_in_order(store):
    for number in range(3):
        await store.outbox.intend(key(number), HERE, Reply(str(number)))
    await store.outbox.intend("telegram:8:1:0", THERE, Reply("there"))
    assert await pending(store) == [key(0), "telegram:8:1:0"]
    assert await store.outbox.pending("discord") == ()
    await begin(store)
    assert await pending(store) == ["telegram:8:1:0"]
    await store.outbox.sent(key(0), RECEIPT)
    assert await pending(store) == [key(1), "telegram:8:1:0"]


async def test_a_part_is_sent_by_one_sender(store):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await begin(store)
    with pytest.raises(Conflict):
        await begin(store, sender="other")
    await store.outbox.sent(key(0), RECEIPT)
    with pytest.raises(Conflict):
        await begin(store)


async def test_a_receipt_is_kept_and_the_first_one_stands(store):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await begin(store)
    await store.outbox.sent(key(0), RECEIPT)
    await store.outbox.sent(key(0), Receipt("502", START))
    await store.outbox.failed(key(0), "too late", retry_at=None)
    (part,) = await store.outbox.parts(CAUSE)
    assert (part.state, part.receipt, part.uncertain, part.doubtful) == ("sent", RECEIPT, False, False)


async def test_a_request_without_receipt_is_uncertain_once_its_time_has_passed(store, clock):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await begin(store)
    assert await pending(store) == []
    clock.pass_s(LEASE_S)
    (part,) = await store.outbox.pending("telegram")
    assert part.uncertain
    assert part.tries == 1
    assert not part.doubtful


async def test_an_uncertain_part_that_is_sent_again_is_marked(store, clock):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await begin(store)
    clock.pass_s(LEASE_S)
    again = await begin(store)
    assert (again.doubtful, again.uncertain, again.tries) == (True, False, 2)
    await store.outbox.sent(key(0), RECEIPT)
    (part,) = await store.outbox.parts(CAUSE)
    assert part.doubtful


async def test_an_uncertain_part_may_be_taken_as_sent_and_is_marked(store, clock):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await begin(store)
    clock.pass_s(LEASE_S)
    assumed = Receipt("", START, assumed=True)
    await store.outbox.sent(key(0), assumed)
    (part,) = await store.outbox.parts(CAUSE)
    assert (part.receipt, part.state) == (assumed, "sent")
    assert await pending(store) == []


async def test_a_restarted_sender_learns_at_once_what_its_dead_self_was_sending(store):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await store.outbox.intend("telegram:8:1:0", THERE, Reply("y"))
    await begin(store, sender="restarted")
    await begin(store, "telegram:8:1:0", sender="other")
    assert await store.outbox.release_all("restarted") == 1
    (part,) = await store.outbox.pending("telegram")
    assert (part.key, part.uncertain) == (key(0), True)


async def test_a_failed_part_is_due_again_at_its_time_and_holds_back_what_follows(store, clock):
    for number in range(2):
        await store.outbox.intend(key(number), HERE, Reply(str(number)))
    await begin(store)
    await store.outbox.failed(key(0), "429", retry_at=clock.wall + timedelta(seconds=7))
    assert await pending(store) == []
    clock.pass_s(7)
    (part,) = await store.outbox.pending("telegram")
    assert (part.key, part.state, part.why, part.uncertain) == (key(0), "failed", "429", False)
    assert not (await begin(store)).doubtful


@pytest.mark.parametrize("jump_s", [-3600, 3600])
async def test_a_wall_clock_that_is_set_moves_no_retry(store, clock, jump_s):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await begin(store)
    await store.outbox.failed(key(0), "502", retry_at=clock.wall + timedelta(seconds=7))
    clock.wall += timedelta(seconds=jump_s)
    assert await pending(store) == []
    clock.pass_s(7)
    assert await pending(store) == [key(0)]


async def test_a_part_that_is_given_up_lets_the_next_one_go(store):
    for number in range(2):
        await store.outbox.intend(key(number), HERE, Reply(str(number)))
    await begin(store)
    await store.outbox.failed(key(0), "blocked by the user", retry_at=None)
    assert await pending(store) == [key(1)]
    with pytest.raises(Conflict):
        await begin(store)


async def test_what_has_not_left_can_be_cancelled(store):
    for number in range(3):
        await store.outbox.intend(key(number), HERE, Reply(str(number)))
    await begin(store)
    assert await store.outbox.cancel(CAUSE) == 2
    assert [part.state for part in await store.outbox.parts(CAUSE)] == ["sending", "cancelled", "cancelled"]
    with pytest.raises(Conflict):
        await begin(store, key(1))


async def test_a_receipt_counts_even_for_a_part_that_was_given_up(store):
    await store.outbox.intend(key(0), HERE, Reply("x"))
    await begin(store)
    await store.outbox.failed(key(0), "timeout", retry_at=None)
    await store.outbox.sent(key(0), RECEIPT)
    (part,) = await store.outbox.parts(CAUSE)
    assert (part.state, part.receipt) == ("sent", RECEIPT)


async def test_whoever_lost_the_claim_adds_no_part(store, clock):
    await store.inbox.receive(note(1))
    old = await store.inbox.claim("old", lease_s=LEASE_S)
    assert await store.outbox.intend(key(0), HERE, Reply("x"), under=old)
    clock.pass_s(LEASE_S)
    new = await store.inbox.claim("new", lease_s=LEASE_S)
    with pytest.raises(Conflict):
        await store.outbox.intend(key(1), HERE, Reply("from the old one"), under=old)
    assert [part.key for part in await store.outbox.parts(CAUSE)] == [key(0)]
    assert await store.outbox.intend(key(1), HERE, Reply("from the new one"), under=new)


async def test_an_unknown_part_is_an_error(store):
    with pytest.raises(NotFound):
        await begin(store, "telegram:7:1:9")
    with pytest.raises(NotFound):
        await store.outbox.sent("telegram:7:1:9", RECEIPT)
    with pytest.raises(NotFound):
        await store.outbox.failed("telegram:7:1:9", "", retry_at=None)


async def test_parts_outlive_the_process(durable_url, clock):
    async with open_store(durable_url, SETTINGS, clock.clock()) as store:
        for number in range(3):
            await store.outbox.intend(key(number), HERE, Reply(str(number)))
        await begin(store)
        await store.outbox.sent(key(0), RECEIPT)
        await begin(store, key(1))
    async with open_store(durable_url, SETTINGS, clock.clock()) as store:
        assert await pending(store) == []
        await store.outbox.release_all("s")
        assert [(part.key, part.uncertain) for part in await store.outbox.pending("telegram")] == [(key(1), True)]


async def test_a_sender_that_waits_is_woken_by_a_part(store):
    waiting = asyncio.create_task(store.outbox.pending("telegram", wait_s=100))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await store.outbox.intend(key(0), HERE, Reply("x"))
    assert [part.key for part in await waiting] == [key(0)]


async def test_settled_parts_are_pruned_when_they_are_old(store, clock):
    for number in range(2):
        await store.outbox.intend(key(number), HERE, Reply(str(number)))
    await begin(store)
    await store.outbox.sent(key(0), RECEIPT)
    clock.pass_s(31 * 86400)
    assert await store.prune() == 1
    assert [part.key for part in await store.outbox.parts(CAUSE)] == [key(1)]


async def dispatch(store, number=0, reply=Reply("x"), sender="s", **rest):  # noqa: B008 - frozen
    return await store.outbox.dispatch(key(number), HERE, reply, sender_id=sender, lease_s=LEASE_S, **rest)


async def test_a_dispatched_part_is_kept_and_on_its_way_at_once(store, clock):
    reply = Reply("a\0b", VoiceNote(b"OggS", 0.5, b"w"), "9", (Entity("bold", 0, 1),), "a\0b", (Button("l", "d"),))
    part = await dispatch(store, reply=reply)
    assert (part.key, part.to, part.state, part.tries, part.doubtful) == (key(0), HERE, "sending", 1, False)
    assert (part.reply.text, part.reply.spoken) == ("ab", "ab")
    assert await store.outbox.parts(CAUSE) == (part,)
    assert await pending(store) == []
    clock.pass_s(LEASE_S)
    assert [part.uncertain for part in await store.outbox.pending("telegram")] == [True]


async def test_a_part_is_dispatched_by_one_sender_and_never_again(store):
    assert await dispatch(store)
    assert await dispatch(store, sender="other", reply=Reply("y")) is None
    await store.outbox.sent(key(0), RECEIPT)
    assert await dispatch(store) is None
    (part,) = await store.outbox.parts(CAUSE)
    assert (part.reply.text, part.tries, part.state) == ("x", 1, "sent")


async def test_what_was_given_up_or_cancelled_is_not_dispatched(store):
    await dispatch(store)
    await store.outbox.failed(key(0), "blocked", retry_at=None)
    assert await dispatch(store) is None
    await store.outbox.intend(key(1), HERE, Reply("x"))
    await store.outbox.cancel(CAUSE)
    assert await dispatch(store, 1) is None


async def test_a_part_behind_an_unsettled_one_is_kept_as_intended(store):
    await dispatch(store, 0)
    assert await dispatch(store, 1) is None
    first, second = await store.outbox.parts(CAUSE)
    assert (first.state, second.state, second.tries) == ("sending", "intended", 0)
    assert await dispatch(store, 1) is None
    await store.outbox.sent(key(0), RECEIPT)
    assert (await dispatch(store, 1)).tries == 1


async def test_other_conversations_hold_nothing_back(store):
    await store.outbox.intend("telegram:8:1:0", THERE, Reply("there"))
    assert await dispatch(store)


async def test_a_failed_part_is_dispatched_when_it_is_due(store, clock):
    await dispatch(store)
    await store.outbox.failed(key(0), "429", retry_at=clock.wall + timedelta(seconds=7))
    assert await dispatch(store) is None
    clock.pass_s(7)
    assert ((await dispatch(store, reply=Reply("y"))).reply.text, (await store.outbox.parts(CAUSE))[0].tries) == (
        "x",
        2,
    )


async def test_an_uncertain_part_that_is_dispatched_again_is_marked(store, clock):
    await dispatch(store)
    clock.pass_s(LEASE_S)
    again = await dispatch(store, sender="other")
    assert (again.doubtful, again.tries, again.uncertain) == (True, 2, False)


async def test_whoever_lost_the_claim_dispatches_nothing(store, clock):
    await store.inbox.receive(note(1))
    old = await store.inbox.claim("old", lease_s=LEASE_S)
    clock.pass_s(LEASE_S)
    new = await store.inbox.claim("new", lease_s=LEASE_S)
    with pytest.raises(Conflict):
        await dispatch(store, under=old)
    assert await store.outbox.parts(CAUSE) == ()
    assert await dispatch(store, under=new)


async def test_a_part_that_waits_behind_another_is_pending_once_that_has_arrived(store):
    await dispatch(store, 0)
    await dispatch(store, 1)
    waiting = asyncio.create_task(store.outbox.pending("telegram", wait_s=100))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await store.outbox.sent(key(0), RECEIPT)
    assert [part.key for part in await waiting] == [key(1)]


async def test_a_failure_that_may_have_been_a_success_stays_marked(store, clock):
    await dispatch(store)
    await store.outbox.failed(key(0), "no answer", retry_at=clock.wall, doubtful=True)
    assert (await dispatch(store)).doubtful
    await store.outbox.failed(key(0), "429", retry_at=clock.wall)
    assert (await dispatch(store)).doubtful
    await store.outbox.sent(key(0), RECEIPT)
    (part,) = await store.outbox.parts(CAUSE)
    assert (part.state, part.doubtful) == ("sent", True)


async def test_senders_of_two_platforms_are_not_woken_in_place_of_one_another(store):
    discord = asyncio.create_task(store.outbox.pending("discord", wait_s=100))
    await asyncio.sleep(0.01)
    telegram = asyncio.create_task(store.outbox.pending("telegram", wait_s=100))
    await asyncio.sleep(0.01)
    await store.outbox.intend(key(0), HERE, Reply("x"))
    assert [part.key for part in await telegram] == [key(0)]
    assert not discord.done()
    discord.cancel()


async def test_what_has_not_arrived_is_counted_with_its_oldest_part(store):
    assert await store.outbox.unsent("telegram") == Unsent(0, "")
    for number in range(3):
        await store.outbox.intend(key(number), HERE, Reply("part"))
    await store.outbox.sent(key(0), RECEIPT)
    await store.outbox.failed(key(1), "unreachable: no answer", retry_at=START)
    assert await store.outbox.unsent("telegram") == Unsent(2, key(1))
    assert await store.outbox.unsent("discord") == Unsent(0, "")

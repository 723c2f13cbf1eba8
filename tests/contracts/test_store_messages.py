"""The contract of messages from services to people, over memory, a file and a server."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from essence.dialogue import Address, Button, Receipt
from essence.errors import Conflict, InvalidInput, NotFound
from essence.outgoing import TEXT_MAX_CHARS, Draft, Filter
from essence.store import open_store
from tests.store_cases import HERE, SETTINGS, START, THERE

TEA = Draft(HERE, "Tea is ready.", person_id="7")
FULL = Draft(
    Address("discord", "a/b", "t"), "Tea.\0", "1", "help_request", voice=True, language="en", reply_to_id="9",
    buttons=(Button("Do it", "do"), Button("Fix", "fix")),
)  # fmt: skip
RECEIPTS = (Receipt("5", START), Receipt("", START, assumed=True))


async def claimed(store, platform="telegram"):
    return await store.messages.claim(platform, "w", lease_s=30)


async def deliver(store, errand, *receipts):
    revision = errand.message.revision if errand.message.delivered_revision else errand.opening_revision
    await store.messages.delivered(errand, revision, receipts or RECEIPTS)


async def test_a_message_is_kept_as_it_was_posted(store):
    posted = await store.messages.post(FULL, author="bot", key="k", fingerprint="f")
    assert posted.draft == replace(FULL, text="Tea.")
    assert (posted.author, posted.idempotency_key, posted.created_at) == ("bot", "k", START)
    assert (posted.state, posted.revision, posted.delivered_revision, posted.receipts) == ("queued", 1, 0, ())
    assert await store.messages.read(posted.message_id) == posted


async def test_a_repeat_under_the_same_key_posts_nothing_more(store):
    first = await store.messages.post(TEA, author="bot", key="k", fingerprint="f")
    assert await store.messages.post(TEA, author="bot", key="k", fingerprint="f") == first
    assert await store.messages.repeated(author="bot", key="k", fingerprint="f") == first
    assert len(await store.messages.list(Filter(), limit=9)) == 1


async def test_many_repeats_at_once_post_one_message(store):
    posting = (store.messages.post(TEA, author="bot", key="k", fingerprint="f") for _ in range(8))
    assert len({posted.message_id for posted in await asyncio.gather(*posting)}) == 1


async def test_a_key_that_was_used_for_another_request_is_refused(store):
    await store.messages.post(TEA, author="bot", key="k", fingerprint="f")
    for asking in (
        store.messages.post(TEA, author="bot", key="k", fingerprint="g"),
        store.messages.repeated(author="bot", key="k", fingerprint="g"),
    ):
        with pytest.raises(InvalidInput, match="Idempotency-Key"):
            await asking


async def test_each_author_has_keys_of_its_own_and_without_a_key_each_request_is_new(store):
    posted = [
        await store.messages.post(TEA, author=author, key=key) for author in ("a", "b") for key in ("k", None, None)
    ]
    assert len({one.message_id for one in posted}) == 6
    assert await store.messages.repeated(author="c", key="k", fingerprint="") is None


async def test_a_message_that_is_not_there_is_not_found(store):
    for asking in (
        store.messages.read("x"),
        store.messages.outcome("x", wait_s=0),
        store.messages.revise("x", "Tea."),
    ):
        with pytest.raises(NotFound, match="x"):
            await asking


async def test_a_delivered_message_is_handed_over_no_more(store):
    posted = await store.messages.post(TEA, author="bot")
    errand = await claimed(store)
    assert (errand.message.message_id, errand.opening, errand.tries) == (posted.message_id, TEA.text, 1)
    await deliver(store, errand)
    done = await store.messages.read(posted.message_id)
    assert (done.state, done.delivered_revision, done.receipts) == ("sent", 1, RECEIPTS)
    assert await claimed(store) is None


async def test_a_message_has_one_worker_at_a_time_until_its_lease_ends(store, clock):
    await store.messages.post(TEA, author="bot")
    first = await claimed(store)
    assert await claimed(store) is None
    clock.pass_s(31)
    second = await store.messages.claim("telegram", "other", lease_s=30)
    assert second.fence > first.fence
    for late in (store.messages.delivered(first, 1, ()), store.messages.failed(first, "c", "w", retry_s=None)):
        with pytest.raises(Conflict):
            await late
    await deliver(store, second)


async def test_workers_that_claim_at_once_get_different_messages(store):
    for number in range(8):
        await store.messages.post(replace(TEA, to=Address("telegram", str(number))), author="bot")
    claims = await asyncio.gather(*(store.messages.claim("telegram", f"w{n}", lease_s=30) for n in range(12)))
    taken = [errand.message.message_id for errand in claims if errand is not None]
    assert len(taken) == len(set(taken)) == 8


async def test_a_conversation_keeps_its_order_and_delays_no_other(store):
    first, second = [await store.messages.post(TEA, author="bot") for _ in range(2)]
    elsewhere = await store.messages.post(replace(TEA, to=THERE), author="bot")
    errand = await claimed(store)
    assert errand.message.message_id == first.message_id
    assert (await claimed(store)).message.message_id == elsewhere.message_id
    assert await claimed(store) is None
    await deliver(store, errand)
    assert (await claimed(store)).message.message_id == second.message_id


async def test_each_platform_is_served_by_its_own_worker(store):
    await store.messages.post(FULL, author="bot")
    assert await claimed(store, "telegram") is None
    assert (await claimed(store, "discord")).message.draft.to == FULL.to


async def test_a_failure_is_tried_again_after_its_pause_even_if_the_wall_clock_jumps(store, clock):
    posted = await store.messages.post(TEA, author="bot")
    await store.messages.failed(await claimed(store), "unreachable", "No\0body.", retry_s=5)
    waiting = await store.messages.read(posted.message_id)
    assert (waiting.state, waiting.code, waiting.why) == ("queued", "unreachable", "Nobody.")
    clock.wall = START.replace(year=2020)
    assert await claimed(store) is None
    clock.lease_s += 6
    errand = await claimed(store)
    assert errand.tries == 2
    await deliver(store, errand)
    done = await store.messages.read(posted.message_id)
    assert (done.state, done.code, done.why) == ("sent", "", "")


async def test_a_final_failure_is_told_and_lets_the_next_message_go(store):
    posted = await store.messages.post(TEA, author="bot")
    await store.messages.post(TEA, author="bot")
    await store.messages.failed(await claimed(store), "not_allowed", "Blocked.", retry_s=None)
    assert (await store.messages.read(posted.message_id)).state == "failed"
    assert (await claimed(store)).message.message_id != posted.message_id
    with pytest.raises(Conflict, match="Post a new one"):
        await store.messages.revise(posted.message_id, "Coffee.")


async def test_a_changed_message_is_due_again_and_shows_what_its_person_sees(store):
    posted = await store.messages.post(TEA, author="bot")
    await deliver(store, await claimed(store))
    changed = await store.messages.revise(posted.message_id, "Coffee.")
    assert (changed.state, changed.revision, changed.delivered_revision) == ("queued", 2, 1)
    errand = await claimed(store)
    assert (errand.message.draft.text, errand.message.delivered_revision) == ("Coffee.", 1)
    await deliver(store, errand)
    done = await store.messages.read(posted.message_id)
    assert (done.state, done.revision, done.delivered_revision) == ("sent", 2, 2)


async def test_what_is_sent_first_stays_the_same_however_often_the_message_changes(store, clock):
    posted = await store.messages.post(TEA, author="bot")
    await claimed(store)  # its worker dies
    await store.messages.revise(posted.message_id, "Coffee.")
    clock.pass_s(31)
    errand = await claimed(store)
    assert (errand.opening, errand.opening_revision) == (TEA.text, 1)
    await deliver(store, errand)
    assert (await store.messages.read(posted.message_id)).state == "queued"
    again = await claimed(store)
    assert (again.message.draft.text, again.message.delivered_revision) == ("Coffee.", 1)


async def test_a_message_that_changed_before_it_was_handed_over_is_sent_as_it_is_now(store):
    posted = await store.messages.post(TEA, author="bot")
    await store.messages.revise(posted.message_id, "Coffee.")
    errand = await claimed(store)
    assert (errand.opening, errand.opening_revision) == ("Coffee.", 2)
    await deliver(store, errand)
    assert (await store.messages.read(posted.message_id)).state == "sent"


async def test_a_change_that_failed_can_be_followed_by_one_that_does_not(store):
    posted = await store.messages.post(TEA, author="bot")
    await deliver(store, await claimed(store))
    await store.messages.revise(posted.message_id, "A")
    errand = await claimed(store)
    await store.messages.revise(posted.message_id, "B")
    await store.messages.failed(errand, "invalid_input", "No.", retry_s=None)
    assert (await store.messages.read(posted.message_id)).state == "queued"
    await store.messages.failed(await claimed(store), "invalid_input", "No.", retry_s=None)
    failed = await store.messages.read(posted.message_id)
    assert (failed.state, failed.delivered_revision) == ("failed", 1)
    await store.messages.revise(posted.message_id, "B")
    await deliver(store, await claimed(store))
    assert (await store.messages.read(posted.message_id)).state == "sent"


async def test_replacing_a_text_by_itself_changes_nothing(store):
    posted = await store.messages.post(TEA, author="bot")
    assert await store.messages.revise(posted.message_id, TEA.text) == posted


async def test_text_is_appended_once_under_each_key(store):
    posted = await store.messages.post(TEA, author="bot")
    for _ in range(2):
        changed = await store.messages.revise(posted.message_id, " Now", append=True, key="k", fingerprint="f")
    assert (changed.draft.text, changed.revision) == ("Tea is ready. Now", 2)
    with pytest.raises(InvalidInput, match="Idempotency-Key"):
        await store.messages.revise(posted.message_id, " Later", append=True, key="k", fingerprint="g")
    assert (await store.messages.revise(posted.message_id, "!", append=True)).draft.text == "Tea is ready. Now!"


async def test_a_text_grows_to_its_limit_and_no_further(store):
    posted = await store.messages.post(replace(TEA, text="x" * (TEXT_MAX_CHARS - 1)), author="bot")
    await store.messages.revise(posted.message_id, "y", append=True)
    with pytest.raises(InvalidInput, match=str(TEXT_MAX_CHARS)):
        await store.messages.revise(posted.message_id, "z", append=True)


async def test_whoever_waits_for_an_outcome_is_told_when_it_comes(store):
    posted = await store.messages.post(TEA, author="bot")
    assert (await store.messages.outcome(posted.message_id, wait_s=0)).state == "queued"
    waiting = asyncio.create_task(store.messages.outcome(posted.message_id, wait_s=30))
    await deliver(store, await claimed(store))
    assert (await waiting).state == "sent"


async def test_whoever_waits_for_work_is_told_when_it_comes(store):
    waiting = asyncio.create_task(store.messages.claim("telegram", "w", lease_s=30, wait_s=30))
    await asyncio.sleep(0)
    posted = await store.messages.post(TEA, author="bot")
    assert (await waiting).message.message_id == posted.message_id


async def test_a_worker_that_starts_again_goes_on_at_once_and_a_pause_stays(store):
    await store.messages.post(TEA, author="bot")
    await store.messages.post(replace(TEA, to=THERE), author="bot")
    first = await claimed(store)
    await store.messages.failed(await claimed(store), "too_slow", "Later.", retry_s=5)
    assert await store.messages.release_all("other") == 0
    assert await store.messages.release_all("w") == 1
    assert (await claimed(store)).message.message_id == first.message.message_id
    assert await claimed(store) is None


async def test_messages_are_found_by_what_they_are(store, clock):
    tea = await store.messages.post(TEA, author="a", key="k")
    clock.pass_s(60)
    full = await store.messages.post(FULL, author="b")
    await deliver(store, await claimed(store))

    async def found(**which):
        return [one.message_id for one in await store.messages.list(Filter(**which), limit=9)]

    later = START.replace(minute=1)
    assert await found() == [full.message_id, tea.message_id]
    for which in (
        {"author": "a"}, {"platform": "telegram"}, {"chat_id": "7"}, {"person_id": "7"}, {"message_type": "text"},
        {"state": "sent"}, {"idempotency_key": "k"}, {"until": later},
    ):  # fmt: skip
        assert await found(**which) == [tea.message_id]
    assert await found(since=later) == [full.message_id]
    assert await found(author="a", platform="discord") == []


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 5))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_show_each_message_once_though_new_ones_come_between(arrivals, limit):
    """`arrivals`: before each page, whether a new message comes."""

    async def read_all() -> None:
        async with open_store("memory://", SETTINGS) as store:
            old = [(await store.messages.post(TEA, author="bot")).message_id for _ in range(7)]
            seen, before, coming = [], None, iter(arrivals)
            while page := await store.messages.list(Filter(), limit=limit, before=before):
                seen += [one.message_id for one in page]
                before = page[-1].position
                if next(coming, False):
                    await store.messages.post(TEA, author="bot")
            assert seen == old[::-1]

    asyncio.run(read_all())


async def test_what_a_person_was_told_is_forgotten_with_them(store):
    posted = await store.messages.post(TEA, author="bot")
    other = await store.messages.post(replace(TEA, person_id="8"), author="bot")
    assert await store.conversations.forget("telegram", "7") == 1
    with pytest.raises(NotFound):
        await store.messages.read(posted.message_id)
    await store.messages.read(other.message_id)


async def test_old_messages_are_pruned_unless_something_is_left_to_do(store, clock):
    done, waiting = await store.messages.post(TEA, author="bot"), await store.messages.post(TEA, author="bot")
    await deliver(store, await claimed(store))
    clock.pass_s(SETTINGS.store_retention_days * 86_400 + 60)
    assert await store.prune() == 1
    with pytest.raises(NotFound):
        await store.messages.read(done.message_id)
    assert (await store.messages.read(waiting.message_id)).state == "queued"


async def test_messages_outlive_the_process(durable_url):
    async with open_store(durable_url, SETTINGS) as store:
        posted = await store.messages.post(FULL, author="bot")
        await deliver(store, await claimed(store, "discord"))
    async with open_store(durable_url, SETTINGS) as store:
        assert (await store.messages.read(posted.message_id)).receipts == RECEIPTS

"""The contracts of the journal, of questions to owners, of memories and reminders, over memory, a file and a server."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from essence.dialogue import Address
from essence.errors import NotAllowed, NotFound
from essence.store import open_store
from essence.work import Approval, Cost, Reminder, Step
from tests.store_cases import HERE, SETTINGS, START

SOON = START + timedelta(minutes=10)
QUESTION = Approval("q", HERE, "1", "Delete it?", SOON)
TEA = Reminder("", HERE, "1", "Tea", SOON, zone="Europe/Berlin", spoken=True, language="en")


async def test_steps_are_known_in_their_order_and_by_their_task(store):
    assert await store.journal.record("t", "b", "1", person="")
    assert await store.journal.record("t", "a", "2", person="telegram/1")
    await store.journal.record("other", "a", "3", person="")
    assert list((await store.journal.steps("t")).items()) == [("b", "1"), ("a", "2")]


async def test_a_step_that_is_known_stands(store):
    await store.journal.record("t", "a", "1", person="", cost=Cost(1, 10, 0, 0.5))
    assert not await store.journal.record("t", "a", "2", person="", cost=Cost(1, 10, 0, 0.5))
    assert await store.journal.steps("t") == {"a": "1"}
    assert await store.journal.spent(START) == Cost(1, 10, 0, 0.5)


async def test_what_was_spent_is_known_of_all_tasks_since_a_time(store, clock):
    await store.journal.record("t", "a", "", person="", cost=Cost(1, 10, 2, 0.5))
    clock.pass_s(3600)
    await store.journal.record("u", "a", "", person="", cost=Cost(2, 5, 1, 0.25))
    assert await store.journal.spent(START) == Cost(3, 15, 3, 0.75)
    assert await store.journal.spent(START + timedelta(minutes=1)) == Cost(2, 5, 1, 0.25)


async def test_it_is_known_when_each_step_was_recorded_and_what_it_took(store, clock):
    await store.journal.record("t", "b", "1", person="")
    clock.pass_s(1.5)
    await store.journal.record("t", "a", "2", person="", cost=Cost(1, 10, 2, 0.5))
    later = START + timedelta(seconds=1.5)
    assert await store.journal.timed("t") == (Step("b", START, Cost()), Step("a", later, Cost(1, 10, 2, 0.5)))
    assert await store.journal.timed("u") == ()


async def test_steps_are_forgotten_by_the_beginning_of_their_name(store):
    for step in ("reply:0", "reply:1", "done:0"):
        await store.journal.record("t", step, "", person="")
    await store.journal.forget("t", prefix="reply:")
    assert list(await store.journal.steps("t")) == ["done:0"]


async def test_an_owner_s_answer_is_kept_and_a_second_one_changes_nothing(store):
    assert await store.approvals.ask(QUESTION) == QUESTION
    assert await store.approvals.answer("q") is None
    assert (await store.approvals.decide("q", "1", "do")).choice == "do"
    assert (await store.approvals.decide("q", "1", "cancel")).choice == "do"
    assert await store.approvals.answer("q") == "do"
    assert await store.approvals.ask(replace(QUESTION, text="Another?")) == replace(QUESTION, choice="do")


async def test_whoever_waits_hears_of_the_answer(store):
    await store.approvals.ask(QUESTION)
    waiting = asyncio.create_task(store.approvals.answer("q", wait_s=30))
    await store.approvals.decide("q", "1", "fix")
    assert await waiting == "fix"


async def test_nobody_else_may_answer_and_nobody_after_the_time(store, clock):
    await store.approvals.ask(QUESTION)
    with pytest.raises(NotAllowed):
        await store.approvals.decide("q", "2", "do")
    with pytest.raises(NotFound):
        await store.approvals.decide("other", "1", "do")
    clock.pass_s(600)
    with pytest.raises(NotFound, match="too late"):
        await store.approvals.decide("q", "1", "do")
    assert await store.approvals.answer("q") is None


async def test_memories_are_each_person_s_own(store):
    first = await store.memories.remember("telegram", "1", "Blue.", key="k1")
    assert await store.memories.remember("telegram", "1", "Blue, again.", key="k1") == first
    await store.memories.remember("discord", "1", "Red.", key="k2")
    assert await store.memories.all("telegram", "1") == (first,)
    for stranger in (("discord", "1"), ("telegram", "2")):
        assert not await store.memories.correct(*stranger, first.memory_id, "Green.")
        assert not await store.memories.forget(*stranger, first.memory_id)
    assert await store.memories.correct("telegram", "1", first.memory_id, "Green.")
    assert [memory.text for memory in await store.memories.all("telegram", "1")] == ["Green."]
    assert await store.memories.forget("telegram", "1", first.memory_id)
    assert await store.memories.all("telegram", "1") == ()


@pytest.mark.parametrize("number", ["", "x", "-1", "١", "9" * 30])
async def test_a_number_that_is_none_is_nobody_s(store, number):
    assert not await store.memories.forget("telegram", "1", number)
    assert not await store.reminders.cancel("telegram", "1", number)


async def test_a_reminder_comes_when_it_is_due_and_is_settled_once(store, clock):
    kept = await store.reminders.add(TEA, key="k")
    assert kept == replace(TEA, reminder_id=kept.reminder_id)
    assert await store.reminders.add(replace(TEA, text="Again"), key="k") == kept
    assert await store.reminders.due() == ()
    clock.pass_s(600)
    assert await store.reminders.due() == (kept,)
    assert await store.reminders.settle(kept, None)
    assert not await store.reminders.settle(kept, None)
    assert await store.reminders.due() == await store.reminders.of("telegram", "1") == ()


async def test_a_repeated_reminder_comes_again(store, clock):
    kept = await store.reminders.add(replace(TEA, rule="0 7 * * *"), key="k")
    assert await store.reminders.settle(kept, SOON + timedelta(days=1))
    clock.pass_s(600)
    assert await store.reminders.due() == ()
    clock.pass_s(86_400)
    assert [reminder.text for reminder in await store.reminders.due()] == ["Tea"]


async def test_a_reminder_that_was_canceled_neither_comes_nor_is_settled(store, clock):
    kept = await store.reminders.add(TEA, key="k")
    assert not await store.reminders.cancel("telegram", "2", kept.reminder_id)
    assert await store.reminders.cancel("telegram", "1", kept.reminder_id)
    assert not await store.reminders.cancel("telegram", "1", kept.reminder_id)
    clock.pass_s(600)
    assert await store.reminders.due() == ()
    assert not await store.reminders.settle(kept, SOON + timedelta(days=1))


async def test_reminders_are_listed_by_their_time_for_their_person(store):
    await store.reminders.add(replace(TEA, text="later", due_at=SOON + timedelta(hours=1)), key="a")
    await store.reminders.add(replace(TEA, text="sooner"), key="b")
    await store.reminders.add(replace(TEA, address=Address("discord", "7")), key="c")
    assert [reminder.text for reminder in await store.reminders.of("telegram", "1")] == ["sooner", "later"]


async def test_all_of_it_outlives_the_process(durable_url, clock):
    async with open_store(durable_url, SETTINGS, clock.clock()) as store:
        await store.journal.record("t", "a", "1", person="")
        await store.approvals.ask(QUESTION)
        await store.memories.remember("telegram", "1", "Blue.", key="k")
        await store.reminders.add(TEA, key="k")
    async with open_store(durable_url, SETTINGS, clock.clock()) as store:
        assert await store.journal.steps("t") == {"a": "1"}
        assert (await store.approvals.decide("q", "1", "do")).choice == "do"
        assert len(await store.memories.all("telegram", "1")) == len(await store.reminders.of("telegram", "1")) == 1


async def test_to_forget_a_person_forgets_all_of_it(store, clock):
    await store.journal.record("t", "a", "1", person="telegram/1")
    await store.approvals.ask(QUESTION)
    await store.memories.remember("telegram", "1", "Blue.", key="k")
    await store.reminders.add(TEA, key="k")
    assert await store.conversations.forget("telegram", "1") == 4
    assert await store.journal.steps("t") == {}
    assert await store.memories.all("telegram", "1") == await store.reminders.of("telegram", "1") == ()
    with pytest.raises(NotFound):
        await store.approvals.decide("q", "1", "do")


async def test_what_is_over_is_pruned_and_memories_stay(store, clock):
    await store.journal.record("t", "a", "1", person="")
    await store.approvals.ask(QUESTION)
    await store.memories.remember("telegram", "1", "Blue.", key="k")
    await store.reminders.settle(await store.reminders.add(TEA, key="k"), None)
    to_come = await store.reminders.add(TEA, key="l")
    clock.pass_s((SETTINGS.store_retention_days + 1) * 86_400)
    assert await store.prune() == 3
    assert len(await store.memories.all("telegram", "1")) == 1
    assert await store.reminders.due() == (to_come,)

"""Reminders: set in words, durable, told once, also where June was away."""

from dataclasses import replace
from datetime import timedelta

import pytest

from essence.errors import NotAllowed, TooSlow, Unreachable
from essence.fakes.messenger import MemoryMessenger
from essence.work import Reminder, request_of
from tests.agent_house import HERE, START, ZONE, World, call, world

TEA = Reminder("", HERE, "1", "Tea", START + timedelta(minutes=10), zone=ZONE.key)


@pytest.fixture
async def here():
    async with world() as made:
        yield made


async def told(here: World) -> list[str]:
    await here.reminding().tell_due()
    return [sent.text for sent in here.messenger.sent if sent.text.startswith("⏰")]


async def test_a_reminder_is_set_in_words_and_told_when_it_is_due(here):
    await here.ask("Remind me in 10 minutes to drink tea", spoken=True, language="en")
    await here.worker(call("remind", when="in 10 minutes", text="drink tea"), "It is set.").work_once()
    assert await told(here) == []
    here.clock.forward(minutes=10)
    assert await told(here) == ["⏰ drink tea"]
    assert (here.messenger.sent[-1].to, here.messenger.sent[-1].spoken) == (HERE, True)
    assert await told(here) == ["⏰ drink tea"]


async def test_a_reminder_that_can_t_be_delivered_stays_due_until_it_is(here):
    await here.store.reminders.add(TEA, key="k")
    here.messenger = MemoryMessenger(TooSlow("Not yet."), Unreachable("Gone."))
    here.clock.forward(minutes=10)
    reminding = here.reminding()
    assert not await reminding.tell_due()
    assert not await reminding.tell_due()
    assert await reminding.tell_due()
    assert await told(here) == ["⏰ Tea"]


async def test_one_that_nobody_can_deliver_holds_up_no_other(here):
    await here.store.reminders.add(replace(TEA, text="first"), key="a")
    await here.store.reminders.add(replace(TEA, text="second"), key="b")
    here.messenger = MemoryMessenger(NotAllowed("They blocked June."))
    here.clock.forward(minutes=10)
    assert await told(here) == ["⏰ second"]
    assert await here.store.reminders.of("telegram", "1") == ()


async def test_one_that_was_missed_is_told_late_and_says_so(here):
    await here.store.reminders.add(TEA, key="k")
    here.clock.forward(hours=3)
    (text,) = await told(here)
    assert text == "⏰ Tea\n\n_(This was due on 2026-11-25 at 10:10. I was away.)_"


async def test_of_a_repeated_one_that_was_missed_for_days_one_is_told_and_the_next_comes_in_time(here):
    await here.store.reminders.add(replace(TEA, rule="10 10 * * *"), key="k")
    here.clock.forward(days=4)
    assert len(await told(here)) == 1
    (next_one,) = await here.store.reminders.of("telegram", "1")
    assert f"{next_one.due_at.astimezone(ZONE):%m-%d %H:%M}" == "11-29 10:10"


async def test_several_agents_tell_each_reminder_once(here):
    await here.store.reminders.add(TEA, key="k")
    here.clock.forward(minutes=10)
    first, second = here.reminding(), here.reminding()
    due = await here.store.reminders.due()
    for reminding in (first, second):
        for reminder in due:  # both have seen it before the other has settled it
            await reminding._settle(reminder)
    assert len(here.messenger.sent) == 1


async def test_a_reminder_that_was_canceled_meanwhile_is_not_told(here):
    kept = await here.store.reminders.add(TEA, key="k")
    here.clock.forward(minutes=10)
    await here.store.reminders.cancel("telegram", "1", kept.reminder_id)
    assert await told(here) == []


async def test_work_that_is_due_becomes_a_task_of_its_owner_and_is_answered(here):
    await here.ask("Every morning at 9 tell me about the weather")
    schedule = call("schedule", when="every morning at 9", text="Tell me about the weather.", work=True)
    await here.worker(schedule, "It is set.").work_once()
    here.clock.forward(days=1)
    await here.reminding().tell_due()
    task = await here.task_of("2")
    request = request_of(task)
    assert (request.text, request.person_id, request.reply_to_id) == ("Tell me about the weather.", "1", None)
    await here.worker("It is sunny.").work_once()
    assert here.answers[-1].text == "It is sunny."
    assert here.answers[-1].reply_to_id is None


async def test_reminders_are_listed_and_canceled_by_number_or_words(here):
    for number, words in enumerate(("feed the cat", "water the plants")):
        await here.ask("x", message_id=str(number))
        await here.worker(call("remind", when="in 1 hour", text=words), "It is set.").work_once()
    await here.ask("Cancel the reminder about the cat", message_id="5")
    await here.worker(call("cancel_reminder", which="the cat"), "It is canceled.").work_once()
    left = await here.store.reminders.of("telegram", "1")
    assert [reminder.text for reminder in left] == ["water the plants"]


async def test_nothing_calls_a_model_while_there_is_nothing_to_do(here):
    from tests.agent_house import Script

    worker = here.worker_with(model := Script("Never."))
    for _ in range(7):
        here.clock.forward(days=1)
        assert not await worker.work_once()
        assert await here.reminding().tell_due()
    assert model.seen == []

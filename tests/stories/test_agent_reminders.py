"""Reminders: set in words, durable, told once, also where June was away."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from essence.agent.messengers import Messengers
from essence.agent.reminding import Reminding
from essence.dialogue import Address
from essence.errors import EngineError, InvalidInput, NotAllowed, TooSlow, Unreachable
from essence.fakes.messenger import MemoryMessenger
from essence.work import Reminder, request_of
from tests.agent_house import HERE, START, ZONE, Script, World, call, world
from tests.mortal import killed_at

PATIENCE_S = 10.0
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


async def test_in_an_hour_counts_from_when_the_owner_said_it(here):
    await here.ask("Remind me in 60 minutes to take the cake out")
    here.clock.forward(minutes=45)
    await here.worker(call("remind", when="in 60 minutes", text="cake"), "It is set.").work_once()
    [kept] = await here.store.reminders.of("telegram", "1")
    assert kept.due_at == START + timedelta(minutes=60)


async def test_tomorrow_is_the_day_after_the_message(here):
    here.clock.now = datetime(2026, 11, 25, 23, 59, tzinfo=ZONE).astimezone(UTC)
    await here.ask("Remind me tomorrow at 9 to call Bob")
    here.clock.forward(minutes=2)
    await here.worker(call("remind", when="tomorrow at 9", text="call Bob"), "It is set.").work_once()
    [kept] = await here.store.reminders.of("telegram", "1")
    assert kept.due_at == datetime(2026, 11, 26, 9, tzinfo=ZONE)


async def test_every_morning_begins_on_the_morning_on_which_it_was_said(here):
    here.clock.now = datetime(2026, 11, 25, 7, 59, tzinfo=ZONE).astimezone(UTC)
    await here.ask("Every day at 8 remind me to run")
    here.clock.forward(minutes=2)
    await here.worker(call("schedule", when="every day at 8", text="run"), "It is set.").work_once()
    assert await told(here) == ["⏰ run"]
    [kept] = await here.store.reminders.of("telegram", "1")
    assert kept.due_at == datetime(2026, 11, 26, 8, tzinfo=ZONE)


async def test_what_is_tried_again_later_counts_from_then(here):
    task_id = await here.ask("Remind me in 10 minutes to drink tea")
    await here.worker(EngineError("The model broke.")).work_once()
    here.clock.forward(days=2)
    here.board.revive(task_id)
    await here.worker(call("remind", when="in 10 minutes", text="drink tea"), "It is set.").work_once()
    [kept] = await here.store.reminders.of("telegram", "1")
    assert kept.due_at == START + timedelta(days=2, minutes=10)


async def test_after_a_kill_the_time_that_is_told_is_the_one_that_is_kept(here):
    await here.ask("Remind me in 10 minutes to drink tea")
    await killed_at(here, "done:1-0", call("remind", when="in 10 minutes", text="drink tea"))
    here.clock.forward(minutes=7)
    await here.worker_with(model := Script("It is set.")).work_once()
    [kept] = await here.store.reminders.of("telegram", "1")
    assert f"{kept.due_at.astimezone(ZONE):%H:%M}" in model.seen[0][-1].text


async def test_a_platform_that_hangs_holds_up_no_other_one_s(here):
    class Hanging(MemoryMessenger):
        async def send(self, *args, **rest):
            await asyncio.Event().wait()

    there = Address("discord", "9")
    await here.store.reminders.add(replace(TEA, address=there, text="there"), key="a")
    await here.store.reminders.add(replace(TEA, due_at=TEA.due_at + timedelta(seconds=1), text="here"), key="b")
    here.clock.forward(minutes=11)
    messengers = Messengers({"telegram": here.messenger, "discord": Hanging()})
    running = asyncio.create_task(
        Reminding(here.store.reminders, here.store.journal, here.board, messengers, here.clock).run()
    )
    async with asyncio.timeout(PATIENCE_S):
        while not here.messenger.sent:  # noqa: ASYNC110 - a messenger rings no bell
            await asyncio.sleep(0.01)
    running.cancel()
    assert [sent.text for sent in here.messenger.sent] == ["⏰ here"]


@pytest.mark.parametrize("said", ["Wake me up in 60 minutes", "Remind me in 60 minutes to wake Bob"])
async def test_an_alarm_counts_from_when_the_owner_said_it_too(here, said):
    await here.ask(said)
    here.clock.forward(minutes=45)
    await here.worker(call("remind", when="in 60 minutes", text="wake up"), "It is set.").work_once()
    [kept] = await here.store.reminders.of("telegram", "1")
    assert kept.due_at == START + timedelta(minutes=60)


async def test_the_owner_s_day_is_meant_where_a_model_leaves_some_of_their_words_out(here):
    here.clock.now = datetime(2026, 11, 25, 23, 59, tzinfo=ZONE).astimezone(UTC)
    await here.ask("Remind me tomorrow morning at 9 to call Bob")
    here.clock.forward(minutes=2)
    await here.worker(call("remind", when="tomorrow at 9", text="call Bob"), "It is set.").work_once()
    [kept] = await here.store.reminders.of("telegram", "1")
    assert kept.due_at == datetime(2026, 11, 26, 9, tzinfo=ZONE)


async def test_words_that_a_model_reckons_count_from_the_time_that_it_was_told(here):
    await here.ask("Remind me at eleven to call Bob")
    here.clock.forward(minutes=45)
    await here.worker(call("remind", when="in 15 minutes", text="call Bob"), "It is set.").work_once()
    [kept] = await here.store.reminders.of("telegram", "1")
    assert kept.due_at == START + timedelta(minutes=60)


async def test_a_first_try_that_got_through_stands_however_late_the_next_one_comes(here):
    """A Message API takes a key for one text alone."""
    kept, lost = {}, [TooSlow("Its answer was lost.")]

    class OnceOnly(MemoryMessenger):
        async def send(self, to, text, *, key, **rest):
            if kept.setdefault(key, text) != text:
                raise InvalidInput("The key was used for something else.")
            receipts = await super().send(to, text, key=key, **rest)
            if lost:
                raise lost.pop()
            return receipts

    here.messenger = OnceOnly()
    await here.store.reminders.add(TEA, key="k")
    here.clock.forward(minutes=10)
    assert not await here.reminding().tell_due()
    here.clock.forward(hours=4)
    assert await here.reminding().tell_due()
    assert [sent.text for sent in here.messenger.sent] == ["⏰ Tea"]


async def test_a_spoken_one_that_got_through_is_not_spoken_on(here):
    """A chat service adds to what stands under a key what it lacks."""
    said, lost = [], [TooSlow("Its answer was lost.")]

    class Adding(MemoryMessenger):
        async def send(self, to, text, **rest):
            said.append(text)
            if lost:
                raise lost.pop()
            return ()

    here.messenger = Adding()
    await here.store.reminders.add(replace(TEA, spoken=True), key="k")
    here.clock.forward(minutes=10)
    assert not await here.reminding().tell_due()
    here.clock.forward(hours=4)
    assert await here.reminding().tell_due()
    assert said == ["⏰ Tea"] * 2


async def test_what_is_told_late_says_so_though_it_was_tried_in_time(here):
    await here.store.reminders.add(TEA, key="k")
    here.messenger = MemoryMessenger(Unreachable("Away."))
    here.clock.forward(minutes=10)
    assert not await here.reminding().tell_due()
    here.clock.forward(hours=4)
    assert "I was away" in (await told(here))[-1]


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

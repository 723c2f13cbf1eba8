"""An agent that takes a task over goes on where the last one was lost: nothing is asked, done or told twice."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from essence.agent.tools.tool import Arguments, Tool, typed
from essence.errors import EngineError, TooSlow, Unreachable
from essence.fakes.messenger import MemoryMessenger
from essence.tasks.opening import open_board
from essence.work import Reminder
from tests.agent_house import HERE, START, ZONE, Endless, Script, World, call, world
from tests.chat_board import SETTINGS
from tests.mortal import Lost, Mortal, killed_at

PATIENCE_S = 10.0


class Ring(Arguments):
    whom: str


@pytest.fixture
async def here():
    async with world() as made:
        made.rung = []

        async def ring(_, wanted: Ring) -> str:
            made.rung.append(wanted.whom)
            return "It rang."

        made.tools = (
            Tool("ring", "Ring.", *typed(Ring), ring, effect="change", proves=frozenset({"outside"}), repeatable=False),
        )
        yield made


STEPS = ("reply:0", "begun:1-0", "done:1-0", "reply:1", "begun:2-0", "done:2-0", "reply:2", "answer", "delivered")


def replies(model_calls: list[int]) -> Script:
    script = Script(call("remember", text="Blue."), call("ring", whom="Anna"), "I have rung her.")

    class Counted:
        async def reply(self, history, *, tools=()):
            model_calls.append(len(history))
            script.seen = [()] * sum(turn.role == "tool" for turn in history)  # as far as the history goes
            async for event in script.reply(history, tools=tools):
                yield event

    return Counted()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
async def test_whatever_step_the_agent_is_killed_at_the_owner_gets_one_answer(here: World, step, after):
    calls: list[int] = []
    await here.ask("Remember it, and ring Anna")
    journal = here.store.journal
    here.store.journal = Mortal(journal, step, after=after)
    with pytest.raises(Lost):
        await here.worker_with(replies(calls)).work_once()
    here.store.journal = journal
    here.clock.forward(seconds=61)
    assert await here.worker_with(replies(calls)).work_once()
    assert len(here.answers) == 1
    assert len(await here.store.memories.all("telegram", "1")) == 1
    assert len(here.rung) <= 1
    assert (await here.task_of("1")).status == "complete"
    taken, claimed, *recorded = await journal.steps("telegram:7:10")
    assert (taken.partition(":")[0], claimed) == ("taken", "claimed")
    assert [name for name in recorded if name != "again:1."] == list(STEPS)
    lost = step.startswith("reply") and not after
    assert len(calls) == (4 if lost else 3)


async def test_what_may_have_been_done_is_not_repeated_and_the_model_is_told(here: World):
    await here.ask("Ring Anna")
    await killed_at(here, "done:1-0", call("ring", whom="Anna"))
    worker = here.worker_with(model := Script("I have called Anna."))
    await worker.work_once()
    assert here.rung == ["Anna"]
    assert "may have been done or not" in model.seen[0][-1].text
    assert "Not verified" in here.answer


@pytest.mark.parametrize("which", ["Bob's birthday", "1"])
async def test_a_kill_while_something_is_forgotten_costs_nothing_else(here: World, which):
    """What a word or a number meant is gone by then, and it may fit something else."""
    memories = here.store.memories
    for fact in ("Bob's birthday is in May.", "Bob has 1 dog."):
        await memories.remember("telegram", "1", fact, key=fact)
    await here.ask("Forget Bob's birthday")
    await killed_at(here, "done:1-0", call("forget", which=which))
    await here.worker_with(model := Script("Please look whether it is gone.")).work_once()
    assert [memory.text for memory in await memories.all("telegram", "1")] == ["Bob has 1 dog."]
    assert "may have been done or not" in model.seen[0][-1].text


async def test_a_kill_while_a_reminder_is_canceled_costs_no_other(here: World):
    reminders = here.store.reminders
    for text in ("run", "Call the doctor"):
        due_at = START + timedelta(days=1)
        await reminders.add(Reminder("", HERE, "1", text, due_at, zone=ZONE.key), key=text)
    await here.ask("Cancel the reminder to run")
    await killed_at(here, "done:1-0", call("cancel_reminder", which="run"))
    await here.worker("Please look whether it is gone.").work_once()
    assert [reminder.text for reminder in await reminders.of("telegram", "1")] == ["Call the doctor"]


async def test_a_platform_that_is_away_for_long_costs_no_second_answer(here: World):
    here.messenger = MemoryMessenger(*[Unreachable("Away."), TooSlow("Away.")] * 2)
    await here.ask()
    worker = here.worker_with(model := Script("Paris.", "London."))
    while not here.answers:
        await worker.work_once()
    assert (here.answer, len(model.seen)) == ("Paris.", 1)


class Deadly:
    """A model that takes the whole process with it."""

    async def reply(self, history, *, tools=()):
        raise Lost
        yield


async def stop_at_work(here: World) -> None:
    working = asyncio.create_task(here.worker_with(model := Endless()).work_once())
    await model.asked.wait()
    working.cancel()
    await asyncio.wait([working])


@pytest.fixture
async def at_junes_board(here: World):
    """Which counts attempts, and lets a task die after five that it isn't asked to wait for."""
    async with open_board("memory://", SETTINGS.model_copy(update={"todorama_project_id": ""})) as board:
        here.board = board
        yield here


async def test_the_owner_is_told_of_a_message_at_which_the_agent_dies_again_and_again(here: World):
    task_id = await here.ask()
    for _ in range(here.manners.attempts):
        with pytest.raises(Lost):
            await here.worker_with(Deadly()).work_once()
        here.clock.forward(seconds=61)
    await here.worker_with(model := Script("Paris.")).work_once()
    assert "broken off 5 times" in here.answer
    assert model.seen == []
    assert (await here.task_of(task_id)).status == "dead"
    here.board.revive(task_id)
    await here.worker("Paris.").work_once()
    assert here.answers[-1].text == "Paris."


async def test_attempts_are_counted_on_after_one_that_lost_its_claim(here: World):
    here.manners = replace(here.manners, lease_s=0.3)
    away = Unreachable("The model is away.")
    await here.ask()
    await here.worker(away).work_once()
    asleep = asyncio.create_task(here.worker_with(model := Endless(), agent_id="laptop").work_once())
    await model.asked.wait()
    here.clock.forward(seconds=61)
    here.board = here.board.elsewhere()
    await here.worker(away, agent_id="other").work_once()
    await asyncio.wait_for(asleep, PATIENCE_S)
    tries = 0
    while not here.answers:
        here.clock.forward(seconds=61)
        await here.worker(away, agent_id="other").work_once()
        tries += 1
    assert (here.answer, tries) == ("⚠️ The model is away.", 2)


async def test_who_loses_the_claim_each_time_is_told_of_in_the_end(here: World):
    """A laptop that falls asleep at each attempt."""
    here.manners = replace(here.manners, lease_s=0.3)
    await here.ask()
    for _ in range(here.manners.attempts):
        asleep = asyncio.create_task(here.worker_with(model := Endless()).work_once())
        await model.asked.wait()
        here.clock.forward(seconds=61)
        await asyncio.wait_for(asleep, PATIENCE_S)
    await here.worker_with(Endless()).work_once()
    assert "broken off 5 times" in here.answer


async def test_work_that_breaks_off_by_itself_again_and_again_is_told(at_junes_board: World):
    class BreaksOff:
        async def reply(self, history, *, tools=()):
            raise asyncio.CancelledError
            yield

    here = at_junes_board
    await here.ask()
    for _ in range(here.manners.attempts):
        with pytest.raises(asyncio.CancelledError):
            await here.worker_with(BreaksOff()).work_once()
    await here.worker_with(BreaksOff()).work_once()
    assert "broken off 5 times" in here.answer


async def test_restarts_are_no_failures(at_junes_board: World):
    here = at_junes_board
    await here.ask()
    for _ in range(2 * here.manners.attempts):
        await stop_at_work(here)
    await here.worker(Unreachable("The model is loading."), "Paris.").work_once()
    await here.worker("Paris.").work_once()
    assert [sent.text for sent in here.answers] == ["Paris."]


async def test_an_answer_outlives_a_platform_that_is_away_for_long(at_junes_board: World):
    here = at_junes_board
    here.messenger = MemoryMessenger(*[Unreachable("Away.")] * 20)
    await here.ask()
    worker = here.worker_with(model := Script("Paris.", "London."))
    while not here.answers:
        await worker.work_once()
    assert (here.answer, len(model.seen)) == ("Paris.", 1)


async def test_a_store_that_is_away_for_long_costs_no_message(at_junes_board: World):
    here = at_junes_board
    task_id = await here.ask()
    journal = here.store.journal

    class Away:
        async def steps(self, key):
            raise Unreachable("The store can't be reached.")

        def __getattr__(self, name):
            return getattr(journal, name)

    here.store.journal = Away()
    for _ in range(20):
        await here.worker("Paris.").work_once()
    here.store.journal = journal
    await here.worker("Paris.").work_once()
    assert here.answer == "Paris."
    assert (await here.board.read(task_id)).status == "complete"


async def test_a_task_that_failed_is_worked_on_anew_when_somebody_wants_it_tried_again(here: World):
    task_id = await here.ask()
    for reply in (EngineError("The model broke."), EngineError("It broke again."), "Paris."):
        here.board.revive(task_id)
        await here.worker(reply).work_once()
    assert [sent.text for sent in here.messenger.sent] == ["⚠️ The model broke.", "⚠️ It broke again.", "Paris."]
    assert (await here.task_of(task_id)).status == "complete"


async def test_a_tool_that_finds_the_claim_lost_ends_the_work(here: World):
    await here.ask("How is it going?")

    class Stolen(Script):
        async def reply(self, history, *, tools=()):
            here.clock.forward(seconds=61)
            await here.board.elsewhere().claim("another", lease_s=60)
            async for event in super().reply(history, tools=tools):
                yield event

    await here.worker_with(model := Stolen(call("say", text="Well."), "Fine.")).work_once()
    assert here.messenger.sent == []
    assert len(model.seen) == 1


async def test_an_answer_that_was_delivered_is_not_delivered_again(here: World):
    await here.ask()
    await here.store.journal.record(
        "telegram:7:10", "answer", json.dumps({"text": "Paris.", "failed": False}), person=""
    )
    await here.store.journal.record("telegram:7:10", "delivered", '["1"]', person="")
    await here.worker("London.").work_once()
    assert here.messenger.tries == 0
    assert (await here.task_of("1")).notes == "Paris."

"""An owner's message from the board to its visible end."""

import asyncio
from dataclasses import replace

import pytest

from essence.dialogue import Message, Person, Preferences, Turn
from essence.errors import EngineError, NotAllowed, TooSlow, Unreachable
from essence.fakes.messenger import MemoryMessenger
from essence.ports.rounds import key_of
from essence.work import FAILED, NewTask
from tests.agent_house import ASKED, HERE, START, Script, World, call, world


@pytest.fixture
async def here():
    async with world() as made:
        yield made


async def test_a_message_is_answered_and_its_task_completed(here: World):
    task_id = await here.ask()
    assert await here.worker("Paris.").work_once()
    (answer,) = here.answers
    assert (answer.to, answer.text, answer.spoken, answer.reply_to_id) == (HERE, "Paris.", False, "10")
    assert (await here.task_of(task_id)).status == "complete"
    assert not await here.worker("Paris.").work_once()


async def test_a_spoken_message_is_answered_by_voice_too_in_its_language(here: World):
    await here.ask("Was ist die Hauptstadt?", spoken=True, language="de")
    await here.worker("Paris.").work_once()
    assert (here.answers[0].spoken, here.answers[0].language) == (True, "de")


async def test_the_form_and_language_that_the_owner_chose_come_first(here: World):
    await here.store.conversations.prefer("telegram", "1", Preferences(language="fr", answer="text"))
    await here.ask(spoken=True, language="de")
    await here.worker("Paris.").work_once()
    assert (here.answers[0].spoken, here.answers[0].language) == (False, "fr")


async def test_the_conversation_is_shown_and_continued(here: World):
    await here.store.conversations.append(HERE, [Turn("user", "I am in France.")], key="k", person_id="1")
    worker = here.worker_with(model := Script("Paris."))
    await here.ask("What is the capital?")
    await worker.work_once()
    assert [turn.text for turn in model.seen[0][1:-1]] == ["I am in France."]
    assert model.seen[0][-1].text.endswith("What is the capital?")
    kept = await here.store.conversations.read(HERE, turns=9, chars=999)
    assert [turn.text for turn in kept] == ["I am in France.", "What is the capital?", "Paris."]


async def test_a_question_that_the_chat_service_has_kept_is_shown_and_kept_once(here: World):
    conversations = here.store.conversations
    await conversations.append(HERE, [Turn("user", "Tea?")], key="telegram:7:9:asked", person_id="1")
    await conversations.append(HERE, [Turn("user", "Tea?")], key="telegram:7:10:asked", person_id="1")
    worker = here.worker_with(model := Script("Yes."))
    await here.ask("Tea?")
    await worker.work_once()
    assert [turn.text for turn in model.seen[0][1:-1]] == ["Tea?"]
    assert [turn.text for turn in await conversations.read(HERE, turns=9, chars=999)] == ["Tea?", "Tea?", "Yes."]


async def test_an_answer_of_a_lost_attempt_is_not_taken_for_an_earlier_one(here: World):
    kept = [Turn("assistant", "Yes.")]
    await here.store.conversations.append(HERE, kept, key="telegram:7:10:answered", person_id="1")
    worker = here.worker_with(model := Script("Yes."))
    await here.ask("Tea?")
    await worker.work_once()
    assert [turn.role for turn in model.seen[0]] == ["system", "user"]


@pytest.mark.parametrize("round_number", [0, 1])
async def test_what_was_asked_before_a_reset_is_answered_after_it_and_not_remembered(here: World, round_number):
    asked = Message(HERE, ASKED.message_id, Person("1", "Anna"), START, ASKED.text)
    await here.store.inbox.receive(asked)
    await here.ask()
    for number in range(round_number):
        await here.store.journal.record(key_of(ASKED.key, number), FAILED, "", person=ASKED.account)
    await here.store.conversations.reset(HERE)
    await here.worker("Paris.").work_once()
    assert [answer.text for answer in here.answers] == ["Paris."]
    assert await here.store.conversations.read(HERE, turns=9, chars=999) == ()


async def test_a_tool_is_used_and_its_result_is_shown_to_the_model(here: World):
    worker = here.worker_with(model := Script(call("remember", text="The bike is blue."), "It is noted."))
    await here.ask("Remember that the bike is blue.")
    await worker.work_once()
    assert [memory.text for memory in await here.store.memories.all("telegram", "1")] == ["The bike is blue."]
    assert [turn.role for turn in model.seen[1][-2:]] == ["assistant", "tool"]
    assert here.answer == "It is noted."


@pytest.mark.parametrize("about", ["", "me", "Anna", "everything you know about me"])
async def test_what_is_known_of_the_owner_is_all_that_they_told(here: World, about):
    for number, fact in enumerate(("The bike is blue.", "Bob is my cat.")):
        await here.store.memories.remember("telegram", "1", fact, key=f"k{number}")
    worker = here.worker_with(model := Script(call("recall", about=about), "This and that."))
    await here.ask("What do you know about me?")
    await worker.work_once()
    recalled = model.seen[1][-1].text
    assert "The bike is blue." in recalled
    assert "Bob is my cat." in recalled


async def test_what_takes_long_is_told_in_one_message_that_changes(here: World):
    await here.ask()
    await here.worker(call("say", text="Looking."), call("say", text="Still looking."), "Paris.").work_once()
    progress, answer = here.messenger.sent
    assert (progress.text, answer.text) == ("⏳ Still looking.", "Paris.")
    task = await here.task_of("1")
    assert [(update.kind, update.text) for update in task.updates] == [
        ("progress", "Looking."),
        ("progress", "Still looking."),
    ]


async def test_the_owner_hears_of_work_that_says_nothing_for_a_while(here: World):
    here.manners = replace(here.manners, slow_s=0.0)
    waiting = asyncio.Event()

    class Slow:
        async def reply(self, history, *, tools=()):
            await waiting.wait()
            async for event in Script("Paris.").reply(history, tools=tools):
                yield event

    await here.ask()
    working = asyncio.create_task(here.worker_with(Slow()).work_once())
    while not here.messenger.sent:  # noqa: ASYNC110 - the fake rings no bell
        await asyncio.sleep(0)
    waiting.set()
    await working
    assert [sent.text for sent in here.messenger.sent] == ["⏳ I'm working on it …", "Paris."]


async def test_a_delivery_that_fails_is_tried_again_and_the_work_is_not(here: World):
    here.messenger = MemoryMessenger(TooSlow("Not yet."), Unreachable("Gone."))
    await here.ask()
    worker = here.worker_with(model := Script("Paris.", "London."))
    for _ in range(3):
        await worker.work_once()
    assert (here.answer, len(model.seen), here.messenger.tries) == ("Paris.", 1, 3)
    assert (await here.task_of("1")).status == "complete"


async def test_a_second_try_at_a_delivery_is_the_same_request_whatever_was_chosen_meanwhile(here: World):
    here.messenger = MemoryMessenger(TooSlow("Not yet."))
    await here.ask(spoken=True, language="de")
    worker = here.worker("Paris.")
    await worker.work_once()
    await here.store.conversations.prefer("telegram", "1", Preferences(language="fr", answer="text"))
    await worker.work_once()
    assert [(sent.text, sent.spoken, sent.language) for sent in here.answers] == [("Paris.", True, "de")]


async def test_an_answer_that_can_never_be_delivered_ends_the_task_as_failed(here: World):
    here.messenger = MemoryMessenger(NotAllowed("They blocked June."))
    await here.ask()
    await here.worker("Paris.").work_once()
    task = await here.task_of("1")
    assert (task.status, "They blocked June." in task.notes) == ("dead", True)


@pytest.mark.parametrize("call", ["extend", "complete"])
async def test_a_board_that_is_away_when_the_answer_is_there_is_told_when_it_is_back(here: World, call, monkeypatch):
    told, failures = getattr(here.board, call), [Unreachable("The board is away.")]

    async def unreliable(*arguments, **options):
        if failures:
            raise failures.pop()
        await told(*arguments, **options)

    monkeypatch.setattr(here.board, call, unreliable)
    await here.ask()
    await here.worker("Paris.").work_once()
    task = await here.task_of("1")
    assert (here.answer, task.status, failures) == ("Paris.", "complete", [])
    assert [update for update in task.updates if update.kind == "blocker"] == []


async def test_a_model_that_is_away_is_asked_again_later(here: World):
    await here.ask()
    worker = here.worker(Unreachable("The model is away."), "Paris.")
    await worker.work_once()
    assert (await here.task_of("1")).status == "available"
    await worker.work_once()
    assert here.answer == "Paris."


async def test_the_owner_reads_why_when_a_model_stays_away(here: World):
    await here.ask()
    worker = here.worker(Unreachable("The model is away. Start it."))
    for _ in range(5):
        await worker.work_once()
    assert here.answer == "⚠️ The model is away. Start it."
    assert (await here.task_of("1")).status == "dead"
    assert not await worker.work_once()


async def test_an_engine_that_fails_for_good_is_told_at_once(here: World):
    await here.ask()
    await here.worker(EngineError("The model broke.")).work_once()
    assert here.answer == "⚠️ The model broke."


async def test_a_task_that_is_nobody_s_message_ends_with_its_result_in_its_notes(here: World):
    task_id = await here.board.create(NewTask("Sum up", "1 + 1", "It is a number."), key="k")
    await here.worker("2").work_once()
    task = await here.task_of(task_id)
    assert (task.status, task.notes, here.messenger.sent) == ("complete", "2", [])


async def test_a_message_that_can_t_be_read_ends_as_failed(here: World):
    task_id = await here.board.create(NewTask("Answer", 'x\n\njune-request {"platform"', "x"), key="k")
    await here.worker("2").work_once()
    assert (await here.task_of(task_id)).status == "dead"


async def test_whoever_lost_the_claim_sends_nothing(here: World):
    await here.ask()

    class Stolen:
        async def reply(self, history, *, tools=()):
            here.clock.forward(seconds=61)
            assert await here.board.claim("another", lease_s=60) is not None
            async for event in Script("Paris.").reply(history, tools=tools):
                yield event

    await here.worker_with(Stolen()).work_once()
    assert here.messenger.sent == []
    task = await here.task_of("1")
    assert (task.status, task.agent_id) == ("in_progress", "another")


async def test_work_that_lost_its_claim_is_broken_off(here: World):
    here.manners = replace(here.manners, lease_s=0.03)
    await here.ask()

    class Endless:
        async def reply(self, history, *, tools=()):
            here.clock.forward(seconds=1)
            await asyncio.Event().wait()
            yield

    assert await here.worker_with(Endless()).work_once()
    assert here.messenger.sent == []


async def test_an_agent_that_is_stopped_gives_its_task_back(here: World):
    await here.ask()
    begun = asyncio.Event()

    class Endless:
        async def reply(self, history, *, tools=()):
            begun.set()
            await asyncio.Event().wait()
            yield

    working = asyncio.create_task(here.worker_with(Endless()).work_once())
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert (await here.task_of("1")).status == "available"


async def test_several_agents_answer_each_message_once(here: World):
    for number in range(40):
        await here.ask(f"Question {number}", message_id=str(number))
    workers = [here.worker("Yes.", agent_id=f"june-{number}") for number in range(4)]

    async def drain(worker):
        while await worker.work_once():
            pass

    await asyncio.gather(*map(drain, workers))
    assert sorted(sent.key for sent in here.answers) == sorted(f"telegram:7:{number}:answer" for number in range(40))


async def test_what_the_owner_told_before_is_shown_where_it_has_to_do_with_the_message(here: World):
    for number, text in enumerate(("My sister is called Clara.", "The bike is blue.")):
        await here.store.memories.remember("telegram", "1", text, key=str(number))
    worker = here.worker_with(model := Script("She is your sister."))
    await here.ask("Who is Clara?")
    await worker.work_once()
    shown = model.seen[0][-1].text
    assert "Clara." in shown
    assert "bike" not in shown
    await here.ask("Who is Clara?", message_id="11", person_id="2")
    await worker.work_once()
    assert "called" not in model.seen[1][-1].text

"""The owner is asked before what can't be undone, and decides by a button."""

import asyncio

import pytest

from essence.agent.tools.tool import Arguments, Tool, typed
from essence.errors import NotAllowed, NotFound
from essence.work import pressed_choice
from tests.agent_house import Script, World, call, world


class Launch(Arguments):
    target: str


@pytest.fixture
async def here():
    async with world() as made:
        made.launched = []

        async def run(_, wanted: Launch) -> str:
            made.launched.append(wanted.target)
            return "Launched."

        outside = frozenset({"outside"})
        made.tools = (Tool("launch", "Launch.", *typed(Launch), run, effect="risk", proves=outside, repeatable=False),)
        yield made


async def asked(here: World) -> dict[str, str]:
    """Wait for the question; the id of its approval by the label of each button."""
    while not (questions := [sent for sent in here.messenger.sent if sent.buttons]):  # noqa: ASYNC110 - no bell rings
        await asyncio.sleep(0)
    return {button.label: button.data for button in questions[-1].buttons}


async def press(here: World, label: str, person_id: str = "1") -> None:
    choice, approval_id = pressed_choice((await asked(here))[label])
    await here.store.approvals.decide(approval_id, person_id, choice)


async def begin(here: World, *replies) -> tuple[asyncio.Task, Script]:
    await here.ask("Launch it")
    worker = here.worker_with(model := Script(*replies))
    return asyncio.create_task(worker.work_once()), model


async def test_it_is_done_once_the_owner_says_so(here):
    working, _ = await begin(here, call("launch", target="Mars"), "It is launched.")
    await press(here, "Do it")
    await working
    assert here.launched == ["Mars"]
    assert here.answer == "It is launched."


async def test_the_question_shows_what_would_be_done_and_afterwards_how_it_ended(here):
    working, _ = await begin(here, call("launch", target="Mars"), "Fine.")
    await asked(here)
    question = here.messenger.sent[0]
    assert question.text == "May I do this?\n\n**launch**\n```\ntarget: Mars\n```"
    await press(here, "Cancel")
    await working
    assert question.text.endswith("_Left undone._")


@pytest.mark.parametrize(("label", "told"), [("Cancel", "said no"), ("Fix", "what to change")])
async def test_it_is_left_undone_when_the_owner_says_no_and_the_model_hears_it(here, label, told):
    working, model = await begin(here, call("launch", target="Mars"), "As you like.")
    await press(here, label)
    await working
    assert here.launched == []
    assert told in model.seen[1][-1].text


async def test_no_answer_in_time_is_a_no(here):
    here.approval_s = 1.0
    working, model = await begin(here, call("launch", target="Mars"), "Nobody answered.")
    await asked(here)
    here.clock.forward(seconds=2)
    here.store.approvals._bell.ring_all()
    await working
    assert here.launched == []
    assert "did not answer in time" in model.seen[1][-1].text
    with pytest.raises(NotFound):
        await press(here, "Do it")


async def test_nobody_else_s_button_counts(here):
    working, _ = await begin(here, call("launch", target="Mars"), "Fine.")
    with pytest.raises(NotAllowed):
        await press(here, "Do it", person_id="2")
    assert here.launched == []
    await press(here, "Cancel")
    await working


async def test_an_agent_that_takes_over_goes_on_with_the_same_question(here):
    working, model = await begin(here, call("launch", target="Mars"), "It is launched.")
    await asked(here)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await press(here, "Do it")
    await here.worker_with(model).work_once()
    assert here.launched == ["Mars"]
    assert len([sent for sent in here.messenger.sent if sent.buttons]) == 1


async def test_what_was_done_is_not_done_again_by_an_agent_that_takes_over(here):
    working, model = await begin(here, call("launch", target="Mars"), "It is launched.")
    await press(here, "Do it")
    while not here.launched:  # noqa: ASYNC110 - no bell rings
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await here.worker_with(model).work_once()
    assert here.launched == ["Mars"]

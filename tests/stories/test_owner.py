"""The whole way of an owner's message, each service as its command starts it: chat, board, agent, Message API, chat."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, contextmanager

import pytest
import pytest_asyncio

from essence.config import TaskBoards
from essence.tasks.opening import open_board
from tests.crash.owner_world import QUESTION, SERVICES, OwnersJune, owners_june
from tests.crash.world import ANSWER

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE_S = 60.0
HEARD = "what is the capital of france"


@contextmanager
def running(june: OwnersJune, name: str):
    with june.log(name).open("wb") as log:
        command = [sys.executable, "-m", "essence", name]
        process = subprocess.Popen(command, env=june.environment(), stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def june(tmp_path_factory) -> AsyncIterator[OwnersJune]:
    """All services, and an owner whose text and note have been answered, in this order."""
    async with owners_june(tmp_path_factory.mktemp("june")) as made:
        with ExitStack() as stack:
            for name in SERVICES:
                stack.enter_context(running(made, name))
            for name in SERVICES:
                await made.healthy(name)
            for kind in ("text", "voice"):
                await made.say(kind)
                await made.ann.receives(timeout_s=PATIENCE_S)
                await made.until_over(tasks=1 if kind == "text" else 2)
            yield made


async def test_a_text_is_answered_by_a_text_and_a_note_by_a_text_and_a_note(june: OwnersJune):
    text, text_of_note, note = june.ann.chat.answers
    assert [(answer.text, bool(answer.voice)) for answer in (text, text_of_note)] == [(ANSWER, False)] * 2
    assert note.voice


async def test_each_answer_replies_to_its_question(june: OwnersJune):
    asked = [message.message_id for message in june.ann.chat.messages if message.sender == june.ann.person]
    text, text_of_note, _ = june.ann.chat.answers
    assert [answer.reply_to.message_id for answer in (text, text_of_note)] == asked[:2]


async def test_the_tasks_are_complete_and_nobody_is_offered_them_again(june: OwnersJune):
    assert june.outcome().tasks == (("complete", 1), ("complete", 1))
    async with open_board(june.environment()["TASKS_URL"], TaskBoards(_env_file=None, store_url="memory://")) as board:
        assert await board.claim("another", lease_s=60) is None


async def test_the_history_holds_questions_and_answers_once(june: OwnersJune):
    said = [("user", QUESTION), ("assistant", ANSWER), ("user", HEARD), ("assistant", ANSWER)]
    assert list(june.outcome().history) == said


async def test_the_model_is_asked_once_for_each_and_shown_what_was_said_before_once(june: OwnersJune):
    first, second = [call.body["messages"] for call in june.model.calls]
    assert [turn["role"] for turn in first] == ["system", "user"]
    assert [turn["content"] for turn in second[1:3]] == [QUESTION, ANSWER]
    assert second[3]["content"].endswith(HEARD)
    assert len(second) == 4


async def test_status_tells_of_the_agent(june: OwnersJune):
    await june.ann.says("/status")
    said = await june.ann.chat.until(lambda: next((a.text for a in june.ann.chat.answers if "Agent" in a.text), None))
    assert "tasks go to the agent" in said

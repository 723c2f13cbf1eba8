"""One task for each key, on a board that knows no keys."""

import asyncio

import pytest
from structlog.testing import capture_logs

from essence.dialogue import Address
from essence.errors import ConfigError, InvalidInput, JuneError, NotFound, TooSlow
from essence.fakes.todorama import Hang, LostAnswer, Reset, ServerError, TodoramaServer, TooManyRequests
from essence.work import NewTask, Request, request_of
from tests.far_boards import far_board, new


@pytest.mark.parametrize("fault", [LostAnswer(), Hang(after_effect=True)], ids=repr)
async def test_a_lost_answer_makes_no_second_task(fault):
    async with TodoramaServer() as todorama, far_board(todorama, deadline_s=1) as board:
        todorama.fails("create_task", fault)
        task_id = await board.create(new(), key="k")
        assert await board.create(new(), key="k") == task_id
        assert list(todorama.tasks) == [int(task_id)]


@pytest.mark.parametrize("fault", [Reset(), ServerError(503), TooManyRequests(0)], ids=repr)
async def test_a_task_that_was_not_made_is_made_by_the_next_try(fault):
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        todorama.fails("create_task", fault)
        with pytest.raises(JuneError) as error:
            await board.create(new(), key="k")
        assert error.value.retryable
        await board.create(new(), key="k")
        assert len(todorama.tasks) == 1


async def test_a_search_that_fails_makes_nothing_blindly():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        todorama.fails("search_tasks", ServerError(), times=2)
        with pytest.raises(JuneError):
            await board.create(new(), key="k")
        assert not todorama.calls_of("create_task")


async def test_a_process_that_was_killed_before_it_knew_the_answer_makes_no_second_task(tmp_path):
    url = f"sqlite:///{tmp_path}/june.db"
    async with TodoramaServer() as todorama:
        async with far_board(todorama, url) as board:
            todorama.fails("create_task", Hang(after_effect=True))
            making = asyncio.create_task(board.create(new(), key="k"))
            await todorama.until(lambda: len(todorama.tasks) == 1)
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
        async with far_board(todorama, url) as board:
            assert await board.create(new(), key="k") == "1"
        assert len(todorama.tasks) == 1


async def test_a_process_with_another_store_finds_the_task():
    async with TodoramaServer() as todorama, far_board(todorama) as one, far_board(todorama) as other:
        assert await other.create(new(), key="k") == await one.create(new(), key="k")


async def test_many_who_make_the_same_task_at_once_make_one(tmp_path):
    url = f"sqlite:///{tmp_path}/june.db"
    async with TodoramaServer() as todorama, far_board(todorama, url) as one, far_board(todorama, url) as other:
        making = (board.create(new(), key="k") for board in (one, other) * 5)
        assert len(set(await asyncio.gather(*making))) == 1
        assert len(todorama.tasks) == 1


async def test_a_known_key_costs_no_request():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        await board.create(new(), key="k")
        before = len(todorama.calls)
        await board.create(new(), key="k")
        assert len(todorama.calls) == before


KEYS = ["telegram:7:1", "telegram:7:12", "telegram:7:123", "%", "_", "100%_", "ключ 🔑", "\0", "\ud800", "k" * 10_000]


async def test_no_key_is_taken_for_another():
    async with TodoramaServer() as todorama, far_board(todorama) as one, far_board(todorama) as other:
        made = [await one.create(new(), key=key) for key in KEYS]
        assert len(set(made)) == len(KEYS)
        assert [await other.create(new(), key=key) for key in KEYS] == made


WORDS = ["Füttere die Katze \N{CAT}\u200d\N{BLACK LARGE SQUARE}", "给猫喂食", "é" * 300_000, "a\r\nb\tc", '"\\']
LIKE_A_MARK = ["june-key 0123", "x\n\njune-key " + "0" * 32]


@pytest.mark.parametrize("text", WORDS + LIKE_A_MARK, ids=lambda text: ascii(text[:20]))
async def test_words_come_back_as_they_were(text):
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task = await board.read(await board.create(NewTask(text, text, text), key="k"))
        assert (task.title, task.instruction, task.verification) == (text, text, text)


async def test_what_no_json_can_hold_is_left_out():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task = await board.read(await board.create(NewTask("a\0b\ud800", "i", "v"), key="k"))
        assert task.title == "ab\N{REPLACEMENT CHARACTER}"


async def test_a_message_that_became_a_task_is_read_from_it():
    asked = Request(Address("telegram", "7"), "1", "9", "Wo ist mein Schlüssel?", name="Änne", spoken=True)
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        await board.create(asked.as_task(), key=asked.key)
        claim = await board.claim("a", lease_s=60)
        assert request_of(claim.task) == asked


async def test_a_task_that_says_nothing_costs_no_request():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        await board.claim("a", lease_s=60)
        before = len(todorama.calls)
        with pytest.raises(InvalidInput):
            await board.create(NewTask(" ", "i", "v"), key="k")
        assert len(todorama.calls) == before


async def test_a_subtask_is_part_of_its_parent():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        parent = await board.create(NewTask("p", "i", "v", kind="epic"), key="p")
        child = await board.create(NewTask("c", "i", "v", parent_task_id=parent), key="c")
        ancestry = todorama.does("get_task_context", task_id=child)["ancestry"]
        assert [row["id"] for row in ancestry] == [int(parent)]


async def test_tasks_are_made_in_the_project_that_the_board_has():
    async with TodoramaServer(projects=(1, 2)) as todorama, far_board(todorama, project="1") as board:
        own = await board.create(new(), key="k")
        named = await board.create(NewTask("t", "i", "v", project_id="2"), key="l")
        assert (todorama.tasks[int(own)].project_id, todorama.tasks[int(named)].project_id) == (1, 2)


async def test_a_board_without_the_project_gets_tasks_without_one_and_says_so_once():
    with capture_logs() as logs:
        async with TodoramaServer() as todorama, far_board(todorama, project="1") as board:
            for key in "abc":
                await board.create(new(), key=key)
            assert {task.project_id for task in todorama.tasks.values()} == {None}
            assert len([await board.claim(agent, lease_s=60) for agent in "xyz"]) == 3
    warnings = [log for log in logs if log["event"] == "task_project_missing"]
    assert [(log["log_level"], log["setting"]) for log in warnings] == [("warning", "TODORAMA_PROJECT_ID")]


async def test_a_project_that_was_named_must_be_there():
    async with TodoramaServer(projects=(1,)) as todorama, far_board(todorama, project="1") as board:
        with pytest.raises(NotFound):
            await board.create(NewTask("t", "i", "v", project_id="7"), key="k")
        assert not todorama.tasks


async def test_a_project_setting_that_is_no_number_is_told():
    async with TodoramaServer() as todorama:
        with pytest.raises(ConfigError, match="TODORAMA_PROJECT_ID"):
            async with far_board(todorama, project="june"):
                pass


async def test_waiting_for_another_maker_ends():
    async with TodoramaServer() as todorama, far_board(todorama, deadline_s=0.2) as board:
        assert await board._plain._ledger.begin("k", "another process", lease_s=60)
        with pytest.raises(TooSlow, match="Another process"):
            await board.create(new(), key="k")
        assert not todorama.tasks

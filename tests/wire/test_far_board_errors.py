"""What goes wrong between June and a board comes out as June's errors, and the next call works."""

import asyncio
import importlib.util
import socket

import pytest

from essence.errors import (
    ConfigError,
    EngineMissing,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    StoreError,
    TooSlow,
    Unreachable,
)
from essence.fakes.openai_server import Answer, OpenAiServer
from essence.fakes.todorama import Hang, LostAnswer, Reset, ServerError, Slow, TodoramaServer, TooManyRequests
from essence.tasks import far
from essence.work import NewTask
from tests.far_boards import far_board, made_by_another, new


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (TooManyRequests(0), RateLimited),
        (ServerError(500), Unreachable),
        (ServerError(503), Unreachable),
        (ServerError(401), NotAllowed),
        (ServerError(422), InvalidInput),
        (Reset(), Unreachable),
        (LostAnswer(), Unreachable),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
@pytest.mark.parametrize("tool", ["get_task_context", "initialize", "tools/list"])
async def test_a_failure_is_told_and_the_next_call_works(fault, error, tool):
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        todorama.fails(tool, fault)
        with pytest.raises(error):
            await board.read(task_id)
        assert (await board.read(task_id)).title == "Feed the cat"


@pytest.mark.parametrize("tool", ["get_task_context", "initialize", "tools/list"])
async def test_a_board_that_hangs_is_too_slow_and_keeps_nobody_else_waiting(tool):
    async with TodoramaServer() as todorama, far_board(todorama, deadline_s=2) as board:
        task_id = made_by_another(todorama)
        todorama.fails(tool, Hang())
        with pytest.raises(TooSlow):
            await board.read(task_id)
        assert (await board.read(task_id)).title == "Feed the cat"


async def test_calls_that_run_side_by_side_fail_by_themselves():
    async with TodoramaServer() as todorama, far_board(todorama, deadline_s=2) as board:
        task_id = made_by_another(todorama)
        await board.read(task_id)
        for fault in (Hang(), Reset(), Slow(0.1)):
            todorama.fails("get_task_context", fault)
        results = await asyncio.gather(*(board.read(task_id) for _ in range(8)), return_exceptions=True)
        failed = [type(result) for result in results if isinstance(result, Exception)]
        assert sorted(kind.__name__ for kind in failed) == ["TooSlow", "Unreachable"]


async def test_a_cancelled_call_leaves_the_session_whole():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        await board.read(task_id)
        todorama.fails("get_task_context", Hang())
        call = asyncio.create_task(board.read(task_id))
        await todorama.until(lambda: len(todorama.calls_of("get_task_context")) == 2)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
        assert (await board.read(task_id)).title == "Feed the cat"
        assert len(todorama.calls_of("initialize")) == 1


async def test_a_limit_says_how_long_and_is_kept_to_without_a_request():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        todorama.fails("get_task_context", TooManyRequests(41))
        with pytest.raises(RateLimited) as first:
            await board.read(task_id)
        assert first.value.retry_after_s == 41
        before = len(todorama.calls)
        with pytest.raises(RateLimited) as second:
            await board.read(task_id)
        assert 0 < second.value.retry_after_s <= 41
        assert len(todorama.calls) == before


async def test_nobody_there_is_unreachable_until_somebody_is():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with far_board(f"http://127.0.0.1:{port}/mcp") as board:
        with pytest.raises(Unreachable, match=r"TASKS_URL.*python -m essence todorama"):
            await board.claim("a", lease_s=60)
        async with TodoramaServer(port=port) as todorama:
            made_by_another(todorama)
            assert await board.claim("a", lease_s=60) is not None


async def test_a_board_that_was_restarted_is_found_again():
    async with TodoramaServer() as todorama:
        port = int(todorama.url.rsplit(":", 1)[1].split("/")[0])
        async with far_board(todorama.url) as board:
            await board.read(made_by_another(todorama))
            await todorama.__aexit__(None, None, None)
            with pytest.raises(Unreachable):
                await board.read("1")
            async with TodoramaServer(port=port) as again:
                assert (await board.read(made_by_another(again))).title == "Feed the cat"


@pytest.mark.parametrize("path", ["", "/mcp/nothing/here"])
async def test_a_wrong_address_names_the_setting(path):
    async with TodoramaServer() as todorama, far_board(todorama.url.removesuffix("/mcp") + path) as board:
        with pytest.raises(ConfigError, match="TASKS_URL"):
            await board.read("1")


async def test_a_server_of_another_kind_is_told_from_a_board():
    async with OpenAiServer(Answer("hi")) as server, far_board(f"{server.url}/chat/completions") as board:
        with pytest.raises((ConfigError, StoreError)):
            await board.read("1")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8004", "ftp://host/mcp", "http://", "http://[", "grpc://h:1"])
async def test_an_address_that_is_none_names_the_setting(url):
    with pytest.raises(ConfigError, match="TASKS_URL"):
        async with far_board(url):
            pass


async def test_what_is_not_there_is_not_found():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        for task_id in ("99999", "x", "", "-1", "٣", "1 OR 1=1"):
            with pytest.raises(NotFound):
                await board.read(task_id)
        with pytest.raises(NotFound, match=r"project doesn't exist there\. Set TODORAMA_PROJECT_ID"):
            await board.create(NewTask("t", "i", "v", project_id="7"), key="k")
        with pytest.raises(NotFound):
            await board.create(NewTask("t", "i", "v", parent_task_id="7"), key="k")
        assert not todorama.tasks, "nothing is left of what was refused"


async def test_both_shapes_of_a_refusal_are_read():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        fields = {"title": "t", "task_instruction": "i", "verification_instruction": "v", "agent_id": "a"}
        call = board._wire.call
        with pytest.raises(InvalidInput, match="Invalid priority: urgent"):
            await call("create_task", fields | {"task_type": "concrete", "priority": "urgent"})
        with pytest.raises(NotFound, match="Task with ID '9'"):
            parent = {"parent_task_id": 9, "relationship_type": "subtask"}
            await call("create_task", fields | {"task_type": "concrete"} | parent)
        with pytest.raises(InvalidInput, match="CHECK constraint failed"):
            await call("create_task", fields | {"task_type": "huge"})
        with pytest.raises(InvalidInput, match="cannot be empty"):
            update = {"task_id": 1, "agent_id": "a", "content": "", "update_type": "note"}
            await call("add_task_update", update)


async def test_a_traceback_of_the_board_stays_out_of_the_error():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        with pytest.raises(StoreError) as error:
            await board._wire.call("reserve_task", {"task_id": 1})
        assert "Traceback" not in str(error.value)
        assert "\n" not in str(error.value)


async def test_a_tool_that_json_rpc_does_not_know_is_posted():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        comment = {"task_id": int(made_by_another(todorama)), "agent_id": "a", "content": "hello"}
        for _ in range(2):
            assert (await board._wire.call("create_comment", comment))["success"] is True
        assert [call.surface for call in todorama.calls_of("create_comment")] == ["rpc", "post", "post"]
        todorama.fails("create_comment", Reset())
        with pytest.raises(Unreachable):
            await board._wire.call("create_comment", comment)
        with pytest.raises(EngineMissing, match="no tool get_template"):
            await board._wire.call("get_template", {})


async def test_the_key_is_shown_in_each_request():
    async with TodoramaServer() as todorama, far_board(todorama, key="secret") as board:
        await board.create(new(), key="k")
        await board._wire.call("create_comment", {"task_id": 1, "agent_id": "a", "content": "hello"})
        assert {call.key for call in todorama.calls} == {"secret"}


def test_without_the_sdk_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineMissing, match=r"june-assistant\[tasks\]"):
        far.open_far_board  # noqa: B018 - loads it

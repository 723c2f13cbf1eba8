"""The fake against answers of the real service, as they were seen on the wire."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from essence.fakes.todorama import Hang, Limit, LostAnswer, Reset, ServerError, Slow, TodoramaServer, TooManyRequests

SEEN_AT = datetime(2026, 11, 22, 15, 54, 36, tzinfo=UTC)
STAMP = "2026-11-22 15:54:36"
PROBE = {
    "title": "Probe task",
    "task_type": "concrete",
    "task_instruction": "Do the thing",
    "verification_instruction": "Check the thing",
    "agent_id": "planner",
}
TASK = {
    "id": 1, "project_id": None, "title": "Probe task", "task_type": "concrete", "task_instruction": "Do the thing",
    "verification_instruction": "Check the thing", "task_status": "available", "verification_status": "unverified",
    "assigned_agent": None, "created_at": STAMP, "updated_at": STAMP, "completed_at": None, "notes": None,
    "priority": "medium", "estimated_hours": None, "actual_hours": None, "started_at": None, "time_delta_hours": None,
    "due_date": None, "metadata": None, "organization_id": None, "needs_verification": False,
    "effective_status": "available",
}  # fmt: skip
RESERVED = TASK | {
    "task_status": "in_progress", "assigned_agent": "agent-a", "started_at": STAMP, "effective_status": "in_progress",
}  # fmt: skip
LOCKED = (
    "Task 1 cannot be locked. Current status: in_progress, assigned to: agent-a. Only tasks with status 'available' or "
    "in 'needs_verification' state (complete but unverified) can be locked."
)


class Client:
    """Asks one server both ways."""

    def __init__(self, server: TodoramaServer, http: httpx.AsyncClient) -> None:
        self.server, self.http = server, http

    async def post(self, tool: str, **arguments):
        return await self.http.post(f"{self.server.url}/{tool}", json=arguments)

    async def ask(self, tool: str, **arguments):
        answer = await self.post(tool, **arguments)
        assert answer.status_code == 200
        return answer.json()

    async def rpc(self, method: str, **params):
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (await self.http.post(self.server.url, json=asked)).json()

    async def call(self, tool: str, **arguments):
        answer = await self.rpc("tools/call", name=tool, arguments=arguments)
        return json.loads(answer["result"]["content"][0]["text"])


@pytest.fixture
async def todorama() -> AsyncIterator[Client]:
    async with TodoramaServer(projects=(1,), now=lambda: SEEN_AT) as server, httpx.AsyncClient() as http:
        yield Client(server, http)


async def test_a_task_is_made_and_told_with_all_its_fields(todorama):
    assert await todorama.ask("create_task", **PROBE) == {"success": True, "task_id": 1}
    assert await todorama.ask("list_available_tasks", agent_type="implementation") == {"tasks": [TASK]}
    assert await todorama.call("list_available_tasks", agent_type="implementation") == {"result": [TASK]}
    assert await todorama.ask("list_available_tasks", agent_type="breakdown") == {"tasks": []}


async def test_a_subtask_has_its_relation(todorama):
    await todorama.ask("create_task", **PROBE)
    child = await todorama.ask("create_task", **PROBE, parent_task_id=1, relationship_type="subtask")
    assert child == {"success": True, "task_id": 2, "relationship_id": 1}
    assert await todorama.ask("create_task", **PROBE, parent_task_id=1) == {"success": True, "task_id": 3}


async def test_a_wrong_priority_is_refused_with_an_object(todorama):
    message = "Invalid priority: urgent. Must be one of: low, medium, high, critical"
    error = {"code": -32602, "message": message, "error_type": "ValidationError", "request_id": "f71a85a6"}
    assert await todorama.ask("create_task", **PROBE, priority="urgent") == {"success": False, "error": error}
    assert not todorama.server.tasks


async def test_an_unknown_parent_is_refused_and_the_task_stays(todorama):
    answer = await todorama.ask("create_task", **PROBE, parent_task_id=999, relationship_type="subtask")
    assert answer["error"]["message"] == "Task with ID '999' not found"
    assert (answer["error"]["code"], answer["error"]["error_type"]) == (-32603, "TaskNotFoundError")
    assert answer["error"]["context"] == {"resource_type": "Task", "resource_id": "999"}
    assert list(todorama.server.tasks) == [1]


@pytest.mark.parametrize("wrong", [{"task_type": "huge"}, {"project_id": 7}])
async def test_what_the_database_refuses_is_told_as_a_text_with_a_type(todorama, wrong):
    answer = await todorama.ask("create_task", **(PROBE | wrong))
    assert answer["success"] is False
    assert answer["error"].startswith("Database error in /mcp/create_task: ")
    assert answer["error_type"] == "IntegrityError"


async def test_a_task_is_reserved_once_even_by_the_same_agent(todorama):
    await todorama.ask("create_task", **PROBE)
    reserved = await todorama.ask("reserve_task", task_id=1, agent_id="agent-a")
    assert reserved == {"success": True, "task": RESERVED}
    for agent in ("agent-a", "agent-b"):
        refusal = await todorama.ask("reserve_task", task_id=1, agent_id=agent)
        assert refusal == {"success": False, "error": LOCKED}
    assert await todorama.call("reserve_task", task_id=1, agent_id="agent-b") == {"success": False, "error": LOCKED}


async def test_an_update_is_in_the_context_with_its_metadata_as_a_string(todorama):
    await todorama.ask("create_task", **PROBE)
    await todorama.ask("reserve_task", task_id=1, agent_id="agent-a")
    asked = {"content": "progress text", "update_type": "progress", "metadata": {"pct": 10}}
    added = await todorama.ask("add_task_update", task_id=1, agent_id="agent-a", **asked)
    assert added == {"success": True, "update_id": 3, "task_id": 1, "message": "Update added successfully to task 1"}
    context = await todorama.ask("get_task_context", task_id=1)
    row = {"task_id": 1, "field_name": None, "old_value": None, "new_value": None, "notes": None, "created_at": STAMP}
    told = {"id": 3, "agent_id": "agent-a", "change_type": "progress", "new_value": '{"pct": 10}'}
    locked = {"field_name": "task_status", "old_value": "available", "new_value": "in_progress"}
    assert context == {
        "success": True,
        "task": RESERVED,
        "project": None,
        "updates": [row | told | {"notes": "progress text"}],
        "ancestry": [],
        "recent_changes": [
            row | {"id": 1, "agent_id": "planner", "change_type": "created"},
            row | {"id": 2, "agent_id": "agent-a", "change_type": "locked"} | locked,
        ],
    }


async def test_wrong_updates_are_refused(todorama):
    await todorama.ask("create_task", **PROBE)
    update = {"task_id": 1, "agent_id": "a"}
    wrong = await todorama.ask("add_task_update", **update, content="x", update_type="status")
    assert wrong["error"] == "Cannot add update to task 1: Invalid update_type: status"
    empty = await todorama.ask("add_task_update", **update, content="", update_type="note")
    assert empty["error"] == "Update content cannot be empty"


async def test_completing_may_bring_a_followup(todorama):
    await todorama.ask("create_task", **PROBE)
    await todorama.ask("reserve_task", task_id=1, agent_id="agent-a")
    followup = {
        "followup_title": "Follow", "followup_task_type": "concrete", "followup_instruction": "next step",
        "followup_verification": "check",
    }  # fmt: skip
    done = await todorama.ask(
        "complete_task", task_id=1, agent_id="agent-a", notes="done", actual_hours=0.5, **followup
    )
    assert done == {"success": True, "task_id": 1, "completed": True, "followup_task_id": 2}


async def test_what_is_complete_is_offered_again_and_a_second_completion_verifies_it(todorama):
    await todorama.ask("create_task", **PROBE)
    await todorama.ask("complete_task", task_id=1, agent_id="agent-a")  # nobody had reserved it
    offered = (await todorama.ask("list_available_tasks", agent_type="implementation"))["tasks"]
    assert [(task["id"], task["needs_verification"], task["effective_status"]) for task in offered] == [
        (1, True, "needs_verification")
    ]
    assert await todorama.ask("complete_task", task_id=1, agent_id="agent-b", notes="n2") == {
        "success": True, "task_id": 1, "verified": True, "message": "Task 1 verified by agent agent-b",
    }  # fmt: skip
    assert (await todorama.ask("list_available_tasks", agent_type="implementation"))["tasks"] == []


async def test_what_was_completed_and_unlocked_is_available_and_only_verified_when_it_is_done_again(todorama):
    await todorama.ask("create_task", **PROBE)
    await todorama.ask("complete_task", task_id=1, agent_id="a")
    reserved = await todorama.ask("reserve_task", task_id=1, agent_id="b")
    assert reserved["task"]["completed_at"] == STAMP
    await todorama.ask("unlock_task", task_id=1, agent_id="b")
    assert todorama.server.tasks[1].task_status == "available"
    assert (await todorama.ask("complete_task", task_id=1, agent_id="b"))["verified"] is True


async def test_others_may_not_complete_or_unlock_but_in_bulk_they_may(todorama):
    await todorama.ask("create_task", **PROBE)
    await todorama.ask("reserve_task", task_id=1, agent_id="agent-a")
    complete = await todorama.ask("complete_task", task_id=1, agent_id="agent-b")
    assert complete["error"] == (
        "Task 1 is currently assigned to agent 'agent-a'. Only the assigned agent can complete this task."
    )
    unlock = await todorama.ask("unlock_task", task_id=1, agent_id="agent-b")
    assert unlock["error"] == (
        "Task 1 is assigned to agent 'agent-a', not 'agent-b'. Only the assigned agent can unlock this task."
    )
    bulk = await todorama.ask("bulk_unlock_tasks", task_ids=[1], agent_id="agent-b")
    assert bulk == {
        "success": True, "unlocked_count": 1, "unlocked_task_ids": [1], "failed_count": 0, "failed_task_ids": [],
    }  # fmt: skip


async def test_verify_works_on_what_was_never_done(todorama):
    await todorama.ask("create_task", **PROBE)
    answer = await todorama.ask("verify_task", task_id=1, agent_id="z")
    assert answer == {"success": True, "task_id": 1, "message": "Task 1 verified by agent z"}
    assert todorama.server.tasks[1].task_status == "available"


async def test_a_blocker_disappears_and_its_parent_stays_blocked(todorama):
    await todorama.ask("create_task", **PROBE)
    await todorama.ask("create_task", **PROBE, parent_task_id=1, relationship_type="blocked_by")
    assert (await todorama.ask("list_available_tasks", agent_type="implementation"))["tasks"] == []
    await todorama.ask("complete_task", task_id=2, agent_id="a")
    await todorama.ask("verify_task", task_id=2, agent_id="a")
    assert todorama.server.tasks[1].task_status == "blocked"


async def test_a_parent_is_complete_when_its_subtasks_are(todorama):
    await todorama.ask("create_task", **(PROBE | {"task_type": "epic"}))
    for _ in range(2):
        await todorama.ask("create_task", **PROBE, parent_task_id=1, relationship_type="subtask")
    await todorama.ask("complete_task", task_id=2, agent_id="a")
    assert todorama.server.tasks[1].task_status == "available"
    await todorama.ask("complete_task", task_id=3, agent_id="a")
    assert todorama.server.tasks[1].task_status == "complete"


async def test_a_finding_with_a_word_in_it_raises_a_warning(todorama):
    await todorama.ask("create_task", **PROBE)
    finding = {"content": "The bread is stale.", "update_type": "finding"}
    await todorama.ask("add_task_update", task_id=1, agent_id="a", **finding)
    reserved = await todorama.ask("reserve_task", task_id=1, agent_id="b")
    assert reserved["stale_warning"]["stale_finding"] == "The bread is stale."


async def test_questions_find_the_newest_first_and_wrong_ones_find_nothing(todorama):
    for priority in ("low", "critical", "low"):
        await todorama.ask("create_task", **PROBE, priority=priority)

    async def found(**asked):
        return [task["id"] for task in (await todorama.ask("query_tasks", **asked))["tasks"]]

    assert await found() == [3, 2, 1]
    assert await found(order_by="priority") == [2, 3, 1]
    assert await found(order_by="priority_asc") == [3, 1, 2]
    assert await found(limit=1) == [3]
    assert await found(limit=0) == []
    assert await found(limit=-1) == [3, 2, 1]
    assert await found(task_status="lost") == []
    assert await found(agent_id="a") == []


async def test_search_takes_wildcards_and_leaves_computed_fields_out(todorama):
    await todorama.ask("create_task", **(PROBE | {"title": "100% done", "notes": "Ñandú"}))
    computed = ("needs_verification", "effective_status")
    for query in ("100%", "0_ D", "ñandú", "the thing"):
        (task,) = (await todorama.ask("search_tasks", query=query))["tasks"]
        assert not task.keys() & set(computed)
    assert (await todorama.ask("search_tasks", query="Check the thing"))["tasks"] == []


async def test_figures_are_told_without_success(todorama):
    unknown = await todorama.ask("get_agent_performance", agent_id="nobody")
    assert unknown == {
        "agent_id": "nobody", "tasks_completed": 0, "tasks_verified": 0, "success_rate": 0.0, "avg_time_delta": None,
        "task_type_filter": None,
    }  # fmt: skip
    await todorama.ask("create_task", **PROBE)
    statistics = await todorama.call("get_task_statistics")
    assert statistics["by_status"] == {"available": 1, "in_progress": 0, "complete": 0, "blocked": 0, "cancelled": 0}
    assert statistics["by_project"] == {"null": 1}
    summary = await todorama.ask("get_task_summary", limit=2)
    assert (summary["count"], len(summary["tasks"][0])) == (1, 10)


async def test_comments_are_told_over_post_alone(todorama):
    await todorama.ask("create_task", **PROBE)
    await todorama.ask("create_comment", task_id=1, agent_id="agent-a", content="hello @b", mentions=["agent-b"])
    comment = {
        "id": 1, "task_id": 1, "agent_id": "agent-a", "content": "hello @b", "parent_comment_id": None,
        "mentions": ["agent-b"], "created_at": STAMP, "updated_at": None,
    }  # fmt: skip
    told = await todorama.ask("get_task_comments", task_id=1)
    assert told == {"success": True, "task_id": 1, "comments": [comment], "count": 1}
    answer = await todorama.rpc("tools/call", name="create_comment", arguments={})
    assert answer["error"] == {"code": -32601, "message": "Method not found: create_comment"}


async def test_work_is_stale_by_its_last_change_which_no_update_is():
    now = [SEEN_AT]
    async with TodoramaServer(now=lambda: now[0]) as server, httpx.AsyncClient() as http:
        todorama = Client(server, http)
        assert await todorama.call("query_stale_tasks", hours=0) == {
            "success": True, "stale_tasks": [], "count": 0, "timeout_hours": 0,
        }  # fmt: skip
        await todorama.ask("create_task", **PROBE)
        await todorama.ask("reserve_task", task_id=1, agent_id="a")
        now[0] += timedelta(hours=25)
        await todorama.ask("add_task_update", task_id=1, agent_id="a", content="alive", update_type="progress")
        assert (await todorama.call("query_stale_tasks"))["count"] == 1


async def test_the_handshake_is_as_bare_as_theirs(todorama):
    greeting = await todorama.rpc("initialize", protocolVersion="2025-06-18", capabilities={})
    assert greeting["result"] == {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "serverInfo": {"name": "todo-mcp-service", "version": "1.0.0"},
    }
    assert (await todorama.rpc("ping"))["error"]["code"] == -32601
    listed = {tool["name"]: tool for tool in (await todorama.rpc("tools/list"))["result"]["tools"]}
    assert {"create_task", "query_stale_tasks", "create_comment", "list_projects"} <= listed.keys()
    assert "limit" in listed["query_tasks"]["inputSchema"]["required"]
    assert (await todorama.http.get(todorama.server.url)).status_code == 405
    assert (await todorama.http.delete(todorama.server.url)).status_code == 405


async def test_missing_fields_are_told_per_surface(todorama):
    refused = await todorama.post("reserve_task", task_id=1)
    assert refused.status_code == 422
    assert refused.json() == {
        "error": "Validation error", "detail": "One or more fields failed validation",
        "errors": ["body -> agent_id: Field required"], "path": "/mcp/reserve_task", "method": "POST",
        "request_id": "c3e977d2",
    }  # fmt: skip
    error = (await todorama.rpc("tools/call", name="reserve_task", arguments={"task_id": 1}))["error"]
    assert error["code"] == -32603
    assert error["data"].startswith("Traceback")
    broken = await todorama.http.post(f"{todorama.server.url}/reserve_task", content=b"{")
    assert broken.status_code == 422


async def test_other_wrong_requests(todorama):
    unknown = await todorama.ask("get_task_context", task_id=99999)
    assert unknown == {"success": False, "error": "Task 99999 not found. Please verify the task_id is correct."}
    assert (await todorama.post("query_stale_tasks")).json() == {"detail": "Not Found"}
    await todorama.ask("create_task", **PROBE)
    for tool, asked in (
        ("reserve_task", {"task_id": 1, "agent_id": ""}),
        ("create_task", PROBE | {"due_date": "soon"}),
    ):
        crashed = await todorama.post(tool, **asked)
        assert (crashed.status_code, crashed.json()["error"]) == (500, "Internal server error")
        assert crashed.headers["connection"] == "close"


async def test_much_is_accepted_without_complaint(todorama):
    odd = PROBE | {"title": "", "estimated_hours": -1, "unknown": 1, "task_instruction": "x" * 2**20}
    await todorama.ask("create_task", **odd)
    assert (await todorama.ask("reserve_task", task_id="1", agent_id="a"))["success"] is True


async def test_the_limit_is_one_for_all_and_told_in_each_answer():
    async with TodoramaServer(limit=Limit(requests=2)) as server, httpx.AsyncClient() as http:
        base = server.url.removesuffix("/mcp")
        health = await http.get(f"{base}/health")
        assert (health.headers["x-ratelimit-limit"], health.headers["x-ratelimit-remaining"]) == ("2", "1")
        assert (await http.post(f"{server.url}/query_tasks", json={})).status_code == 200
        refused = await http.post(f"{server.url}/query_tasks", json={})
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        body = refused.json()
        assert (body["error"], body["limit"], body["remaining"]) == ("Rate limit exceeded", 2, 0)
        assert (await http.get(f"{base}/health")).status_code == 429


async def test_the_event_stream_drips():
    async with TodoramaServer() as server, httpx.AsyncClient() as http:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
        async with http.stream("POST", f"{server.url}/sse", json=asked) as answer:
            text = "".join([piece async for piece in answer.aiter_text()])
        assert json.loads(text.removeprefix("data: "))["result"]["serverInfo"]["name"] == "todo-mcp-service"


@pytest.mark.parametrize(
    ("fault", "made"),
    [(Reset(), 0), (LostAnswer(), 1), (ServerError(502), 0), (TooManyRequests(3), 0), (Slow(0.01), 1)],
)
async def test_faults_strike_on_command_with_or_without_effect(todorama, fault, made):
    todorama.server.fails("create_task", fault)
    if isinstance(fault, Reset | LostAnswer):
        with pytest.raises(httpx.TransportError):
            await todorama.post("create_task", **PROBE)
    else:
        answer = await todorama.post("create_task", **PROBE)
        assert answer.status_code == {ServerError: 502, TooManyRequests: 429, Slow: 200}[type(fault)]
    assert len(todorama.server.tasks) == made
    assert (await todorama.ask("create_task", **PROBE))["success"] is True


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_server_that_hangs_says_nothing(todorama, after_effect):
    todorama.server.fails("create_task", Hang(after_effect=after_effect))
    with pytest.raises(httpx.ReadTimeout):
        await todorama.http.post(f"{todorama.server.url}/create_task", json=PROBE, timeout=0.2)
    assert bool(todorama.server.tasks) == after_effect


async def test_faults_may_wait_last_and_end(todorama):
    todorama.server.fails("*", ServerError(), times=None, skip=1)
    assert (await todorama.post("query_tasks")).status_code == 200
    assert [(await todorama.post("query_tasks")).status_code for _ in range(2)] == [500, 500]
    todorama.server.heals()
    assert (await todorama.post("query_tasks")).status_code == 200

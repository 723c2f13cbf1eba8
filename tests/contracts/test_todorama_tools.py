"""Each tool of the board, asked over both faces of the real process: POST /mcp/<tool>, and MCP by the official SDK."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from mcp import Client

from essence.tasks.registry import TOOLS
from tests.todorama_service import Service, running_service

Call = Callable[..., Awaitable[dict[str, Any]]]
TASK_FIELDS = {
    "id", "project_id", "title", "task_type", "task_instruction", "verification_instruction", "task_status",
    "verification_status", "assigned_agent", "created_at", "updated_at", "completed_at", "notes", "priority",
    "estimated_hours", "actual_hours", "started_at", "time_delta_hours", "due_date", "metadata", "organization_id",
    "needs_verification", "effective_status",
}  # fmt: skip
SUMMARY_FIELDS = {
    "id", "title", "task_type", "task_status", "assigned_agent", "project_id", "priority", "created_at", "updated_at",
    "completed_at",
}  # fmt: skip
CHANGE_FIELDS = {
    "id", "task_id", "agent_id", "change_type", "field_name", "old_value", "new_value", "notes", "created_at",
}  # fmt: skip
_numbers = itertools.count(1)
_tested: set[str] = set()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(f"sqlite:///{tmp_path_factory.mktemp('board')}/tasks.db") as running:
        yield running


@pytest.fixture(params=["post", "mcp"])
async def call(request: pytest.FixtureRequest, service: Service) -> AsyncIterator[Call]:
    """Asks a tool; what it answers, be it a failure."""
    if request.param == "post":
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:

            async def post(tool: str, **fields: object) -> dict[str, Any]:
                response = await http.post(f"/mcp/{tool}", json=fields)
                answer = response.json()
                assert (response.status_code == 200) is answer["success"]
                return answer

            yield post
        return

    async def tool_call(tool: str, **fields: object) -> dict[str, Any]:
        async with Client(f"{service.url}/mcp") as client:  # of one task: a fixture ends in another than it began in
            result = await client.call_tool(tool, fields)
        assert result.is_error is not result.structured_content["success"]
        return result.structured_content

    yield tool_call


@pytest.fixture
async def project(call: Call) -> int:
    """A project of this test alone: its queue and lists hold nothing else."""
    return (await call("create_project", name=f"project {next(_numbers)}"))["project_id"]


def of(*tools: str) -> Callable[[Any], Any]:
    """Says which tools a test is the contract of."""
    _tested.update(tools)
    return lambda test: test


async def new_task(call: Call, project: int, **fields: object) -> int:
    said = {
        "title": "Paint the door", "task_type": "concrete", "task_instruction": "Paint it blue.",
        "verification_instruction": "The door is blue.", "agent_id": "planner", "project_id": project,
    } | fields  # fmt: skip
    return (await call("create_task", **said))["task_id"]


async def done_task(call: Call, project: int, **fields: object) -> int:
    task_id = await new_task(call, project, **fields)
    await call("reserve_task", task_id=task_id, agent_id="painter")
    await call("complete_task", task_id=task_id, agent_id="painter", notes="blue")
    return task_id


async def task_of(call: Call, task_id: int) -> dict[str, Any]:
    return (await call("get_task_context", task_id=task_id))["task"]


def code(answer: dict[str, Any]) -> str:
    assert set(answer) == {"success", "error"}
    assert set(answer["error"]) == {"code", "message", "field"}
    return answer["error"]["code"]


def test_every_tool_has_a_contract_here():
    assert _tested == set(TOOLS)


# --- the life of a task


@of("create_task")
async def test_create_task_keeps_what_it_was_told(call, project):
    due = "2027-01-31T23:59:59+00:00"
    task_id = await new_task(call, project, priority="high", estimated_hours=1.5, due_date=due, notes="a note")
    task = await task_of(call, task_id)
    assert set(task) >= TASK_FIELDS
    assert (task["priority"], task["estimated_hours"], task["due_date"]) == ("high", 1.5, due)
    assert (task["task_status"], task["notes"], task["created_by"]) == ("available", "a note", "planner")


async def test_a_repeated_creation_makes_no_second_task(call, project):
    key = f"key {next(_numbers)}"
    first = await new_task(call, project, idempotency_key=key)
    assert await new_task(call, project, idempotency_key=key) == first
    assert len((await call("query_tasks", project_id=project))["tasks"]) == 1


async def test_a_key_that_another_agent_used_before_for_something_else_costs_nobody_their_task(call, project):
    key = f"key {next(_numbers)}"
    other = await new_task(call, project, idempotency_key=key, agent_id="cursor", task_instruction="Nothing.")
    mine = await new_task(call, project, idempotency_key=key)
    assert mine != other
    assert (await task_of(call, mine))["task_instruction"] == "Paint it blue."
    for changed in ({}, {"agent_id": "planner/2"}, {"title": "Paint it"}):
        assert await new_task(call, project, idempotency_key=key, **changed) == mine
    assert await new_task(call, project, idempotency_key=key, agent_id="cursor", title="Later") == other
    assert len((await call("query_tasks", project_id=project))["tasks"]) == 2


async def test_those_who_ask_for_the_same_under_one_key_make_one_task(call, project):
    key = f"key {next(_numbers)}"
    made = {await new_task(call, project, idempotency_key=key, agent_id=agent) for agent in ("telegram", "cli", "june")}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"task_instruction": "x" * 100_001}, "task_instruction"),
        ({"task_type": "huge"}, "task_type"),
        ({"priority": "urgent"}, "priority"),
        ({"estimated_hours": -1}, "estimated_hours"),
        ({"due_date": "tomorrow"}, "due_date"),
        ({"due_date": 1700000000}, "due_date"),
        ({"agent_id": " "}, "agent_id"),
        ({"agent_id": None}, "agent_id"),
    ],
)
async def test_a_task_that_can_t_be_is_refused_with_the_field_that_is_wrong(call, project, wrong, field):
    said = {"title": "t", "task_type": "concrete", "task_instruction": "i", "verification_instruction": "v"}
    answer = await call("create_task", **said | {"agent_id": "a", "project_id": project} | wrong)
    assert code(answer) == "invalid_input"
    assert answer["error"]["field"] == field


@pytest.mark.parametrize("wrong", [{"parent_task_id": 10**9}, {"blocked_by": [10**9]}])
async def test_a_task_of_unknown_others_is_refused_and_leaves_nothing(call, project, wrong):
    said = {"title": "t", "task_type": "concrete", "task_instruction": "i", "verification_instruction": "v"}
    answer = await call("create_task", **said, agent_id="a", project_id=project, **wrong)
    assert code(answer) == "not_found"
    assert (await call("query_tasks", project_id=project))["tasks"] == []


@of("list_available_tasks")
async def test_list_available_tasks_tells_what_each_type_of_agent_can_take_the_most_urgent_first(call, project):
    low = await new_task(call, project, priority="low")
    high = await new_task(call, project, priority="high")
    epic = await new_task(call, project, task_type="epic")
    done = await done_task(call, project)

    async def listed(agent_type):
        answer = await call("list_available_tasks", agent_type=agent_type, project_id=project)
        return [task["id"] for task in answer["tasks"]]

    assert await listed("implementation") == [high, low]
    assert await listed("breakdown") == [epic]
    assert await listed("verification") == [done]
    assert code(await call("list_available_tasks", agent_type="other")) == "invalid_input"


@of("claim_next")
async def test_claim_next_gives_each_agent_other_work_and_none_when_there_is_none(call, project):
    low = await new_task(call, project, priority="low")
    critical = await new_task(call, project, priority="critical")
    claims = [await call("claim_next", agent_id=agent, project_id=project) for agent in ("a", "b", "c")]
    assert [claim["task"] and claim["task"]["id"] for claim in claims] == [critical, low, None]
    assert claims[0]["lease_token"] == claims[0]["attempt"] == 1
    assert claims[0]["task"]["assigned_agent"] == "a"


async def test_claim_next_resumes_what_a_restarted_agent_held_but_not_what_it_is_at_work_on(call, project):
    agent = f"worker {next(_numbers)}"
    first, second = await new_task(call, project), await new_task(call, project)
    for _ in range(2):
        await call("claim_next", agent_id=agent, project_id=project)
    again = await call("claim_next", agent_id=agent, project_id=project, resume=True, holding=[first])
    assert (again["task"]["id"], again["lease_token"], again["attempt"]) == (second, 2, 2)


@of("wait_for_work")
async def test_wait_for_work_tells_of_work_and_takes_none(call, project):
    assert not (await call("wait_for_work", project_id=project, wait_s=0))["work"]
    task_id = await new_task(call, project)
    assert (await call("wait_for_work", project_id=project, wait_s=20))["work"]
    assert (await task_of(call, task_id))["task_status"] == "available"


@of("reserve_task")
async def test_reserve_task_gives_a_task_to_one_agent_and_again_to_the_same(call, project):
    task_id = await new_task(call, project)
    first = await call("reserve_task", task_id=task_id, agent_id="a")
    assert (first["task"]["task_status"], first["task"]["assigned_agent"]) == ("in_progress", "a")
    assert code(await call("reserve_task", task_id=task_id, agent_id="b")) == "conflict"
    again = await call("reserve_task", task_id=task_id, agent_id="a")
    assert again["lease_token"] > first["lease_token"]
    assert code(await call("reserve_task", task_id=10**9, agent_id="a")) == "not_found"


@of("heartbeat")
async def test_heartbeat_holds_a_task_longer_for_whoever_has_it(call, project):
    await new_task(call, project)
    claim = await call("claim_next", agent_id="a", project_id=project, lease_s=60)
    said = {"task_id": claim["task"]["id"], "lease_token": claim["lease_token"]}
    assert (await call("heartbeat", agent_id="a", **said))["lease_s"] == pytest.approx(60)
    assert (await call("heartbeat", agent_id="a", lease_s=90, **said))["lease_s"] == 90
    assert code(await call("heartbeat", agent_id="b", task_id=said["task_id"])) == "not_owner"
    assert code(await call("heartbeat", agent_id="a", task_id=said["task_id"], lease_token=99)) == "stale_lease"


@of("complete_task")
async def test_complete_task_ends_the_work_of_whoever_has_it_and_may_be_repeated(call, project):
    task_id = await new_task(call, project)
    await call("reserve_task", task_id=task_id, agent_id="a")
    assert code(await call("complete_task", task_id=task_id, agent_id="b")) == "not_owner"
    said = {"task_id": task_id, "agent_id": "a", "notes": "blue", "actual_hours": 0.5}
    assert await call("complete_task", **said) == {"success": True, "task_id": task_id, "completed": True}
    assert (await call("complete_task", **said))["repeated"] is True
    task = await task_of(call, task_id)
    assert (task["task_status"], task["notes"], task["actual_hours"]) == ("complete", "blue", 0.5)
    assert task["effective_status"] == "needs_verification"


async def test_nobody_completes_what_nobody_has_reserved(call, project):
    task_id = await new_task(call, project)
    assert code(await call("complete_task", task_id=task_id, agent_id="a")) == "conflict"


async def test_a_follow_up_is_created_whole_or_the_work_is_not_ended(call, project):
    task_id = await new_task(call, project)
    await call("reserve_task", task_id=task_id, agent_id="a")
    half = {"followup_title": "Next", "followup_task_type": "concrete"}
    assert code(await call("complete_task", task_id=task_id, agent_id="a", **half)) == "invalid_input"
    assert (await task_of(call, task_id))["task_status"] == "in_progress"
    whole = half | {"followup_instruction": "i", "followup_verification": "v"}
    answer = await call("complete_task", task_id=task_id, agent_id="a", **whole)
    followup = await task_of(call, answer["followup_task_id"])
    assert (followup["title"], followup["project_id"]) == ("Next", project)


async def test_a_parent_is_complete_once_all_its_subtasks_are(call, project):
    epic = await new_task(call, project, task_type="epic")
    parts = [await new_task(call, project, parent_task_id=epic, relationship_type="subtask") for _ in range(2)]
    for part in parts:
        assert (await task_of(call, epic))["task_status"] == "available"
        await call("reserve_task", task_id=part, agent_id="a")
        await call("complete_task", task_id=part, agent_id="a")
    assert (await task_of(call, epic))["task_status"] == "complete"


@of("verify_task")
async def test_verify_task_is_for_another_agent_than_the_one_that_did_it(call, project):
    task_id = await done_task(call, project)
    assert code(await call("verify_task", task_id=task_id, agent_id="painter")) == "not_owner"
    assert (await call("verify_task", task_id=task_id, agent_id="b"))["success"]
    assert (await call("verify_task", task_id=task_id, agent_id="b"))["repeated"]
    assert (await task_of(call, task_id))["verification_status"] == "verified"
    assert code(await call("verify_task", task_id=await new_task(call, project), agent_id="b")) == "conflict"


async def test_todorama_s_own_way_to_verify_works_too(call, project):
    """Reserve what is complete, look at it, complete it a second time."""
    task_id = await done_task(call, project)
    assert code(await call("reserve_task", task_id=task_id, agent_id="painter")) == "conflict"
    assert (await call("reserve_task", task_id=task_id, agent_id="b"))["task"]["id"] == task_id
    assert code(await call("verify_task", task_id=task_id, agent_id="c")) == "conflict"
    assert (await call("complete_task", task_id=task_id, agent_id="b"))["verified"]
    assert (await task_of(call, task_id))["assigned_agent"] == "painter"


@of("reject_task")
async def test_reject_task_puts_work_that_is_not_good_before_all_agents_again(call, project):
    task_id = await done_task(call, project)
    assert (await call("reject_task", task_id=task_id, agent_id="b", reason="It is green."))["success"]
    task = await task_of(call, task_id)
    assert (task["task_status"], task["failure"]) == ("available", "It is green.")
    taken = await call("reserve_task", task_id=task_id, agent_id="c")
    assert taken["stale_warning"]["previous_agent"] == "painter"


@of("fail_task")
async def test_fail_task_lets_a_task_rest_and_dies_after_its_attempts(call, project):
    task_id = await new_task(call, project, max_attempts=2)
    for attempt, status in ((1, "available"), (2, "dead")):
        await call("reserve_task", task_id=task_id, agent_id="a")
        answer = await call("fail_task", task_id=task_id, agent_id="a", error="no paint", retry_s=0)
        assert answer["task_status"] == status
        task = await task_of(call, task_id)
        assert (task["attempts"], task["failure"]) == (attempt, "no paint")
    assert code(await call("reserve_task", task_id=task_id, agent_id="a")) == "conflict"


async def test_a_task_that_rests_is_not_claimed_and_rests_longer_each_time(call, project):
    task_id = await new_task(call, project)
    rests = []
    for _ in range(3):
        await call("reserve_task", task_id=task_id, agent_id="a")
        rests.append((await call("fail_task", task_id=task_id, agent_id="a", error="no paint"))["retry_s"])
    assert rests == [5, 10, 20]
    assert (await call("claim_next", agent_id="a", project_id=project))["task"] is None


@of("unlock_task")
async def test_unlock_task_gives_back_what_one_has_and_counts_no_attempt(call, project):
    task_id = await new_task(call, project)
    await call("reserve_task", task_id=task_id, agent_id="a")
    assert code(await call("unlock_task", task_id=task_id, agent_id="b")) == "not_owner"
    assert (await call("unlock_task", task_id=task_id, agent_id="a"))["success"]
    task = await task_of(call, task_id)
    assert (task["task_status"], task["assigned_agent"], task["attempts"]) == ("available", None, 0)
    assert code(await call("unlock_task", task_id=task_id, agent_id="a")) == "conflict"


@of("bulk_unlock_tasks")
async def test_bulk_unlock_tasks_gives_back_one_s_own_and_tells_of_the_others(call, project):
    own, others = await new_task(call, project), await new_task(call, project)
    await call("reserve_task", task_id=own, agent_id="a")
    await call("reserve_task", task_id=others, agent_id="b")
    answer = await call("bulk_unlock_tasks", task_ids=[own, others, 10**9], agent_id="a")
    assert (answer["unlocked_count"], answer["unlocked_task_ids"], answer["failed_count"]) == (1, [own], 2)
    assert [failed["code"] for failed in answer["failed_task_ids"]] == ["not_owner", "not_found"]
    assert (await task_of(call, others))["assigned_agent"] == "b"


@of("cancel_task")
async def test_cancel_task_ends_a_task_whoever_has_it(call, project):
    task_id = await new_task(call, project)
    claim = await call("reserve_task", task_id=task_id, agent_id="a")
    assert (await call("cancel_task", task_id=task_id, agent_id="owner", reason="no door"))["success"]
    assert (await call("cancel_task", task_id=task_id, agent_id="owner"))["repeated"]
    late = await call("complete_task", task_id=task_id, agent_id="a", lease_token=claim["lease_token"])
    assert code(late) == "stale_lease"
    assert (await task_of(call, task_id))["task_status"] == "cancelled"


@of("retry_task")
async def test_retry_task_brings_a_dead_task_back_with_all_its_attempts(call, project):
    task_id = await new_task(call, project)
    assert code(await call("retry_task", task_id=task_id, agent_id="owner")) == "conflict"
    await call("reserve_task", task_id=task_id, agent_id="a")
    await call("fail_task", task_id=task_id, agent_id="a", error="no paint", final=True)
    assert (await call("retry_task", task_id=task_id, agent_id="owner"))["success"]
    assert (await call("claim_next", agent_id="a", project_id=project))["attempt"] == 1


@of("add_task_update")
async def test_add_task_update_writes_history_once_for_each_key(call, project):
    task_id = await new_task(call, project)
    key = f"key {next(_numbers)}"
    said = {"task_id": task_id, "agent_id": "a", "content": "half", "update_type": "progress", "metadata": {"pct": 50}}
    first = await call("add_task_update", **said, idempotency_key=key)
    assert (await call("add_task_update", **said, idempotency_key=key))["update_id"] == first["update_id"]
    updates = (await call("get_task_context", task_id=task_id))["updates"]
    assert [(update["notes"], update["new_value"]) for update in updates] == [("half", '{"pct":50}')]
    assert code(await call("add_task_update", **said | {"update_type": "status"})) == "invalid_input"
    assert code(await call("add_task_update", **said | {"content": " "})) == "invalid_input"
    assert code(await call("add_task_update", **said, lease_token=7)) == "stale_lease"


# --- what can be asked


@of("get_task_context")
async def test_get_task_context_tells_all_there_is_to_know(call, project):
    epic = await new_task(call, project, task_type="epic")
    task_id = await new_task(call, project, parent_task_id=epic, relationship_type="subtask")
    await call("reserve_task", task_id=task_id, agent_id="a")
    await call("add_task_update", task_id=task_id, agent_id="a", content="x", update_type="finding")
    await call("fail_task", task_id=task_id, agent_id="a", error="lost")
    context = await call("get_task_context", task_id=task_id)
    assert (context["task"]["id"], context["project"]["id"]) == (task_id, project)
    assert [task["id"] for task in context["ancestry"]] == [epic]
    assert set(context["updates"][0]) == CHANGE_FIELDS
    assert [change["change_type"] for change in context["recent_changes"]] == ["created", "locked", "failed"]
    assert context["stale_info"]["previous_agent"] == "a"
    assert code(await call("get_task_context", task_id=10**9)) == "not_found"


@of("query_tasks")
async def test_query_tasks_filters_and_pages(call, project):
    ids = [await new_task(call, project, priority=priority) for priority in ("low", "high", "low", "high", "low")]
    tag = (await call("create_tag", name=f"tag {next(_numbers)}"))["tag_id"]
    await call("assign_tag_to_task", task_id=ids[2], tag_id=tag)
    await call("reserve_task", task_id=ids[0], agent_id=f"agent of {project}")

    async def found(**asked):
        return [task["id"] for task in (await call("query_tasks", project_id=project, **asked))["tasks"]]

    assert await found() == ids
    assert await found(order_by="priority") == [ids[1], ids[3], ids[0], ids[2], ids[4]]
    assert await found(order_by="priority_asc") == [ids[0], ids[2], ids[4], ids[1], ids[3]]
    assert await found(task_status="available") == ids[1:]
    assert await found(agent_id=f"agent of {project}") == ids[:1]
    assert await found(priority="high") == [ids[1], ids[3]]
    assert await found(tag_id=tag) == await found(tag_ids=[tag]) == [ids[2]]
    assert await found(task_type="epic") == []
    for order in (None, "priority", "priority_asc"):
        pages, asked = [], {"limit": 2} | ({} if order is None else {"order_by": order})
        while True:
            page = await call("query_tasks", project_id=project, **asked)
            pages += [task["id"] for task in page["tasks"]]
            if "next_cursor" not in page:
                break
            asked["cursor"] = page["next_cursor"]
        assert pages == await found(**({} if order is None else {"order_by": order}))
    for wrong in ({"task_status": "nope"}, {"limit": 0}, {"limit": 1001}, {"cursor": "nonsense"}):
        assert code(await call("query_tasks", **wrong)) == "invalid_input"


@of("get_task_summary")
async def test_get_task_summary_tells_ten_fields(call, project):
    task_id = await new_task(call, project)
    answer = await call("get_task_summary", project_id=project, limit=2)
    assert answer["count"] == 1
    assert set(answer["tasks"][0]) == SUMMARY_FIELDS
    assert answer["tasks"][0]["id"] == task_id


@of("search_tasks")
async def test_search_tasks_finds_words_of_titles_instructions_and_notes(call, project):
    word = f"wörd{next(_numbers)}x"
    by_title = await new_task(call, project, title=f"Look for the {word.upper()} there")
    by_instruction = await new_task(call, project, task_instruction=f"Take ({word}), please")
    by_notes = await done_task(call, project)
    await call("update_task", task_id=by_notes, agent_id="a", notes=f"It was {word}")
    found = await call("search_tasks", query=word)
    assert {task["id"] for task in found["tasks"]} == {by_title, by_instruction, by_notes}
    assert [task["id"] for task in (await call("search_tasks", query=f"{word} title-less take"))["tasks"]] == []
    assert (await call("search_tasks", query=word[:-1], limit=2))["count"] == 2
    assert (await call("search_tasks", query="\" OR * NEAR( ' & !"))["success"]
    assert code(await call("search_tasks", query=" ")) == "invalid_input"


@of("query_stale_tasks")
async def test_query_stale_tasks_tells_of_what_nothing_was_heard(call, project):
    task_id = await new_task(call, project)
    await call("reserve_task", task_id=task_id, agent_id="a")
    answer = await call("query_stale_tasks", hours=0)
    assert task_id in [task["id"] for task in answer["stale_tasks"]]
    assert answer["timeout_hours"] == 0
    assert task_id not in [task["id"] for task in (await call("query_stale_tasks"))["stale_tasks"]]


@of("get_tasks_approaching_deadline")
async def test_get_tasks_approaching_deadline_tells_of_open_tasks_the_first_due_first(call, project):
    now = datetime.now(UTC)
    due = [(now + timedelta(days=days)).isoformat() for days in (2, 1, 30)]
    later, soon, _ = [await new_task(call, project, due_date=day) for day in due]
    done = await done_task(call, project, due_date=due[1])
    answer = await call("get_tasks_approaching_deadline", days_ahead=3, limit=1000)
    listed = [task["id"] for task in answer["tasks"] if task["project_id"] == project]
    assert listed == [soon, later]
    assert done not in listed


@of("get_recent_completions")
async def test_get_recent_completions_tells_of_the_last_first(call, project):
    ids = [await done_task(call, project) for _ in range(3)]
    answer = await call("get_recent_completions", project_id=project, limit=2, hours=1)
    assert [task["id"] for task in answer["tasks"]] == [ids[2], ids[1]]


@of("get_activity_feed")
async def test_get_activity_feed_tells_what_happened_since(call, project):
    task_id = await new_task(call, project)
    first = await call("get_activity_feed", task_id=task_id)
    assert [change["change_type"] for change in first["feed"]] == ["created"]
    await call("reserve_task", task_id=task_id, agent_id="a")
    since = await call("get_activity_feed", task_id=task_id, cursor=first["next_cursor"])
    assert [change["change_type"] for change in since["feed"]] == ["locked"]
    assert [
        change["agent_id"] for change in (await call("get_activity_feed", task_id=task_id, agent_id="a"))["feed"]
    ] == ["a"]
    before = await call("get_activity_feed", task_id=task_id, end_date="2020-01-01T00:00:00Z")
    assert before["feed"] == []


@of("get_task_statistics")
async def test_get_task_statistics_counts(call, project):
    blocker = await new_task(call, project)
    await new_task(call, project, blocked_by=[blocker])
    await new_task(call, project, task_type="epic")
    await done_task(call, project)
    answer = await call("get_task_statistics", project_id=project)
    counted = {"available": 2, "in_progress": 0, "complete": 1, "blocked": 1, "cancelled": 0, "dead": 0}
    assert (answer["total"], answer["by_status"]) == (4, counted)
    assert answer["by_type"] == {"concrete": 3, "abstract": 0, "epic": 1}
    assert (answer["by_project"], answer["completion_rate"]) == ({str(project): 4}, 25.0)


@of("get_agent_performance")
async def test_get_agent_performance_counts_what_others_found_good(call, project):
    agent = f"agent {next(_numbers)}"
    for verify in (True, False):
        task_id = await new_task(call, project)
        await call("reserve_task", task_id=task_id, agent_id=agent)
        await call("complete_task", task_id=task_id, agent_id=agent)
        if verify:
            await call("verify_task", task_id=task_id, agent_id="b")
    answer = await call("get_agent_performance", agent_id=agent)
    assert (answer["tasks_completed"], answer["tasks_verified"], answer["success_rate"]) == (2, 1, 50.0)
    assert (await call("get_agent_performance", agent_id="nobody at all"))["tasks_completed"] == 0


# --- what a task is


@of("update_task", "get_task_versions", "get_task_version", "get_latest_task_version", "diff_task_versions")
async def test_what_a_task_was_is_kept_as_versions(call, project):
    task_id = await new_task(call, project)
    changed = await call("update_task", task_id=task_id, agent_id="a", title="Paint the gate", priority="high")
    assert (sorted(changed["changed_fields"]), changed["version_number"]) == (["priority", "title"], 2)
    same = await call("update_task", task_id=task_id, agent_id="a", title="Paint the gate")
    assert (same["changed_fields"], same["version_number"]) == ([], 2)
    listed = await call("get_task_versions", task_id=task_id)
    assert [version["version_number"] for version in listed["versions"]] == [2, 1]
    assert (await call("get_latest_task_version", task_id=task_id))["version"]["title"] == "Paint the gate"
    assert (await call("get_task_version", task_id=task_id, version_number=1))["version"]["title"] == "Paint the door"
    diff = await call("diff_task_versions", task_id=task_id, version_number_1=1, version_number_2=2)
    assert diff["diff"]["title"] == {"old": "Paint the door", "new": "Paint the gate"}
    assert code(await call("get_task_version", task_id=task_id, version_number=9)) == "not_found"
    twisted = {"task_id": task_id, "version_number_1": 2, "version_number_2": 1}
    assert code(await call("diff_task_versions", **twisted)) == "invalid_input"


@of("create_relationship", "delete_relationship", "get_task_relationships")
async def test_blocked_is_what_has_an_open_blocker_and_nothing_else(call, project):
    blocker, blocked = await new_task(call, project), await new_task(call, project)
    said = {"parent_task_id": blocked, "child_task_id": blocker, "relationship_type": "blocked_by", "agent_id": "a"}
    its_id = (await call("create_relationship", **said))["relationship_id"]
    assert (await call("create_relationship", **said))["relationship_id"] == its_id
    assert (await task_of(call, blocked))["task_status"] == "blocked"
    assert code(await call("reserve_task", task_id=blocked, agent_id="a")) == "conflict"
    assert [t["id"] for t in (await call("query_tasks", project_id=project, task_status="blocked"))["tasks"]] == [
        blocked
    ]
    assert (await call("get_task_relationships", task_id=blocked))["relationships"][0]["child_task_id"] == blocker
    await call("delete_relationship", relationship_id=its_id, agent_id="a")
    assert (await task_of(call, blocked))["task_status"] == "available"
    await call("create_relationship", **said | {"relationship_type": "blocking"} | {
        "parent_task_id": blocker, "child_task_id": blocked,
    })  # fmt: skip
    claim = await call("claim_next", agent_id="a", project_id=project)
    assert claim["task"]["id"] == blocker
    assert (await call("claim_next", agent_id="b", project_id=project))["task"] is None
    await call("complete_task", task_id=blocker, agent_id="a", lease_token=claim["lease_token"])
    assert (await call("claim_next", agent_id="b", project_id=project))["task"]["id"] == blocked
    assert code(await call("delete_relationship", relationship_id=its_id, agent_id="a")) == "not_found"


async def test_tasks_never_wait_for_one_another(call, project):
    first, second, third = [await new_task(call, project) for _ in range(3)]

    async def wait(task_id, for_id):
        said = {"parent_task_id": task_id, "child_task_id": for_id, "relationship_type": "blocked_by"}
        return await call("create_relationship", **said, agent_id="a")

    assert (await wait(second, first))["success"]
    assert (await wait(third, second))["success"]
    assert code(await wait(first, third)) == "invalid_input"
    assert code(await wait(first, first)) == "invalid_input"


@of("link_github_issue", "link_github_pr", "get_github_links")
async def test_github_links_are_kept(call, project):
    task_id = await new_task(call, project)
    issue, pull = "https://github.com/o/r/issues/1", "https://github.com/o/r/pull/2"
    assert (await call("link_github_issue", task_id=task_id, github_url=issue))["github_issue_url"] == issue
    assert (await call("link_github_pr", task_id=task_id, github_url=pull))["github_pr_url"] == pull
    links = await call("get_github_links", task_id=task_id)
    assert (links["github_issue_url"], links["github_pr_url"]) == (issue, pull)
    for wrong in ("https://example.com/o/r/pull/2", issue):
        assert code(await call("link_github_pr", task_id=task_id, github_url=wrong)) == "invalid_input"
    assert code(await call("get_github_links", task_id=10**9)) == "not_found"


# --- comments, tags, templates, projects, recurring tasks


@of("create_comment", "get_task_comments", "get_comment_thread", "update_comment", "delete_comment")
async def test_comments_are_their_writers(call, project):
    task_id = await new_task(call, project)
    said = {"task_id": task_id, "agent_id": "a"}
    first = (await call("create_comment", **said, content="Which blue?", mentions=["b"]))["comment_id"]
    answer = {"task_id": task_id, "agent_id": "b", "content": "Light.", "parent_comment_id": first}
    reply = (await call("create_comment", **answer))["comment_id"]
    second = (await call("create_comment", **said, content="Good."))["comment_id"]
    page = await call("get_task_comments", task_id=task_id, limit=1)
    assert [(comment["id"], comment["mentions"]) for comment in page["comments"]] == [(first, ["b"])]
    rest = await call("get_task_comments", task_id=task_id, cursor=page["next_cursor"])
    assert [comment["id"] for comment in rest["comments"]] == [second]
    thread = await call("get_comment_thread", comment_id=first)
    assert [comment["id"] for comment in thread["thread"]] == [first, reply]
    assert code(await call("update_comment", comment_id=reply, agent_id="a", content="x")) == "not_owner"
    assert (await call("update_comment", comment_id=first, agent_id="a", content="x"))["comment"]["content"] == "x"
    assert code(await call("delete_comment", comment_id=first, agent_id="b")) == "not_owner"
    assert (await call("delete_comment", comment_id=first, agent_id="a"))["deleted"] == 2
    assert code(await call("get_comment_thread", comment_id=reply)) == "not_found"
    elsewhere = await new_task(call, project)
    assert (
        code(await call("create_comment", **answer | {"task_id": elsewhere, "parent_comment_id": second}))
        == "invalid_input"
    )


@of("create_tag", "list_tags", "assign_tag_to_task", "remove_tag_from_task", "get_task_tags")
async def test_tags_have_one_name_each(call, project):
    task_id, name = await new_task(call, project), f"tag {next(_numbers)}"
    tag_id = (await call("create_tag", name=name))["tag_id"]
    assert (await call("create_tag", name=name))["tag_id"] == tag_id
    assert name in [tag["name"] for tag in (await call("list_tags"))["tags"]]
    for _ in range(2):
        assert (await call("assign_tag_to_task", task_id=task_id, tag_id=tag_id))["success"]
    assert [tag["id"] for tag in (await call("get_task_tags", task_id=task_id))["tags"]] == [tag_id]
    for _ in range(2):
        assert (await call("remove_tag_from_task", task_id=task_id, tag_id=tag_id))["success"]
    assert (await call("get_task_tags", task_id=task_id))["tags"] == []
    assert code(await call("assign_tag_to_task", task_id=task_id, tag_id=10**9)) == "not_found"
    assert code(await call("assign_tag_to_task", task_id=10**9, tag_id=tag_id)) == "not_found"


@of("create_template", "list_templates", "get_template", "create_task_from_template")
async def test_templates_make_tasks(call, project):
    name = f"template {next(_numbers)}"
    said = {"name": name, "task_type": "concrete", "task_instruction": "i", "verification_instruction": "v"}
    template_id = (await call("create_template", **said, priority="high", notes="from it"))["template_id"]
    assert code(await call("create_template", **said)) == "conflict"
    assert name in [template["name"] for template in (await call("list_templates", task_type="concrete"))["templates"]]
    assert name not in [template["name"] for template in (await call("list_templates", task_type="epic"))["templates"]]
    assert (await call("get_template", template_id=template_id))["template"]["priority"] == "high"
    made = await call("create_task_from_template", template_id=template_id, agent_id="a", notes="more")
    task = await task_of(call, made["task_id"])
    assert (task["title"], task["priority"], task["notes"]) == (name, "high", "from it\n\nmore")
    other = await call("create_task_from_template", template_id=template_id, agent_id="a", title="t", priority="low")
    assert (await task_of(call, other["task_id"]))["priority"] == "low"
    assert code(await call("get_template", template_id=10**9)) == "not_found"


@of("create_project", "list_projects", "get_project", "get_project_by_name")
async def test_projects_have_one_name_each(call):
    name = f"project {next(_numbers)}"
    made = await call("create_project", name=name, local_path="/src", origin_url="https://example.com/r")
    assert code(await call("create_project", name=name)) == "conflict"
    assert (await call("get_project", project_id=made["project_id"]))["project"]["local_path"] == "/src"
    assert (await call("get_project_by_name", name=name))["project"]["id"] == made["project_id"]
    assert {1, made["project_id"]} <= {project["id"] for project in (await call("list_projects"))["projects"]}
    assert code(await call("get_project", project_id=10**9)) == "not_found"
    assert code(await call("get_project_by_name", name="none of this name")) == "not_found"


@of(
    "create_recurring_task", "list_recurring_tasks", "get_recurring_task", "update_recurring_task",
    "deactivate_recurring_task", "create_recurring_instance",
)  # fmt: skip
async def test_recurring_tasks_are_made_anew_until_they_are_stopped(call, project):
    task_id = await new_task(call, project)
    said = {"task_id": task_id, "recurrence_type": "weekly", "next_occurrence": "2031-01-01T09:00:00Z"}
    its_id = (await call("create_recurring_task", **said, recurrence_config={"day_of_week": 4}))["recurring_task_id"]
    recurring = (await call("get_recurring_task", recurring_id=its_id))["recurring_task"]
    assert (recurring["recurrence_config"], recurring["is_active"]) == ({"day_of_week": 4}, True)
    made = (await call("create_recurring_instance", recurring_id=its_id))["instance_id"]
    assert (await task_of(call, made))["title"] == "Paint the door"
    later = (await call("get_recurring_task", recurring_id=its_id))["recurring_task"]
    assert later["next_occurrence"] == "2031-01-03T09:00:00+00:00"  # a Friday
    await call("update_recurring_task", recurring_id=its_id, recurrence_type="daily")
    await call("deactivate_recurring_task", recurring_id=its_id)
    assert its_id in [one["id"] for one in (await call("list_recurring_tasks"))["recurring_tasks"]]
    active = (await call("list_recurring_tasks", active_only=True))["recurring_tasks"]
    assert its_id not in [one["id"] for one in active]
    assert code(await call("create_recurring_instance", recurring_id=its_id)) == "conflict"
    assert code(await call("create_recurring_task", **said | {"task_id": 10**9})) == "not_found"
    assert code(await call("get_recurring_task", recurring_id=10**9)) == "not_found"


async def test_a_recurring_task_whose_time_has_come_is_made_once_however_often_it_was_missed(call, project):
    task_id = await done_task(call, project)
    said = {"task_id": task_id, "recurrence_type": "daily", "next_occurrence": "2026-01-01T09:00:00Z"}
    await call("create_recurring_task", **said)
    claim = await call("claim_next", agent_id="a", project_id=project, wait_s=30)
    assert claim["task"]["title"] == "Paint the door"
    assert (await call("claim_next", agent_id="b", project_id=project))["task"] is None

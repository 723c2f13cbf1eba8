"""How tasks are made."""

from __future__ import annotations

import pytest

from tests.board_tools import TASK_FIELDS, code, new_task, numbers, of, task_of


@of("create_task")
async def test_create_task_keeps_what_it_was_told(call, project):
    due = "2027-01-31T23:59:59+00:00"
    task_id = await new_task(call, project, priority="high", estimated_hours=1.5, due_date=due, notes="a note")
    task = await task_of(call, task_id)
    assert set(task) >= TASK_FIELDS
    assert (task["priority"], task["estimated_hours"], task["due_date"]) == ("high", 1.5, due)
    assert (task["task_status"], task["notes"], task["created_by"]) == ("available", "a note", "planner")


async def test_a_repeated_creation_makes_no_second_task(call, project):
    key = f"key {next(numbers)}"
    first = await new_task(call, project, idempotency_key=key)
    assert await new_task(call, project, idempotency_key=key) == first
    assert len((await call("query_tasks", project_id=project))["tasks"]) == 1


async def test_a_key_that_another_agent_used_before_for_something_else_costs_nobody_their_task(call, project):
    key = f"key {next(numbers)}"
    other = await new_task(call, project, idempotency_key=key, agent_id="cursor", task_instruction="Nothing.")
    mine = await new_task(call, project, idempotency_key=key)
    assert mine != other
    assert (await task_of(call, mine))["task_instruction"] == "Paint it blue."
    for changed in ({}, {"agent_id": "planner/2"}, {"title": "Paint it"}):
        assert await new_task(call, project, idempotency_key=key, **changed) == mine
    assert await new_task(call, project, idempotency_key=key, agent_id="cursor", title="Later") == other
    assert len((await call("query_tasks", project_id=project))["tasks"]) == 2


async def test_those_who_ask_for_the_same_under_one_key_make_one_task(call, project):
    key = f"key {next(numbers)}"
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

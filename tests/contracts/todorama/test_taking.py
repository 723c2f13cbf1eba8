"""Who takes tasks, and holds them."""

from __future__ import annotations

import pytest

from tests.board_tools import code, done_task, new_task, numbers, of, task_of


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
    agent = f"worker {next(numbers)}"
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

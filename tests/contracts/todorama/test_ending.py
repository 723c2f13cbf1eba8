"""How work on a task ends, and begins anew."""

from __future__ import annotations

from tests.board_tools import code, done_task, new_task, numbers, of, task_of


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
    key = f"key {next(numbers)}"
    said = {"task_id": task_id, "agent_id": "a", "content": "half", "update_type": "progress", "metadata": {"pct": 50}}
    first = await call("add_task_update", **said, idempotency_key=key)
    assert (await call("add_task_update", **said, idempotency_key=key))["update_id"] == first["update_id"]
    updates = (await call("get_task_context", task_id=task_id))["updates"]
    assert [(update["notes"], update["new_value"]) for update in updates] == [("half", '{"pct":50}')]
    assert code(await call("add_task_update", **said | {"update_type": "status"})) == "invalid_input"
    assert code(await call("add_task_update", **said | {"content": " "})) == "invalid_input"
    assert code(await call("add_task_update", **said, lease_token=7)) == "stale_lease"


async def test_updates_that_agents_count_alike_are_all_kept_and_each_only_once(call, project):
    key = f"key {next(numbers)}"
    tasks = [await new_task(call, project) for _ in range(2)]
    told = [(task_id, agent) for task_id in tasks for agent in ("ann", "bob")]

    async def tell(task_id: int, agent: str) -> int:
        said = {"task_id": task_id, "agent_id": agent, "content": f"by {agent}", "update_type": "note"}
        return (await call("add_task_update", **said, idempotency_key=key))["update_id"]

    ids = [await tell(*one) for one in told]
    assert [await tell(*one) for one in told] == ids
    assert await tell(tasks[1], "bob/2") == ids[-1]
    for task_id in tasks:
        updates = (await call("get_task_context", task_id=task_id))["updates"]
        assert [(update["agent_id"], update["notes"]) for update in updates] == [("ann", "by ann"), ("bob", "by bob")]

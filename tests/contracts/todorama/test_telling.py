"""What can be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.board_tools import CHANGE_FIELDS, SUMMARY_FIELDS, code, done_task, new_task, numbers, of


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
    tag = (await call("create_tag", name=f"tag {next(numbers)}"))["tag_id"]
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
    word = f"wörd{next(numbers)}x"
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
    agent = f"agent {next(numbers)}"
    for verify in (True, False):
        task_id = await new_task(call, project)
        await call("reserve_task", task_id=task_id, agent_id=agent)
        await call("complete_task", task_id=task_id, agent_id=agent)
        if verify:
            await call("verify_task", task_id=task_id, agent_id="b")
    answer = await call("get_agent_performance", agent_id=agent)
    assert (answer["tasks_completed"], answer["tasks_verified"], answer["success_rate"]) == (2, 1, 50.0)
    assert (await call("get_agent_performance", agent_id="nobody at all"))["tasks_completed"] == 0

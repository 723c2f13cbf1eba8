"""Comments, tags, templates, projects, recurring tasks."""

from __future__ import annotations

from tests.board_tools import code, done_task, new_task, numbers, of, task_of


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
    task_id, name = await new_task(call, project), f"tag {next(numbers)}"
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
    name = f"template {next(numbers)}"
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
    name = f"project {next(numbers)}"
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


async def test_a_monthly_task_keeps_the_day_of_its_first_time_through_shorter_months(call, project):
    task_id = await new_task(call, project)
    said = {"task_id": task_id, "recurrence_type": "monthly", "next_occurrence": "2031-01-31T09:00:00Z"}
    its_id = (await call("create_recurring_task", **said))["recurring_task_id"]

    async def days(number: int) -> list[str]:
        found = []
        for _ in range(number):
            await call("create_recurring_instance", recurring_id=its_id)
            recurring = (await call("get_recurring_task", recurring_id=its_id))["recurring_task"]
            assert recurring["recurrence_config"] == {}
            found.append(recurring["next_occurrence"][:10])
        return found

    assert await days(3) == ["2031-02-28", "2031-03-31", "2031-04-30"]
    await call("update_recurring_task", recurring_id=its_id, next_occurrence="2031-06-15T09:00:00Z")
    assert await days(2) == ["2031-07-15", "2031-08-15"]


async def test_a_recurring_task_whose_time_has_come_is_made_once_however_often_it_was_missed(call, project):
    task_id = await done_task(call, project)
    said = {"task_id": task_id, "recurrence_type": "daily", "next_occurrence": "2026-01-01T09:00:00Z"}
    await call("create_recurring_task", **said)
    claim = await call("claim_next", agent_id="a", project_id=project, wait_s=30)
    assert claim["task"]["title"] == "Paint the door"
    assert (await call("claim_next", agent_id="b", project_id=project))["task"] is None

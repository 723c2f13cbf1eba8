"""What a task is: versions, blockers, links."""

from __future__ import annotations

from tests.board_tools import code, new_task, of, task_of


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

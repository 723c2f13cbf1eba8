"""Tags of tasks, and their addresses at GitHub."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select

from essence.store.tables import INSERTS
from essence.tasks import history
from essence.tasks.arguments import CreateTag, LinkGithub, Nothing, OfTask, TagOfTask
from essence.tasks.desk import Desk
from essence.tasks.ending import change
from essence.tasks.filing import check
from essence.tasks.records import Answer, stamp
from essence.tasks.refusals import Refusal, unknown
from essence.tasks.tables import tags, task_tags, tasks
from essence.tasks.taking import lock


def create_tag(desk: Desk, asked: CreateTag) -> Answer:
    """A tag of this name, be it new or known."""
    adding = INSERTS[desk.connection.dialect.name](tags).on_conflict_do_nothing(index_elements=["name"])
    desk.connection.execute(adding.values(name=asked.name, created_at=desk.now))
    row = desk.connection.execute(select(tags).where(tags.c.name == asked.name)).one()
    return {"success": True, "tag_id": row.id, "tag": _json(row)}


def list_tags(desk: Desk, _: Nothing) -> Answer:
    """All tags, by name."""
    return {
        "success": True,
        "tags": [_json(row) for row in desk.connection.execute(select(tags).order_by(tags.c.name))],
    }


def assign_tag_to_task(desk: Desk, asked: TagOfTask) -> Answer:
    """Tag a task. Safe to repeat."""
    _check(desk, asked)
    adding = INSERTS[desk.connection.dialect.name](task_tags).on_conflict_do_nothing()
    desk.connection.execute(adding.values(task_id=asked.task_id, tag_id=asked.tag_id))
    message = f"Tag {asked.tag_id} assigned to task {asked.task_id}"
    return {"success": True, "task_id": asked.task_id, "tag_id": asked.tag_id, "message": message}


def remove_tag_from_task(desk: Desk, asked: TagOfTask) -> Answer:
    """Take a tag from a task. Safe to repeat."""
    _check(desk, asked)
    one = (task_tags.c.task_id == asked.task_id, task_tags.c.tag_id == asked.tag_id)
    desk.connection.execute(delete(task_tags).where(*one))
    message = f"Tag {asked.tag_id} removed from task {asked.task_id}"
    return {"success": True, "task_id": asked.task_id, "tag_id": asked.tag_id, "message": message}


def get_task_tags(desk: Desk, asked: OfTask) -> Answer:
    """The tags of a task, by name."""
    check(desk, "task", asked.task_id, "task_id")
    of_task = select(tags).join(task_tags).where(task_tags.c.task_id == asked.task_id).order_by(tags.c.name)
    return {"success": True, "task_id": asked.task_id, "tags": [_json(row) for row in desk.connection.execute(of_task)]}


def _check(desk: Desk, asked: TagOfTask) -> None:
    check(desk, "task", asked.task_id, "task_id")
    if desk.connection.scalar(select(tags.c.id).where(tags.c.id == asked.tag_id)) is None:
        raise unknown("Tag", asked.tag_id, "tag_id")


def _json(row: Row[Any]) -> Answer:
    return {"id": row.id, "name": row.name, "created_at": stamp(row.created_at)}


def link_github_issue(desk: Desk, asked: LinkGithub) -> Answer:
    """Keep the address of the issue that a task is about."""
    return _link(desk, asked, "github_issue_url", "/issues/")


def link_github_pr(desk: Desk, asked: LinkGithub) -> Answer:
    """Keep the address of the pull request that does what a task asks for."""
    return _link(desk, asked, "github_pr_url", "/pull/")


def _link(desk: Desk, asked: LinkGithub, field: str, kind: str) -> Answer:
    if kind not in asked.github_url:
        raise Refusal("invalid_input", f"That address has no {kind} in it.", "github_url")
    row = lock(desk, asked.task_id)
    change(desk, row.id, {field: asked.github_url})
    history.add(desk, row.id, "linked", field=field, old=getattr(row, field), new=asked.github_url)
    return {"success": True, "task_id": row.id, field: asked.github_url, "message": f"Task {row.id} linked"}


def get_github_links(desk: Desk, asked: OfTask) -> Answer:
    """Both addresses of a task; null where there is none."""
    columns = (tasks.c.id, tasks.c.github_issue_url, tasks.c.github_pr_url)
    row = desk.connection.execute(select(*columns).where(tasks.c.id == asked.task_id)).first()
    if row is None:
        raise unknown("Task", asked.task_id, "task_id")
    links = {"github_issue_url": row.github_issue_url, "github_pr_url": row.github_pr_url}
    return {"success": True, "task_id": row.id, **links}

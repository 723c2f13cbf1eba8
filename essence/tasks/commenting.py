"""Comments on tasks, and answers to them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from essence.tasks import cursors
from essence.tasks.arguments import CreateComment, DeleteComment, OfComment, TaskComments, UpdateComment
from essence.tasks.desk import Desk
from essence.tasks.filing import check
from essence.tasks.records import Answer, compact, stamp
from essence.tasks.refusals import Refusal, unknown
from essence.tasks.tables import comments

_THREAD_MAX = 1000


def create_comment(desk: Desk, asked: CreateComment) -> Answer:
    """Say something on a task, or answer a comment on it."""
    check(desk, "task", asked.task_id, "task_id")
    if asked.parent_comment_id is not None and _comment(desk, asked.parent_comment_id).task_id != asked.task_id:
        raise Refusal("invalid_input", "The comment that is answered is on another task.", "parent_comment_id")
    row = {
        "task_id": asked.task_id,
        "agent_id": desk.agent_id,
        "content": asked.content,
        "parent_comment_id": asked.parent_comment_id,
        "mentions": compact(asked.mentions),
        "created_at": desk.now,
    }
    comment_id = desk.connection.scalar(insert(comments).returning(comments.c.id), row)
    message = f"Comment added to task {asked.task_id}"
    return {"success": True, "comment_id": comment_id, "task_id": asked.task_id, "message": message}


def get_task_comments(desk: Desk, asked: TaskComments) -> Answer:
    """The comments on a task that answer none, the oldest first."""
    check(desk, "task", asked.task_id, "task_id")
    on_task = select(comments).where(comments.c.task_id == asked.task_id, comments.c.parent_comment_id.is_(None))
    place = cursors.read(asked.cursor)
    if place is not None:
        on_task = on_task.where(comments.c.id > place[1])
    rows = desk.connection.execute(on_task.order_by(comments.c.id).limit(asked.limit + 1)).all()
    listed = [_json(row) for row in rows[: asked.limit]]
    answer: Answer = {"success": True, "task_id": asked.task_id, "comments": listed, "count": len(listed)}
    if len(rows) > asked.limit:
        answer["next_cursor"] = cursors.written((0, rows[asked.limit - 1].id))
    return answer


def get_comment_thread(desk: Desk, asked: OfComment) -> Answer:
    """A comment and all answers to it, and to those, in the order in which they were written."""
    first = _comment(desk, asked.comment_id)
    ids = select(comments.c.id).where(comments.c.id == first.id).cte("thread", recursive=True)
    ids = ids.union(select(comments.c.id).where(comments.c.parent_comment_id == ids.c.id))
    thread = select(comments).where(comments.c.id.in_(select(ids.c.id))).order_by(comments.c.id).limit(_THREAD_MAX)
    listed = [_json(row) for row in desk.connection.execute(thread)]
    return {"success": True, "comment_id": first.id, "thread": listed, "count": len(listed)}


def update_comment(desk: Desk, asked: UpdateComment) -> Answer:
    """Put another text in the place of one's own comment's."""
    _own(desk, asked.comment_id)
    changed = update(comments).where(comments.c.id == asked.comment_id)
    changed = changed.values(content=asked.content, updated_at=desk.now)
    row = desk.connection.execute(changed.returning(*comments.c)).one()
    message = f"Comment {asked.comment_id} updated"
    return {"success": True, "comment_id": asked.comment_id, "comment": _json(row), "message": message}


def delete_comment(desk: Desk, asked: DeleteComment) -> Answer:
    """Delete one's own comment and the answers to it."""
    _own(desk, asked.comment_id)
    ids = select(comments.c.id).where(comments.c.id == asked.comment_id).cte("thread", recursive=True)
    ids = ids.union(select(comments.c.id).where(comments.c.parent_comment_id == ids.c.id))
    gone = list(desk.connection.scalars(select(ids.c.id)))
    desk.connection.execute(delete(comments).where(comments.c.id.in_(gone)))
    message = f"Comment {asked.comment_id} deleted"
    return {"success": True, "comment_id": asked.comment_id, "deleted": len(gone), "message": message}


def _comment(desk: Desk, comment_id: int) -> Row[Any]:
    row = desk.connection.execute(select(comments).where(comments.c.id == comment_id)).first()
    if row is None:
        raise unknown("Comment", comment_id, "comment_id")
    return row


def _own(desk: Desk, comment_id: int) -> None:
    owner = _comment(desk, comment_id).agent_id
    if owner != desk.agent_id:
        raise Refusal("not_owner", f"Comment {comment_id} is {owner}'s.", "comment_id")


def _json(row: Row[Any]) -> Answer:
    return {
        "id": row.id,
        "task_id": row.task_id,
        "agent_id": row.agent_id,
        "content": row.content,
        "parent_comment_id": row.parent_comment_id,
        "mentions": json.loads(row.mentions),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }

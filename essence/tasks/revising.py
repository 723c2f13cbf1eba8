"""What a task is: changed, with its versions; and what it is to others."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select

from essence.tasks import history
from essence.tasks.arguments import CreateRelationship, DeleteRelationship, OfTask, OfVersion, TwoVersions, UpdateTask
from essence.tasks.desk import Desk
from essence.tasks.ending import change
from essence.tasks.filing import check, relate
from essence.tasks.records import Answer, compact, iso, stamp
from essence.tasks.refusals import Refusal, unknown
from essence.tasks.tables import PRIORITIES, relationships, tasks, versions
from essence.tasks.taking import lock


def update_task(desk: Desk, asked: UpdateTask) -> Answer:
    """Change what a task is; what it was is kept as a version."""
    row = lock(desk, asked.task_id)
    if asked.project_id is not None:
        check(desk, "project", asked.project_id, "project_id")
    before = _definition(row)
    wanted = asked.model_dump(exclude={"task_id", "agent_id"}, exclude_none=True)
    after = before | wanted | ({"due_date": iso(asked.due_date)} if asked.due_date else {})
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        _replace(desk, row, before)
        _set(desk, row, {name: wanted[name] for name in changed})
        for name in changed:
            history.add(desk, row.id, "updated", field=name, old=_told(before[name]), new=_told(after[name]))
    return {
        "success": True,
        "task_id": row.id,
        "changed_fields": changed,
        "version_number": row.version + bool(changed),
    }


def _replace(desk: Desk, row: Row[Any], before: dict[str, object]) -> None:
    kept = {"task_id": row.id, "version_number": row.version, "fields": compact(before)}
    desk.connection.execute(insert(versions), kept | {"replaced_by": desk.agent_id, "replaced_at": desk.now})


def _set(desk: Desk, row: Row[Any], values: dict[str, Any]) -> None:
    if "priority" in values:
        values["rank"] = PRIORITIES.index(values.pop("priority"))
    change(desk, row.id, values | {"version": row.version + 1})


def _told(value: object) -> str | None:
    return None if value is None else str(value)


def _definition(row: Row[Any]) -> dict[str, object]:
    """The fields that have versions."""
    return {
        "title": row.title,
        "task_instruction": row.task_instruction,
        "verification_instruction": row.verification_instruction,
        "notes": row.notes,
        "priority": PRIORITIES[row.rank],
        "estimated_hours": row.estimated_hours,
        "due_date": iso(row.due_date),
        "project_id": row.project_id,
    }


def get_task_versions(desk: Desk, asked: OfTask) -> Answer:
    """All versions of a task, the newest first."""
    listed = _versions(desk, asked.task_id)
    return {"success": True, "task_id": asked.task_id, "versions": listed, "count": len(listed)}


def get_task_version(desk: Desk, asked: OfVersion) -> Answer:
    """What a task was at one version."""
    return {"success": True, "task_id": asked.task_id, "version": _version(desk, asked.task_id, asked.version_number)}


def get_latest_task_version(desk: Desk, asked: OfTask) -> Answer:
    """What a task is now."""
    return {"success": True, "task_id": asked.task_id, "version": _versions(desk, asked.task_id)[0]}


def diff_task_versions(desk: Desk, asked: TwoVersions) -> Answer:
    """What was changed between two versions of a task."""
    if asked.version_number_2 <= asked.version_number_1:
        raise Refusal("invalid_input", "version_number_2 must be the later of the two.", "version_number_2")
    old, new = (_version(desk, asked.task_id, n) for n in (asked.version_number_1, asked.version_number_2))
    told = ("version_number", "replaced_by", "replaced_at")
    diff = {name: {"old": old[name], "new": new[name]} for name in old if name not in told and old[name] != new[name]}
    return {
        "success": True,
        "task_id": asked.task_id,
        "version_number_1": asked.version_number_1,
        "version_number_2": asked.version_number_2,
        "diff": diff,
        "changed_fields": list(diff),
    }


def _versions(desk: Desk, task_id: int) -> list[Answer]:
    row = desk.connection.execute(select(tasks).where(tasks.c.id == task_id)).first()
    if row is None:
        raise unknown("Task", task_id, "task_id")
    newest = {"version_number": row.version, **_definition(row), "replaced_by": None, "replaced_at": None}
    older = select(versions).where(versions.c.task_id == task_id).order_by(versions.c.version_number.desc())
    return [newest, *(_version_json(one) for one in desk.connection.execute(older))]


def _version(desk: Desk, task_id: int, number: int) -> Answer:
    for version in _versions(desk, task_id):
        if version["version_number"] == number:
            return version
    raise unknown("Version", number, "version_number")


def _version_json(row: Row[Any]) -> Answer:
    replaced = {"replaced_by": row.replaced_by, "replaced_at": stamp(row.replaced_at)}
    return {"version_number": row.version_number, **json.loads(row.fields), **replaced}


def create_relationship(desk: Desk, asked: CreateRelationship) -> Answer:
    """Say what two tasks are to one another. Safe to repeat."""
    its_id = relate(desk, asked.parent_task_id, asked.child_task_id, asked.relationship_type, "child_task_id")
    return {"success": True, "relationship_id": its_id}


def delete_relationship(desk: Desk, asked: DeleteRelationship) -> Answer:
    """Say that two tasks have nothing to do with one another any more."""
    gone = delete(relationships).where(relationships.c.id == asked.relationship_id).returning(*relationships.c)
    row = desk.connection.execute(gone).first()
    if row is None:
        raise unknown("Relationship", asked.relationship_id, "relationship_id")
    was = f"{row.relationship_type}:{row.child_task_id}"
    history.add(desk, row.parent_task_id, "relationship_removed", field="relationship", old=was)
    return {"success": True, "relationship_id": row.id}


def get_task_relationships(desk: Desk, asked: OfTask) -> Answer:
    """What a task is to others."""
    check(desk, "task", asked.task_id, "task_id")
    r = relationships.c
    its = select(relationships).where(or_(r.parent_task_id == asked.task_id, r.child_task_id == asked.task_id))
    names = ("id", "parent_task_id", "child_task_id", "relationship_type")
    listed = [{name: getattr(row, name) for name in names} for row in desk.connection.execute(its.order_by(r.id))]
    return {"success": True, "task_id": asked.task_id, "relationships": listed, "count": len(listed)}

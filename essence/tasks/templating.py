"""Templates: what many tasks have in common."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from essence.store.tables import INSERTS
from essence.tasks.arguments import CreateTask, CreateTemplate, FromTemplate, ListTemplates, OfTemplate
from essence.tasks.desk import Desk
from essence.tasks.filing import create_task
from essence.tasks.records import Answer, stamp
from essence.tasks.refusals import Refusal, unknown
from essence.tasks.tables import templates


def create_template(desk: Desk, asked: CreateTemplate) -> Answer:
    """A new template, whose name nobody else has."""
    adding = INSERTS[desk.connection.dialect.name](templates).on_conflict_do_nothing(index_elements=["name"])
    values = asked.model_dump() | {"created_at": desk.now, "updated_at": desk.now}
    row = desk.connection.execute(adding.values(**values).returning(*templates.c)).first()
    if row is None:
        raise Refusal("conflict", f"There is a template {asked.name!r} already. Choose another name.", "name")
    return {"success": True, "template_id": row.id, "template": _json(row)}


def list_templates(desk: Desk, asked: ListTemplates) -> Answer:
    """All templates, or those of one type of task, by name."""
    listed = select(templates).order_by(templates.c.name)
    if asked.task_type is not None:
        listed = listed.where(templates.c.task_type == asked.task_type)
    return {"success": True, "templates": [_json(row) for row in desk.connection.execute(listed)]}


def get_template(desk: Desk, asked: OfTemplate) -> Answer:
    """One template."""
    return {"success": True, "template": _json(_template(desk, asked.template_id))}


def create_task_from_template(desk: Desk, asked: FromTemplate) -> Answer:
    """A new task after a template."""
    row = _template(desk, asked.template_id)
    notes = "\n\n".join(part for part in (row.notes, asked.notes) if part) or None
    hours = row.estimated_hours if asked.estimated_hours is None else asked.estimated_hours
    task = CreateTask(
        title=asked.title or row.name,
        task_type=row.task_type,
        task_instruction=row.task_instruction,
        verification_instruction=row.verification_instruction,
        project_id=asked.project_id,
        notes=notes,
        priority=asked.priority or row.priority or "medium",
        estimated_hours=hours,
        due_date=asked.due_date,
        idempotency_key=asked.idempotency_key,
    )
    return create_task(desk, task)


def _template(desk: Desk, template_id: int) -> Row[Any]:
    row = desk.connection.execute(select(templates).where(templates.c.id == template_id)).first()
    if row is None:
        raise unknown("Template", template_id, "template_id")
    return row


def _json(row: Row[Any]) -> Answer:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "task_type": row.task_type,
        "task_instruction": row.task_instruction,
        "verification_instruction": row.verification_instruction,
        "priority": row.priority,
        "estimated_hours": row.estimated_hours,
        "notes": row.notes,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }

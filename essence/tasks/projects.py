"""Projects: what tasks belong to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from essence.store.tables import INSERTS
from essence.tasks.arguments import CreateProject, Nothing, OfProject, ProjectNamed
from essence.tasks.desk import Desk
from essence.tasks.records import Answer, stamp
from essence.tasks.refusals import Refusal, unknown
from essence.tasks.tables import projects


def create_project(desk: Desk, asked: CreateProject) -> Answer:
    """A new project, whose name nobody else has."""
    adding = INSERTS[desk.connection.dialect.name](projects).on_conflict_do_nothing(index_elements=["name"])
    values = asked.model_dump() | {"created_at": desk.now, "updated_at": desk.now}
    row = desk.connection.execute(adding.values(**values).returning(*projects.c)).first()
    if row is None:
        raise Refusal("conflict", f"There is a project {asked.name!r} already. Find it by get_project_by_name.", "name")
    return {"success": True, "project_id": row.id, "project": project_json(row)}


def list_projects(desk: Desk, _: Nothing) -> Answer:
    """All projects."""
    listed = [project_json(row) for row in desk.connection.execute(select(projects).order_by(projects.c.id))]
    return {"success": True, "projects": listed, "count": len(listed)}


def get_project(desk: Desk, asked: OfProject) -> Answer:
    """One project."""
    row = desk.connection.execute(select(projects).where(projects.c.id == asked.project_id)).first()
    if row is None:
        raise unknown("Project", asked.project_id, "project_id")
    return {"success": True, "project": project_json(row)}


def get_project_by_name(desk: Desk, asked: ProjectNamed) -> Answer:
    """One project, found by its name; case matters."""
    row = desk.connection.execute(select(projects).where(projects.c.name == asked.name)).first()
    if row is None:
        raise unknown("Project", repr(asked.name), "name")
    return {"success": True, "project": project_json(row)}


def project_json(row: Row[Any]) -> Answer:
    """A project with todorama's fields."""
    return {
        "id": row.id,
        "name": row.name,
        "local_path": row.local_path,
        "origin_url": row.origin_url,
        "description": row.description,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }

"""todorama's tools. Those of tasks, updates and comments behave as they do there; the others are only listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from essence.fakes.todorama import making, telling, working
from essence.fakes.todorama.fields import (
    AddTaskUpdate,
    BulkUnlock,
    ByAgent,
    CompleteTask,
    CreateComment,
    CreateTask,
    GetComments,
    ListAvailable,
    Nothing,
    OfTask,
    Performance,
    QueryStale,
    QueryTasks,
    SearchTasks,
)  # fmt: skip
from essence.fakes.todorama.refusals import Json
from essence.fakes.todorama.world import World

Surface = Literal["post", "rpc"]
_BOTH: frozenset[Surface] = frozenset(("post", "rpc"))
_POST: frozenset[Surface] = frozenset(("post",))
_RPC: frozenset[Surface] = frozenset(("rpc",))


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, and by which of the two surfaces it can be called; it is listed all the same."""

    surfaces: frozenset[Surface]
    asks: type[BaseModel]
    work: Callable[[World, Any], Json | list[Json]]
    """A list is wrapped as `tasks` over POST, as `result` over JSON-RPC."""


TOOLS: dict[str, Tool] = {
    "create_task": Tool(_BOTH, CreateTask, making.create_task),
    "list_available_tasks": Tool(_BOTH, ListAvailable, telling.list_available_tasks),
    "reserve_task": Tool(_BOTH, ByAgent, working.reserve_task),
    "complete_task": Tool(_BOTH, CompleteTask, working.complete_task),
    "verify_task": Tool(_BOTH, ByAgent, working.verify_task),
    "unlock_task": Tool(_BOTH, ByAgent, working.unlock_task),
    "bulk_unlock_tasks": Tool(_BOTH, BulkUnlock, working.bulk_unlock_tasks),
    "add_task_update": Tool(_BOTH, AddTaskUpdate, working.add_task_update),
    "get_task_context": Tool(_BOTH, OfTask, telling.get_task_context),
    "query_tasks": Tool(_BOTH, QueryTasks, telling.query_tasks),
    "get_task_summary": Tool(_BOTH, QueryTasks, telling.get_task_summary),
    "search_tasks": Tool(_BOTH, SearchTasks, telling.search_tasks),
    "get_agent_performance": Tool(_BOTH, Performance, telling.get_agent_performance),
    "query_stale_tasks": Tool(_RPC, QueryStale, telling.query_stale_tasks),
    "get_task_statistics": Tool(_RPC, Nothing, telling.get_task_statistics),
    "create_comment": Tool(_POST, CreateComment, working.create_comment),
    "get_task_comments": Tool(_POST, GetComments, telling.get_task_comments),
}
"""What can be called."""
LISTED_ONLY = (
    "get_comment_thread", "update_comment", "delete_comment", "get_tasks_approaching_deadline", "create_tag",
    "list_tags", "assign_tag_to_task", "remove_tag_from_task", "get_task_tags", "create_template", "list_templates",
    "get_template", "create_task_from_template", "link_github_issue", "link_github_pr", "get_github_links",
    "list_projects", "get_project", "get_project_by_name", "create_project", "get_recent_completions",
    "get_activity_feed",
)  # fmt: skip
"""Listed, and callable neither way here; 10 more are listed there whose names are not known."""

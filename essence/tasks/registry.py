"""All tools of the board, in one table that both faces serve: `POST /mcp/<tool>` and MCP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from essence.tasks import (
    arguments,
    commenting,
    ending,
    filing,
    listing,
    projects,
    recurring,
    revising,
    tagging,
    taking,
    telling,
    templating,
)
from essence.tasks.records import Answer


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that the board can be asked to do."""

    name: str
    arguments: type[arguments.Arguments]
    work: Callable[[Any, Any], Answer]
    """Of a desk and the arguments."""
    changes: bool = True
    lasting: bool = True
    """What it did must outlive a power cut; not so where the power takes along whoever it is for."""
    brings_work: bool = False
    """Afterwards there may be work for those who wait."""

    @property
    def waits(self) -> bool:
        """Its answer may be long in coming: until there is work."""
        return issubclass(self.arguments, arguments.ClaimNext | arguments.WaitForWork)

    @property
    def description(self) -> str:
        """What callers are told of it: its function's own docstring."""
        return " ".join((self.work.__doc__ or "").split())


def _asks(work: Callable[[Any, Any], Answer], asked: type[arguments.Arguments]) -> Tool:
    return Tool(work.__name__, asked, work, changes=False, lasting=False)


def _does(work: Callable[[Any, Any], Answer], asked: type[arguments.Arguments]) -> Tool:
    return Tool(work.__name__, asked, work)


def _holds(work: Callable[[Any, Any], Answer], asked: type[arguments.Arguments]) -> Tool:
    return Tool(work.__name__, asked, work, lasting=False)


def _brings(work: Callable[[Any, Any], Answer], asked: type[arguments.Arguments]) -> Tool:
    return Tool(work.__name__, asked, work, brings_work=True)


_ALL = (
    _brings(filing.create_task, arguments.CreateTask),
    _asks(listing.list_available_tasks, arguments.ListAvailable),
    _holds(taking.claim_next, arguments.ClaimNext),
    _asks(listing.wait_for_work, arguments.WaitForWork),
    _holds(taking.reserve_task, arguments.ReserveTask),
    _holds(taking.heartbeat, arguments.Heartbeat),
    _brings(ending.complete_task, arguments.CompleteTask),
    _does(ending.verify_task, arguments.VerifyTask),
    _brings(ending.reject_task, arguments.RejectTask),
    _brings(ending.fail_task, arguments.FailTask),
    _brings(ending.unlock_task, arguments.UnderLease),
    _brings(ending.bulk_unlock_tasks, arguments.BulkUnlock),
    _brings(ending.cancel_task, arguments.CancelTask),
    _brings(ending.retry_task, arguments.ForTask),
    _does(telling.add_task_update, arguments.AddTaskUpdate),
    _asks(telling.get_task_context, arguments.OfTask),
    _asks(listing.query_tasks, arguments.QueryTasks),
    _asks(listing.get_task_summary, arguments.SummarizeTasks),
    _asks(listing.search_tasks, arguments.SearchTasks),
    _asks(listing.query_stale_tasks, arguments.StaleTasks),
    _asks(listing.get_tasks_approaching_deadline, arguments.Deadlines),
    _asks(listing.get_recent_completions, arguments.RecentCompletions),
    _asks(telling.get_activity_feed, arguments.ActivityFeed),
    _asks(telling.get_task_statistics, arguments.Statistics),
    _asks(telling.get_agent_performance, arguments.Performance),
    _does(revising.update_task, arguments.UpdateTask),
    _asks(revising.get_task_versions, arguments.OfTask),
    _asks(revising.get_task_version, arguments.OfVersion),
    _asks(revising.get_latest_task_version, arguments.OfTask),
    _asks(revising.diff_task_versions, arguments.TwoVersions),
    _does(revising.create_relationship, arguments.CreateRelationship),
    _brings(revising.delete_relationship, arguments.DeleteRelationship),
    _asks(revising.get_task_relationships, arguments.OfTask),
    _does(commenting.create_comment, arguments.CreateComment),
    _asks(commenting.get_task_comments, arguments.TaskComments),
    _asks(commenting.get_comment_thread, arguments.OfComment),
    _does(commenting.update_comment, arguments.UpdateComment),
    _does(commenting.delete_comment, arguments.DeleteComment),
    _does(tagging.create_tag, arguments.CreateTag),
    _asks(tagging.list_tags, arguments.Nothing),
    _does(tagging.assign_tag_to_task, arguments.TagOfTask),
    _does(tagging.remove_tag_from_task, arguments.TagOfTask),
    _asks(tagging.get_task_tags, arguments.OfTask),
    _does(tagging.link_github_issue, arguments.LinkGithub),
    _does(tagging.link_github_pr, arguments.LinkGithub),
    _asks(tagging.get_github_links, arguments.OfTask),
    _does(templating.create_template, arguments.CreateTemplate),
    _asks(templating.list_templates, arguments.ListTemplates),
    _asks(templating.get_template, arguments.OfTemplate),
    _brings(templating.create_task_from_template, arguments.FromTemplate),
    _does(projects.create_project, arguments.CreateProject),
    _asks(projects.list_projects, arguments.Nothing),
    _asks(projects.get_project, arguments.OfProject),
    _asks(projects.get_project_by_name, arguments.ProjectNamed),
    _does(recurring.create_recurring_task, arguments.CreateRecurring),
    _asks(recurring.list_recurring_tasks, arguments.ListRecurring),
    _asks(recurring.get_recurring_task, arguments.OfRecurring),
    _does(recurring.update_recurring_task, arguments.UpdateRecurring),
    _does(recurring.deactivate_recurring_task, arguments.OfRecurring),
    _brings(recurring.create_recurring_instance, arguments.OfRecurring),
)
TOOLS = {tool.name: tool for tool in _ALL}

"""What tools may be asked, in todorama's fields: types, sizes and ranges. What goes beyond is June's own."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from essence.store.records import storable
from essence.work import Priority, TaskKind

ID_MAX = 2**63 - 1
LONG_MAX_CHARS = 100_000
"""Of an instruction, notes or a comment: some 25,000 tokens, more than agents read at once."""
KEY_MAX_CHARS = 200
"""Of an idempotency key."""
HOURS_MAX = 100_000.0
LEASE_MAX_S = 7 * 86400.0
WAIT_MAX_S = 60.0
"""Of a long poll: proxies break off longer silences."""

RelationshipType = Literal["subtask", "blocking", "blocked_by", "followup", "related"]
UpdateType = Literal["progress", "note", "blocker", "question", "finding"]
AgentType = Literal["implementation", "breakdown", "verification"]
TaskStatusName = Literal["available", "in_progress", "complete", "blocked", "cancelled", "dead"]
Recurrence = Literal["daily", "weekly", "monthly"]


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("must be finite")
    return number


def _aware(time: datetime) -> datetime:
    """UTC where no zone is told; within what databases and todorama's form of times can hold."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    try:
        aware = aware.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error
    if not 1970 <= aware.year <= 9998:
        raise ValueError("must be between 1970 and 9998")
    return aware


def _written(time: object) -> object:
    """Only ISO 8601: a number could be seconds or milliseconds."""
    if isinstance(time, str | datetime) and not str(time).lstrip("+-").replace(".", "").isdigit():
        return time
    raise ValueError("must be a time in ISO 8601, such as 2026-12-31T23:59:59Z")


Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable), AfterValidator(_worded)]
AgentId = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(storable), AfterValidator(_worded)]
Title = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(storable), AfterValidator(_worded)]
Long = Annotated[str, Field(min_length=1, max_length=LONG_MAX_CHARS), AfterValidator(storable), AfterValidator(_worded)]
Notes = Annotated[str, Field(max_length=LONG_MAX_CHARS), AfterValidator(storable)]
Key = Annotated[str, Field(min_length=1, max_length=KEY_MAX_CHARS), AfterValidator(storable), AfterValidator(_worded)]
Hours = Annotated[float, Field(ge=0, le=HOURS_MAX), AfterValidator(_finite)]
Time = Annotated[datetime, BeforeValidator(_written), AfterValidator(_aware)]
LeaseS = Annotated[float, Field(ge=1, le=LEASE_MAX_S), AfterValidator(_finite)]
WaitS = Annotated[float, Field(ge=0, le=WAIT_MAX_S), AfterValidator(_finite)]
Attempts = Annotated[int, Field(ge=1, le=1000)]
Token = Annotated[int, Field(ge=1, le=ID_MAX)]
Limit = Annotated[int, Field(ge=1, le=1000)]
Cursor = Annotated[str, Field(max_length=200)]


class Arguments(BaseModel):
    """Of any tool. Fields that a tool doesn't know are left aside, as todorama does."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Nothing(Arguments):
    """A tool that needs to know nothing."""


class Agent(Arguments):
    """Asked in an agent's name."""

    agent_id: AgentId | None = Field(
        default=None, description="Your agent id. With a key it may be left out: the key tells it."
    )


class OfTask(Arguments):
    """Asked about one task."""

    task_id: Id


class ForTask(Agent):
    """Asked about one task in an agent's name."""

    task_id: Id


class UnderLease(ForTask):
    """Asked by whoever has the task."""

    lease_token: Token | None = Field(
        default=None,
        description="From claim_next or reserve_task. With it, work that was lost to another agent is refused.",
    )


class CreateTask(Agent):
    """A new task."""

    title: Title
    task_type: TaskKind
    task_instruction: Long
    verification_instruction: Long
    project_id: Id | None = None
    parent_task_id: Id | None = None
    relationship_type: RelationshipType | None = Field(
        default=None, description="What it is to parent_task_id; subtask where nothing is said."
    )
    notes: Notes | None = None
    priority: Priority = "medium"
    estimated_hours: Hours | None = None
    due_date: Time | None = None
    blocked_by: Annotated[list[Id], Field(max_length=100)] = Field(
        default=[], description="Tasks that must be complete before this one can be taken."
    )
    max_attempts: Attempts | None = Field(default=None, description="After so many it is dead.")
    idempotency_key: Key | None = Field(
        default=None,
        description="A repeat with the same key makes no second task; it answers with the first. Keys are each agent's "
        "own, but who asks for the same under the same key is answered with the same task.",
    )


class ClaimNext(Agent):
    """Which work an agent takes, and how long it waits for it."""

    agent_type: AgentType = "implementation"
    project_id: Id | None = None
    lease_s: LeaseS | None = Field(
        default=None, description="Another agent may take the task after so many seconds without a sign of life."
    )
    wait_s: WaitS = Field(default=0.0, description="How long to wait for work, in seconds; then task is null.")
    resume: bool = Field(
        default=False, description="First take again what this agent held before it was restarted; see holding."
    )
    holding: Annotated[list[Id], Field(max_length=1000)] = Field(
        default=[], description="With resume: tasks that this agent is still at work on."
    )


class ListAvailable(Arguments):
    """Which work is listed."""

    agent_type: AgentType
    project_id: Id | None = None
    limit: Limit = 10
    cursor: Cursor | None = None


class ReserveTask(ForTask):
    """One task for oneself: to work on it or, once it is complete, to verify it."""

    lease_s: LeaseS | None = None


class Heartbeat(UnderLease):
    """A sign of life."""

    lease_s: LeaseS | None = None


class CompleteTask(UnderLease):
    """The end of work."""

    notes: Notes | None = None
    actual_hours: Hours | None = None
    followup_title: Title | None = None
    followup_task_type: TaskKind | None = None
    followup_instruction: Long | None = None
    followup_verification: Long | None = None


class VerifyTask(UnderLease):
    """Somebody else's work was looked at, and is good."""

    notes: Notes | None = None


class RejectTask(UnderLease):
    """Somebody else's work was looked at, and is not good."""

    reason: Long


class FailTask(UnderLease):
    """An attempt that failed."""

    error: Long
    retry_s: Annotated[float, Field(ge=0, le=30 * 86400), AfterValidator(_finite)] | None = Field(
        default=None, description="When to try again, in seconds; without it, longer after each failure."
    )
    final: bool = Field(default=False, description="It will not be tried again until a person says so.")


class BulkUnlock(Agent):
    """Several tasks at once."""

    task_ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class CancelTask(ForTask):
    """A task that nobody shall do."""

    reason: Notes | None = None


class AddTaskUpdate(UnderLease):
    """An entry of a task's history."""

    content: Long
    update_type: UpdateType
    metadata: dict[str, object] | None = None
    idempotency_key: Key | None = None


class WaitForWork(Arguments):
    """How long to wait until there is work, without taking it."""

    agent_type: AgentType = "implementation"
    project_id: Id | None = None
    wait_s: WaitS = 25.0


class QueryTasks(Arguments):
    """Which tasks are listed."""

    project_id: Id | None = None
    task_type: TaskKind | None = None
    task_status: TaskStatusName | None = None
    agent_id: AgentId | None = Field(default=None, description="Who has the task, or had it last.")
    priority: Priority | None = None
    tag_id: Id | None = None
    tag_ids: Annotated[list[Id], Field(max_length=20)] = Field(default=[], description="Tasks that have all of these.")
    order_by: Literal["priority", "priority_asc"] | None = Field(
        default=None, description="The most urgent first, or last; without it the oldest first."
    )
    limit: Limit = 100
    cursor: Cursor | None = Field(default=None, description="next_cursor of the page before.")


class SummarizeTasks(Arguments):
    """Which tasks are listed in brief."""

    project_id: Id | None = None
    task_type: TaskKind | None = None
    task_status: TaskStatusName | None = None
    assigned_agent: AgentId | None = None
    priority: Priority | None = None
    limit: Limit = 100
    cursor: Cursor | None = None


class SearchTasks(Arguments):
    """Words to look for in titles, instructions and notes."""

    query: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(storable), AfterValidator(_worded)]
    limit: Limit = 100


class StaleTasks(Arguments):
    """Since when nothing was heard."""

    hours: Hours = 24.0


class Deadlines(Arguments):
    """How far ahead to look."""

    days_ahead: Annotated[int, Field(ge=1, le=365)] = 3
    limit: Limit = 100


class Statistics(Arguments):
    """Which tasks are counted."""

    project_id: Id | None = None
    task_type: TaskKind | None = None
    start_date: Time | None = None
    end_date: Time | None = None


class Performance(Arguments):
    """Whose work is counted."""

    agent_id: AgentId
    task_type: TaskKind | None = None


class RecentCompletions(Arguments):
    """Which completed tasks are listed."""

    project_id: Id | None = None
    limit: Limit = 10
    hours: Annotated[int, Field(ge=1, le=100_000)] | None = None


class ActivityFeed(Arguments):
    """Which changes are listed."""

    task_id: Id | None = None
    agent_id: AgentId | None = None
    start_date: Time | None = None
    end_date: Time | None = None
    limit: Limit = 1000
    cursor: Cursor | None = Field(
        default=None, description="next_cursor of the answer before: what has happened since. Without it, the newest."
    )


class UpdateTask(ForTask):
    """What of a task's definition is changed; what isn't told stays."""

    title: Title | None = None
    task_instruction: Long | None = None
    verification_instruction: Long | None = None
    notes: Notes | None = None
    priority: Priority | None = None
    estimated_hours: Hours | None = None
    due_date: Time | None = None
    project_id: Id | None = None


class OfVersion(OfTask):
    """One version of a task."""

    version_number: Annotated[int, Field(ge=1, le=2**31 - 1)]


class TwoVersions(OfTask):
    """Two versions of a task, the older first."""

    version_number_1: Annotated[int, Field(ge=1, le=2**31 - 1)]
    version_number_2: Annotated[int, Field(ge=1, le=2**31 - 1)]


class CreateRelationship(Agent):
    """What two tasks are to one another."""

    parent_task_id: Id
    child_task_id: Id
    relationship_type: RelationshipType = Field(
        description="blocked_by: the parent waits for the child; blocking: the child waits for the parent."
    )


class DeleteRelationship(Agent):
    """A relationship that is no more."""

    relationship_id: Id


class LinkGithub(OfTask):
    """An address at GitHub."""

    github_url: Annotated[
        str, Field(max_length=500, pattern=r"^https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+$")
    ]


class CreateComment(ForTask):
    """A comment, or an answer to one."""

    content: Long
    parent_comment_id: Id | None = None
    mentions: Annotated[list[AgentId], Field(max_length=100)] = []


class TaskComments(OfTask):
    """Whose comments are listed."""

    limit: Limit = 100
    cursor: Cursor | None = None


class OfComment(Arguments):
    """Asked about one comment."""

    comment_id: Id


class UpdateComment(Agent):
    """Another text for one's own comment."""

    comment_id: Id
    content: Long


class DeleteComment(Agent):
    """One's own comment, which goes with its answers."""

    comment_id: Id


class CreateTag(Arguments):
    """A tag."""

    name: Name


class TagOfTask(Arguments):
    """A tag and a task."""

    task_id: Id
    tag_id: Id


class CreateTemplate(Arguments):
    """What many tasks have in common."""

    name: Name
    task_type: TaskKind
    task_instruction: Long
    verification_instruction: Long
    description: Notes | None = None
    priority: Priority | None = None
    estimated_hours: Hours | None = None
    notes: Notes | None = None


class ListTemplates(Arguments):
    """Which templates are listed."""

    task_type: TaskKind | None = None


class OfTemplate(Arguments):
    """Asked about one template."""

    template_id: Id


class FromTemplate(Agent):
    """A task after a template; what is told goes before what the template says."""

    template_id: Id
    title: Title | None = None
    project_id: Id | None = None
    notes: Notes | None = None
    priority: Priority | None = None
    estimated_hours: Hours | None = None
    due_date: Time | None = None
    idempotency_key: Key | None = None


class CreateProject(Arguments):
    """A project."""

    name: Name
    local_path: Annotated[str, Field(max_length=1000), AfterValidator(storable)] = ""
    origin_url: Annotated[str, Field(max_length=1000), AfterValidator(storable)] | None = None
    description: Notes | None = None


class OfProject(Arguments):
    """Asked about one project."""

    project_id: Id


class ProjectNamed(Arguments):
    """Asked about one project by its name."""

    name: Name


class RecurrenceConfig(Arguments):
    """On which day; today's, where nothing is said."""

    day_of_week: Annotated[int, Field(ge=0, le=6)] | None = Field(default=None, description="0 is Monday.")
    day_of_month: Annotated[int, Field(ge=1, le=31)] | None = Field(
        default=None, description="In shorter months the last day."
    )


class CreateRecurring(OfTask):
    """A task that is made anew again and again."""

    recurrence_type: Recurrence
    next_occurrence: Time
    recurrence_config: RecurrenceConfig | None = None


class ListRecurring(Arguments):
    """Which recurring tasks are listed."""

    active_only: bool = False


class OfRecurring(Arguments):
    """Asked about one recurring task."""

    recurring_id: Id


class UpdateRecurring(OfRecurring):
    """What of a recurring task is changed; what isn't told stays."""

    recurrence_type: Recurrence | None = None
    recurrence_config: RecurrenceConfig | None = None
    next_occurrence: Time | None = None

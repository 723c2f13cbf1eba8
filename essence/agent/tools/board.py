"""The task board's own tools: split what is too large, note what comes next, write down what was found."""

from __future__ import annotations

from pydantic import Field

from essence.agent.tools.tool import AnyTool, Arguments, Call, Tool, typed
from essence.ports import TaskBoard
from essence.work import NewTask


class Step(Arguments):
    """A part of a task."""

    title: str = Field(min_length=1, max_length=200, description="What it is, in a few words.")
    instruction: str = Field(min_length=1, max_length=4000, description="What is to be done.")


class Split(Arguments):
    """The parts of a task."""

    steps: tuple[Step, ...] = Field(min_length=1, max_length=10, description="The parts, in order.")


class Note(Arguments):
    """Something that was found."""

    text: str = Field(min_length=1, max_length=4000, description="What was found or decided.")


def board_tools(board: TaskBoard) -> tuple[AnyTool, ...]:
    """`split_task`, `follow_up`, `note`."""

    async def split(call: Call, parts: Split) -> str:
        parent = call.job.claim.task
        ids = [
            await board.create(_task(step, parent.task_id, parent.project_id), key=f"{call.key}:{number}")
            for number, step in enumerate(parts.steps)
        ]
        return f"Split into the tasks {', '.join(ids)}."

    async def follow_up(call: Call, step: Step) -> str:
        task_id = await board.create(_task(step, None, call.job.claim.task.project_id), key=call.key)
        return f"Task {task_id} is on the board: {step.title}"

    async def note(call: Call, found: Note) -> str:
        await board.progress(call.job.claim, found.text)
        return "It is in the task's history."

    return (
        Tool("split_task", "Put the parts of this task on the task board, as tasks of their own.", *typed(Split), split,
             effect="change", proves=frozenset({"task"})),
        Tool("follow_up", "Put a task on the task board that is to be done later.", *typed(Step), follow_up,
             effect="change", proves=frozenset({"task"})),
        Tool("note", "Write into this task's history what was found or decided. The owner is not told.", *typed(Note),
             note, public=True),
    )  # fmt: skip


def _task(step: Step, parent_task_id: str | None, project_id: str | None) -> NewTask:
    return NewTask(
        title=step.title,
        instruction=step.instruction,
        verification="What the instruction asks for is there.",
        parent_task_id=parent_task_id,
        project_id=project_id,
    )

"""How a person's message becomes a task: what all who make such tasks do, and how the agent knows that it was they.

Whoever may write on a task board could write that a task is the owner's message, and command in their name. So each
message is vouched for in the store, which June's own processes alone share, before its task is made.
"""

from __future__ import annotations

from essence.ports.tasks import Journal, TaskBoard
from essence.work import Request


async def hand_over(
    request: Request, journal: Journal, board: TaskBoard, *, project_id: str | None, key: str | None = None
) -> str:
    """Put a message on the board, once however often it is tried; the task's id.

    Args:
        request: The message.
        journal: Of the store that the agent has, too.
        board: Where the agent looks for work.
        project_id: Of the task; None for no project.
        key: Idempotency key of the task; None: the message's own.

    Raises:
        JuneError: The store or the board can't take it now.
    """
    await journal.record(request.key, request.voucher, "", person=request.account)
    return await board.create(request.as_task(project_id), key=key or request.key)

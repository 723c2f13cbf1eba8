"""Hands owners' messages over to the task board, and tells their senders if nobody takes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from essence import observe
from essence.chat.rendering import rendered
from essence.chat.routing import OwnerRoute, route_of
from essence.dialogue import ChannelProfile, Message, Reply
from essence.errors import InvalidInput, JuneError, NotFound, Unreachable
from essence.ports import Journal, Outbox, TaskBoard
from essence.ports.handing_over import hand_over
from essence.ports.rounds import begun_round
from essence.work import ANSWER, STOPPED, Request

FIRST_TRY_S = 10.0
"""A message that comes while the board is being opened for the first time waits so long for it: on a busy machine the
client alone takes seconds to load."""
PAUSE_S, LONGEST_PAUSE_S = 1.0, 15.0
ROUTE = "route"
"""Step of a message in the journal that says who answers it: `agent` or `chat`."""
BOARD = "june:board"
"""Key of the journal where it is kept that there was a board: this June has one, and waits for it when it is away."""
AWAY = "My task board can't be reached. `python -m essence todorama` starts it; `OWNER_ROUTE=chat` does without."
GIVEN_UP = "⚠️ My agent gave this up without an answer. `python -m essence tasks show {}` tells why."
NOBODY = "📋 It's on my list, and no agent is at work yet. Start one with `python -m essence agent`."
SHORTEST_LOOK_S, LONGEST_LOOK_S = 1.0, 600.0
"""Between two looks at a task that has not ended; each pause is three times the one before."""
_ENDED = frozenset({"complete", "cancelled", "dead"})
LOOK_EVERY_S = 20.0
"""So often it is looked whether the board is still there, for /status and the log."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which messages become tasks."""

    owners: frozenset[str]
    """Ids on the channel's platform."""
    route: OwnerRoute
    orders: frozenset[str]
    """Words by which `auto` knows a message that asks for something to be done; see `essence.chat.routing`."""


class Delegation:
    """The way to the board. As long as this June has never had one, her owners are answered like guests."""

    def __init__(
        self,
        open_board: Callable[[], AbstractAsyncContextManager[TaskBoard]],
        rule: Rule,
        journal: Journal,
        outbox: Outbox,
        profile: ChannelProfile,
        *,
        project_id: str | None,
        slow_s: float,
    ) -> None:
        """`slow_s`: after how long a sender is told that nobody has taken their task."""
        self._open_board, self._rule, self._journal = open_board, rule, journal
        self._outbox, self._profile = outbox, profile
        self._project_id, self._slow_s = project_id, slow_s
        self._board: TaskBoard | None = None
        self._had_one = False
        self._contact = observe.Contact("task_board")
        self._tried = asyncio.Event()
        self._waiting: asyncio.Queue[tuple[float, str, Message]] = asyncio.Queue()

    def state(self) -> str:
        """In a few words."""
        if not self._had_one:
            return "no task board: owners are answered directly"
        is_there = self._board is not None and not self._contact.is_lost
        return "tasks go to the agent" if is_there else "the task board can't be reached"

    def takes(self, message: Message, words: str) -> bool:
        """Whether a message that says these words is for the agent."""
        is_owner = message.sender.person_id in self._rule.owners
        return is_owner and route_of(words, self._rule.route, self._rule.orders) == "agent"

    async def run(self) -> None:
        """Open the board as soon as it is there, then look after what was handed over; until cancelled."""
        pause_s = PAUSE_S
        while True:
            try:
                self._had_one = self._had_one or BOARD in await self._journal.steps(BOARD)
                async with self._open_board() as board:
                    await _look_whether_it_is_there(board)
                    await self._remember_it()
                    self._contact.notice(None)
                    self._board = board
                    self._tried.set()
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._watch(board))
                        while True:
                            due_s, task_id, message = await self._waiting.get()
                            tasks.create_task(self._look_after(board, due_s, task_id, message))
            except JuneError as error:
                if self._had_one:
                    self._contact.notice(error)
                elif not self._tried.is_set():
                    observe.logger().warning("no_task_board", code=error.code, error=str(error))
                self._tried.set()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _remember_it(self) -> None:
        """Anew each time, since what is old is pruned."""
        self._had_one = True
        await self._journal.forget(BOARD)
        await self._journal.record(BOARD, BOARD, "", person="")

    async def has(self, message: Message) -> bool:
        """Whether a message was left to the agent before: the board may have it, and its answer is the agent's."""
        return (await self._journal.steps(message.key)).get(ROUTE) == "agent"

    async def hand_over(self, message: Message, request: Request) -> bool:
        """Make a message a task, once however often it is tried; False where it was or is to be answered directly.

        Raises:
            JuneError: There is a board, and it can't take it now.
        """
        if await self._route(request) == "chat":
            return False
        if self._board is None:
            raise Unreachable(AWAY)
        try:
            task_id = await hand_over(request, self._journal, self._board, project_id=self._project_id)
        except Unreachable as error:
            self._contact.notice(error)
            raise Unreachable(AWAY) from error
        self._contact.notice(None)
        self._waiting.put_nowait((asyncio.get_running_loop().time() + self._slow_s, task_id, message))
        return True

    async def _route(self, request: Request) -> str:
        """Who answers, `agent` or `chat`: decided once, so that whoever goes on after a crash does the same."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_TRY_S):
                await self._tried.wait()
        route = "agent" if self._had_one else "chat"
        if await self._journal.record(request.key, ROUTE, route, person=request.account):
            return route
        return (await self._journal.steps(request.key))[ROUTE]

    async def _watch(self, board: TaskBoard) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await _look_whether_it_is_there(board)
            except Unreachable as error:
                self._contact.notice(error)
            except JuneError as error:  # it is there, and busy
                observe.logger().info("task_board_not_looked_at", code=error.code, error=str(error))
            else:
                self._contact.notice(None)

    async def _look_after(self, board: TaskBoard, due_s: float, task_id: str, message: Message) -> None:
        """Look now and then until a task has ended: where its agent can't tell its sender, nobody else would."""
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
        pause_s, is_first = max(self._slow_s, SHORTEST_LOOK_S), True
        while True:
            try:
                status = (await board.read(task_id)).status
                if status == "available" and is_first:  # later it may be resting between two attempts
                    await self._tell(message, "n0", NOBODY)
                is_first = False
                if status == "dead" and await self._is_untold(message):
                    await self._tell(message, "n1", GIVEN_UP.format(task_id))
                if status in _ENDED:
                    return
            except NotFound:
                return
            except JuneError as error:
                observe.logger().warning("task_not_looked_after", task=task_id, code=error.code, error=str(error))
            pause_s = min(pause_s * 3, LONGEST_LOOK_S)
            await asyncio.sleep(pause_s)

    async def _is_untold(self, message: Message) -> bool:
        """Whether its sender has neither been answered nor stopped it."""
        return not {ANSWER, STOPPED} & (await begun_round(message.key, self._journal)).steps.keys()

    async def _tell(self, message: Message, part: str, words: str) -> None:
        [text] = rendered(words, self._profile)
        reply = Reply(text.text, entities=text.entities, reply_to_id=message.message_id)
        await self._outbox.intend(f"{message.key}:{part}", message.address, reply)


async def _look_whether_it_is_there(board: TaskBoard) -> None:
    """Ask for a task that no board has: a board that is far is opened without a word to it."""
    with contextlib.suppress(NotFound, InvalidInput):
        await board.read("0")

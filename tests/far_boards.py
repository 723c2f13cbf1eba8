"""What tests of far boards share: boards at a fake todorama, with short waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from essence.config import BoardSettings, StoreSettings, TasksClient
from essence.fakes.todorama import TodoramaServer
from essence.services.http import HttpServer
from essence.store import Clock
from essence.tasks.board import open_own
from essence.tasks.far import FarBoard, open_far_board
from essence.tasks.front import Front
from essence.tasks.keys import read_keys
from essence.tasks.mcp_face import open_mcp_face
from essence.work import NewTask, Priority
from tests.store_cases import HandClock

POLL_S = 0.05
PATIENCE_S = 30.0
"""How long something may take that surely comes."""


@asynccontextmanager
async def far_board(
    todorama: TodoramaServer | str,
    store_url: str = "memory://",
    *,
    clock: Clock | None = None,
    deadline_s: float = 10.0,
    project: str = "",
    key: str = "",
) -> AsyncIterator[FarBoard]:
    """A process of June's, as far as the board can tell."""
    settings = TasksClient(
        _env_file=None,
        tasks_url=todorama if isinstance(todorama, str) else todorama.url,
        tasks_key=key,
        tasks_poll_s=POLL_S,
        tasks_deadline_s=deadline_s,
        todorama_project_id=project,
    )
    store = StoreSettings(_env_file=None, store_url=store_url, store_deadline_s=PATIENCE_S)
    async with open_far_board(settings, store, clock) as board:
        yield board


Play = tuple[FarBoard, FarBoard, Callable[[float], None]]
"""A board, the same for another process, and what lets time pass."""


@asynccontextmanager
async def at_a_todorama(store_url: str) -> AsyncIterator[Play]:
    """Two processes that share a store, at somebody else's board."""
    clock = HandClock()
    async with (
        TodoramaServer(projects=(1,)) as todorama,
        far_board(todorama, store_url, clock=clock.clock(), project="1") as board,
        far_board(todorama, store_url, clock=clock.clock(), project="1") as other,
    ):
        yield board, other, clock.pass_s


@asynccontextmanager
async def at_junes_own(board_url: str) -> AsyncIterator[Play]:
    """Two processes that share nothing but June's own board, which stands somewhere else."""
    clock = HandClock()
    async with served(board_url, clock) as url:
        async with far_board(url, project="1") as board, far_board(url, project="1") as other:
            yield board, other, clock.pass_s


@asynccontextmanager
async def served(board_url: str, clock: HandClock, keys: str = "") -> AsyncIterator[str]:
    """June's own board over MCP; yields its address. It has a task of its own, as the SDK's server wants."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    enough = asyncio.Event()
    serving = asyncio.create_task(_serve(board_url, clock, keys, address, enough))
    try:
        await asyncio.wait([serving, address], return_when=asyncio.FIRST_COMPLETED)
        yield await address if address.done() else await serving
    finally:
        enough.set()
        await serving


async def _serve(board_url: str, clock: HandClock, keys: str, address: asyncio.Future[str], enough: asyncio.Event):
    settings = BoardSettings(_env_file=None, todorama_poll_s=POLL_S, todorama_max_attempts=3)
    http = HttpServer("todorama", has_api=True)
    async with open_own(board_url, settings, clock.clock()) as own:
        async with open_mcp_face(Front(own, read_keys(keys, "127.0.0.1"), ""), 2**20) as app:
            port = await http.start("127.0.0.1", 0)
            http.serve(app)
            address.set_result(f"http://127.0.0.1:{port}/mcp")
            await enough.wait()
            await http.stop()


def new(title: str = "Feed the cat", *, priority: Priority = "medium") -> NewTask:
    return NewTask(title, f"{title}, please.", "It is done.", priority=priority)


def made_by_another(todorama: TodoramaServer, title: str = "Feed the cat") -> str:
    """A task that somebody else's client has made."""
    fields = {"task_type": "concrete", "task_instruction": title, "verification_instruction": "look", "agent_id": "x"}
    return str(todorama.does("create_task", title=title, **fields)["task_id"])

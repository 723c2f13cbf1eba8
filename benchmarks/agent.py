"""The agent: its own share of a task's time on an instant model, and thirty messages on the embedded one."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from benchmarks._owner_messages import MESSAGES, Message, Outcome, desk
from benchmarks._table import console, show
from essence.config import LlmEngine, StoreSettings, TaskBoards
from essence.dialogue import Finished, ModelEvent, TextDelta, ToolCall, ToolSpec, Turn
from essence.engines import open_language_model
from essence.errors import EngineMissing
from essence.fakes.board import MemoryBoard
from essence.ports import LanguageModel, TaskBoard
from essence.store import open_store
from essence.tasks.opening import open_board

TASKS = 200
EMBEDDED = "llamacpp:qwen2.5-coder-0.5b-instruct"


class Instant:
    """Answers at once; with `tool` it uses one first."""

    def __init__(self, *, tool: bool) -> None:
        self._tool = tool

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncIterator[ModelEvent]:
        if self._tool and history[-1].role != "tool":
            yield ToolCall("c", "remember", '{"text": "The bike is blue."}')
            yield Finished("tool_calls")
            return
        yield TextDelta("The bike is blue.")
        yield Finished("stop")


async def overhead(model: LanguageModel, store_url: str, tasks_url: str) -> list[float]:
    """Milliseconds from the claim to the completed task, for each of `TASKS`."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(store_url, StoreSettings()))
        board = await stack.enter_async_context(_board(tasks_url))
        here = await stack.enter_async_context(desk(model, likely_only=False, store=store, board=board))
        taken = []
        for number in range(TASKS):
            await here.ask(number, Message("Remember that the bike is blue"))
            began = time.perf_counter()
            assert await here.worker.work_once()
            taken.append((time.perf_counter() - began) * 1000)
    return taken


@asynccontextmanager
async def _board(url: str) -> AsyncIterator[TaskBoard]:
    if url == "memory":
        yield MemoryBoard()
        return
    async with open_board(url, TaskBoards()) as board:
        yield board


def show_overhead() -> None:
    """Print the agent's share for a plain answer and for one tool, in memory and on a disk."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for where, store_url, tasks_url in (
            ("in memory", "memory://", "memory"),
            ("in two SQLite files", f"sqlite:///{folder}/june.db", f"sqlite:///{folder}/tasks.db"),
        ):
            for what, tool in (("an answer", False), ("a tool, then an answer", True)):
                url = store_url if store_url.startswith("memory") else store_url.replace(".db", f"-{tool}.db")
                tasks = tasks_url if tasks_url == "memory" else tasks_url.replace(".db", f"-{tool}.db")
                taken = sorted(asyncio.run(overhead(Instant(tool=tool), url, tasks)))
                p50, p95 = taken[len(taken) // 2], taken[int(len(taken) * 0.95)]
                rows.append((where, what, f"{p50:.1f} ms", f"{p95:.1f} ms", "p95 < 50 ms"))
    columns = ("store and board", "task", "p50", "p95", "aim")
    show(f"The agent's own share of {TASKS} tasks on an instant model", columns, rows)


async def messages(url: str, *, likely_only: bool) -> list[tuple[Outcome, float]]:
    """Each of the thirty messages on a real model, and how long it took. [s]"""
    async with open_language_model(url, LlmEngine()) as model, desk(model, likely_only=likely_only) as here:
        await here.tell()
        done = []
        for number, message in enumerate(MESSAGES):
            began = time.perf_counter()
            outcome = await here.put(number, message)
            done.append((outcome, time.perf_counter() - began))
    return done


def show_messages(url: str) -> None:
    """Print what became of each, and how many came out right."""
    done = asyncio.run(messages(url, likely_only=url.startswith("llamacpp:")))
    rows = [
        (
            "✓" if outcome.right else "✗",
            outcome.message.text,
            ", ".join(outcome.tools) or "–",
            outcome.answer.replace("\n", " ")[:90],
            f"{seconds:.1f} s",
        )
        for outcome, seconds in done
    ]
    show(f"Thirty messages on {url}", ("", "message", "tool", "answer", "time"), rows)
    with_tools = [outcome for outcome, _ in done if outcome.message.tool is not None]
    right, silent = sum(outcome.right for outcome, _ in done), sum(not outcome.answer for outcome, _ in done)
    console.print(
        f"{sum(outcome.right for outcome in with_tools)} of {len(with_tools)} to the right tool with the right "
        f"arguments; {right} of {len(done)} right in all; {silent} without an answer."
    )


def main() -> None:
    """Print both tables, the second where the model is here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=EMBEDDED, help="LLM_URL of the thirty messages; none for none")
    options = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    show_overhead()
    if options.model != "none":
        try:
            show_messages(options.model)
        except EngineMissing as error:
            console.print(f"The thirty messages were left out: {error}")


if __name__ == "__main__":
    main()

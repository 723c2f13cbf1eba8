"""`python -m essence agent`: works through owners' tasks, with tools."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from essence import config, observe
from essence.agent.budget import Budget
from essence.agent.consent import Consent
from essence.agent.crew import Crew
from essence.agent.gate import Gate
from essence.agent.job import Job, Owners
from essence.agent.messengers import Messengers
from essence.agent.progress import Progress
from essence.agent.reminding import Reminding
from essence.agent.tools.board import board_tools
from essence.agent.tools.command import Sandbox, command_tool
from essence.agent.tools.files import file_tools
from essence.agent.tools.history import history_tool
from essence.agent.tools.memory import memory_tools
from essence.agent.tools.reminding import reminder_tools
from essence.agent.tools.say import say_tool
from essence.agent.tools.tool import AnyTool
from essence.agent.tools.web import Reader, web_tool
from essence.agent.worker import House, Manners, Worker
from essence.config import AgentService
from essence.dialogue import Platform
from essence.engines import open_language_model
from essence.errors import ConfigError, JuneError
from essence.message_client import open_message_api
from essence.ports import Messenger, Store, TaskBoard
from essence.rpc.client import open_messenger
from essence.services import lifecycle
from essence.services.http import HttpServer
from essence.store import open_store
from essence.tasks.opening import open_board
from essence.work import Cost

CONTEXT_TOKENS = 16_000
"""What all tools, a page and a conversation need together; a small model is not offered all."""


def main(arguments: list[str]) -> int:
    """Work until told to stop, or until as much is done as the options say; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m essence agent")
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--once", action="store_true")  # what they mean is told in `essence.__main__`
    how_long.add_argument("--iterations", type=_count, metavar="N")
    options = parser.parse_args(arguments)
    try:
        settings = config.read(AgentService)
        lifecycle.observe_process("agent", settings)
        iterations = settings.agent_iterations if options.iterations is None else options.iterations
        asyncio.run(_serve(settings, once=options.once, iterations=iterations))
    except JuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _count(word: str) -> int:
    """Of tasks, as the command line says it."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word} is no number of tasks. Write 1 or more, or leave it out for no end.")
    return int(word)


async def _serve(settings: AgentService, *, once: bool, iterations: int) -> None:
    signals = lifecycle.Signals()
    async with AsyncExitStack() as stack:
        http = HttpServer("agent", has_api=False)
        settings = _beside_others(settings) if once else settings
        await lifecycle.start(http, "agent_http_port", settings)
        stack.push_async_callback(http.stop)
        agent = await signals.unless_stopped(stack.enter_async_context(opened(settings)))
        if agent is not None:
            worker, reminding = agent
            http.serve(None)
            if not any(_owners(settings).values()):
                observe.logger().warning("no_owners", set="TELEGRAM_OWNER_USERS or DISCORD_OWNER_USERS")
            observe.logger().info("ready")
            if once:
                if await signals.unless_stopped(worker.work_once()) is False:
                    observe.logger().info("nothing_to_do")
            else:
                crew = Crew(worker, size=settings.agent_tasks, iterations=iterations)
                await _run(crew, reminding, signals, settings.grace_s)
    observe.logger().info("stopped")


def _beside_others(settings: AgentService) -> AgentService:
    """For one task, as from cron: the machine's agent may be at work.

    Its port is not needed, and under its name one would be given what it holds, as after a restart.
    """
    own_id = f"{_agent_id(settings)}/once-{secrets.token_hex(4)}"
    return settings.model_copy(update={"agent_http_port": 0, "agent_id": own_id})


def _agent_id(settings: AgentService) -> str:
    return settings.agent_id or f"june@{socket.gethostname()}"


async def _run(crew: Crew, reminding: Reminding, signals: lifecycle.Signals, grace_s: float) -> None:
    """Until the crew has done its share, or a signal comes: then what is begun gets `grace_s`, and is given back."""
    working, telling = asyncio.create_task(crew.run()), asyncio.create_task(reminding.run())
    stopping = asyncio.create_task(signals.stopping.wait())
    try:
        await asyncio.wait((working, telling, stopping), return_when=asyncio.FIRST_COMPLETED)
        crew.stop()
        observe.logger().info("stopping", grace_s=grace_s)
        await asyncio.wait((working,), timeout=grace_s)
    finally:
        for task in (working, telling, stopping):
            task.cancel()
        ended = await asyncio.gather(working, telling, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


@asynccontextmanager
async def opened(settings: AgentService) -> AsyncIterator[tuple[Worker, Reminding]]:
    """The agent of the settings, and who tells its owners what is due.

    Raises:
        JuneError: Something that it needs can't be opened.
    """
    zone = _zone(settings.agent_time_zone)
    if settings.store_url.startswith("memory:"):
        raise ConfigError("STORE_URL is memory://, which the agent can't share. Set it as the chat services have it.")
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.store_url, settings))
        board = await stack.enter_async_context(open_board(settings.tasks_url, settings))
        messengers = Messengers(await _messengers(stack, settings))
        tools = await _tools(stack, settings, store, board, zone)
        model = await stack.enter_async_context(open_language_model(settings.llm_url, settings))
        if settings.llm_url.startswith("http") and settings.llm_context_tokens < CONTEXT_TOKENS:
            observe.logger().warning("little_context", set=f"LLM_CONTEXT_TOKENS={CONTEXT_TOKENS}, or what it takes")
        house = House(
            board,
            model,
            store,
            messengers,
            tools,
            Gate(settings.agent_confidence),
            Consent(store.approvals, messengers, wait_s=settings.agent_approval_s),
            _budget(settings, zone),
        )
        project_id = settings.todorama_project_id or None
        reminding = Reminding(store.reminders, store.journal, board, messengers, project_id=project_id)
        yield Worker(house, _manners(settings, zone)), reminding


async def _messengers(stack: AsyncExitStack, settings: AgentService) -> Mapping[Platform, Messenger]:
    urls: dict[Platform, str] = {"telegram": settings.agent_telegram_url, "discord": settings.agent_discord_url}
    found: dict[Platform, Messenger] = {
        platform: await stack.enter_async_context(open_messenger(url)) for platform, url in urls.items() if url
    }
    if len(found) < len(urls):
        api = await stack.enter_async_context(open_message_api(settings))
        found |= {platform: api for platform, url in urls.items() if not url}
    return found


async def _tools(
    stack: AsyncExitStack, settings: AgentService, store: Store, board: TaskBoard, zone: ZoneInfo
) -> Callable[[Job, Progress], Sequence[AnyTool]]:
    shared: list[AnyTool] = [
        *memory_tools(store.memories),
        *reminder_tools(store.reminders, store.journal, zone),
        history_tool(store.conversations),
        *file_tools(settings.agent_workspace),
        *board_tools(board),
    ]
    if settings.agent_web:
        shared.append(web_tool(Reader()))
    if settings.agent_commands:
        sandbox = Sandbox(settings.agent_workspace)
        await sandbox.check()
        shared.append(command_tool(sandbox))
    theirs: Callable[[], Sequence[AnyTool]] = tuple
    if settings.agent_mcp:
        from essence.agent.tools.mcp import open_servers, servers  # the SDK takes a second to load

        theirs = await stack.enter_async_context(open_servers(servers(Path(settings.agent_mcp))))
    return lambda _, progress: (say_tool(progress.say), *shared, *theirs())


def _manners(settings: AgentService, zone: ZoneInfo) -> Manners:
    near = settings.llm_url.startswith("llamacpp:")
    return Manners(
        agent_id=_agent_id(settings),
        system_prompt=settings.agent_prompt,
        owners=_owners(settings),
        zone=zone,
        lease_s=settings.agent_lease_s,
        attempts=settings.agent_attempts,
        slow_s=settings.agent_slow_s,
        retry_s=settings.agent_retry_s,
        delivery_s=settings.agent_delivery_s,
        history_turns=settings.agent_history_turns,
        history_chars=settings.agent_history_chars,
        likely_only=settings.agent_offers == "likely" or (settings.agent_offers == "auto" and near),
    )


def _owners(settings: AgentService) -> Owners:
    return {
        "telegram": config.listed(settings.telegram_owner_users),
        "discord": config.listed(settings.discord_owner_users),
    }


def _budget(settings: AgentService, zone: ZoneInfo) -> Budget:
    return Budget(
        task=Cost(
            settings.agent_task_calls, settings.agent_task_tokens, settings.agent_task_tool_runs, settings.agent_task_s
        ),
        day=Cost(
            settings.agent_day_calls, settings.agent_day_tokens, settings.agent_day_tool_runs, settings.agent_day_s
        ),
        zone=zone,
    )


def _zone(name: str) -> ZoneInfo:
    """The owner's time zone.

    Raises:
        ConfigError: There is no such zone.
    """
    if not name:
        import tzlocal

        name = tzlocal.get_localzone_name() or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"AGENT_TIME_ZONE={name} is no time zone. Write it like Europe/Berlin.") from error

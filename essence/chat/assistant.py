"""June on one channel: everything between a platform and the engines, put together and kept running."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from essence.chat import language, rendering, slash, watchdog
from essence.chat.access import Access
from essence.chat.courier import Courier
from essence.chat.delegation import Delegation, Rule
from essence.chat.dispatcher import Dispatcher
from essence.chat.house import House
from essence.chat.intake import Intake
from essence.chat.messenger import ChatMessenger
from essence.chat.notices import Notices
from essence.chat.quota import open_quota
from essence.chat.routing import orders_of
from essence.config import ChatSettings
from essence.ports import Channel, Store, TaskBoard

if TYPE_CHECKING:  # what is behind it loads after the first message is taken
    from essence.chat.pipeline import Pipeline

COMMANDS = tuple((line.name, line.summary) for line in slash.TABLE)
"""What a platform's menu shows."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Ids on the channel's platform."""

    owners: frozenset[str]
    guests: frozenset[str]


@dataclass(frozen=True, slots=True)
class Assistant:
    """What is running."""

    channel: Channel
    store: Store
    courier: Courier
    dispatcher: Dispatcher
    intake: Intake
    messenger: ChatMessenger


@asynccontextmanager
async def running(
    channel: Channel,
    store: Store,
    pipeline: Callable[[], Awaitable[Pipeline]],
    settings: ChatSettings,
    crowd: Crowd,
    *,
    system_prompt: str,
    engines: Callable[[], str] = lambda: "ready",
    open_board: Callable[[], AbstractAsyncContextManager[TaskBoard]] | None = None,
) -> AsyncIterator[Assistant]:
    """Answer people on a channel while the context is open.

    Args:
        channel: Opened already; it is listened to here.
        store: Where everything is kept.
        pipeline: Waits until the engines are loaded.
        settings: Manners and limits.
        crowd: Who may talk.
        system_prompt: First turn of every conversation.
        engines: How they are, in a few words, for /status.
        open_board: The task board that owners' messages go to; None: they are answered like everybody's.

    Raises:
        NotAllowed: In an ExceptionGroup: the platform refuses June's token.
    """
    platform = channel.profile.platform
    worker_id = settings.june_worker_id or f"{platform}@{socket.gethostname()}"
    courier = Courier(store.outbox, channel, sender_id=worker_id)
    delegation = None if open_board is None else _delegation(open_board, store, channel, settings, crowd)
    house = House(store, channel, courier, Notices(channel), pipeline, settings, system_prompt, delegation)
    dispatcher = Dispatcher(house, worker_id=worker_id)
    access = Access(store.people, platform, crowd.owners, crowd.guests)
    desk = slash.Desk(store, channel, dispatcher, engines, _not_used if delegation is None else delegation.state)
    async with open_quota(settings) as quota, asyncio.TaskGroup() as tasks:
        intake = Intake(house, access, quota, dispatcher, desk)
        work = [
            tasks.create_task(one)
            for one in (
                dispatcher.run(),
                courier.run(),
                intake.announce_backlog(),
                watchdog.watch(store, channel),
                channel.listen(intake.receive),
                _prepare(pipeline, delegation, channel),
            )
        ]
        try:
            messenger = ChatMessenger(channel, store.outbox, courier, pipeline)
            yield Assistant(channel, store, courier, dispatcher, intake, messenger)
        finally:
            for task in work:
                task.cancel()


def _delegation(
    open_board: Callable[[], AbstractAsyncContextManager[TaskBoard]],
    store: Store,
    channel: Channel,
    settings: ChatSettings,
    crowd: Crowd,
) -> Delegation:
    rule = Rule(crowd.owners, settings.owner_route, orders_of(settings.owner_route_orders))
    project_id, slow_s = settings.todorama_project_id or None, settings.chat_slow_s
    return Delegation(
        open_board, rule, store.journal, store.outbox, channel.profile, project_id=project_id, slow_s=slow_s
    )


def _not_used() -> str:
    return "not used"


async def _prepare(
    pipeline: Callable[[], Awaitable[Pipeline]], delegation: Delegation | None, channel: Channel
) -> None:
    """Load what no message needs before the engines are there, so that the channel need not wait for it."""
    await asyncio.to_thread(rendering.prepare, channel.profile)
    await pipeline()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(language.prepare))
        if delegation is not None:
            tasks.create_task(delegation.run())

"""What all exchanges of one channel share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from essence.chat.courier import Courier
from essence.chat.delegation import Delegation
from essence.chat.notices import Notices
from essence.config import ChatSettings
from essence.ports import Channel, Store

if TYPE_CHECKING:  # what is behind it loads after the first message is taken
    from essence.chat.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class House:
    """Whom and what an exchange works with."""

    store: Store
    channel: Channel
    courier: Courier
    notices: Notices
    pipeline: Callable[[], Awaitable[Pipeline]]
    """Waits until the engines are loaded."""
    settings: ChatSettings
    system_prompt: str
    delegation: Delegation | None = None
    """The way to the task board; None: nobody's messages become tasks."""

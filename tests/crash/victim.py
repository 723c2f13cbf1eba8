"""A chat service that kills itself with SIGKILL at one point of a message's way.

The service is the real one: the points are put around its own functions from here, so that it needs none of its own.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Point:
    """Before or after which call, counted from 1, the process dies."""

    owner: str
    """`module:Class`."""
    method: str
    when: Literal["before", "after"]
    where: str = ""
    """Only calls with this in their first argument count."""


INBOX, OUTBOX = "essence.store.inbox:DurableInbox", "essence.store.outbox:DurableOutbox"
SAID = "essence.store.conversations:DurableConversations"
POINTS = {
    "received": Point(INBOX, "receive", "before"),
    "stored": Point(INBOX, "receive", "after"),
    "claimed": Point(INBOX, "claim", "after"),
    "heard": Point("essence.chat.pipeline:Pipeline", "hear", "after"),
    "thinking": Point("essence.chat.live_text:LiveText", "show", "before"),
    "answer kept": Point(SAID, "append", "before"),
    "text about to leave": Point(OUTBOX, "dispatch", "after", ":t0"),
    "text sent": Point(OUTBOX, "sent", "before", ":t0"),
    "text's receipt kept": Point(OUTBOX, "sent", "after", ":t0"),
    "voice about to leave": Point(OUTBOX, "dispatch", "after", ":v0"),
    "voice sent": Point(OUTBOX, "sent", "before", ":v0"),
    "voice's receipt kept": Point(OUTBOX, "sent", "after", ":v0"),
    "later voice about to leave": Point(OUTBOX, "dispatch", "after", ":v1"),
    "later voice sent": Point(OUTBOX, "sent", "before", ":v1"),
    "later voice's receipt kept": Point(OUTBOX, "sent", "after", ":v1"),
    "ending": Point(INBOX, "finish", "before"),
    "ended": Point(INBOX, "finish", "after"),
}
VOICES = ("voice about to leave", "voice sent", "voice's receipt kept")
LATER_VOICES = tuple(f"later {point}" for point in VOICES)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: Point) -> None:
    module, _, name = point.owner.partition(":")
    owner: Any = getattr(importlib.import_module(module), name)
    original = getattr(owner, point.method)

    def meant(arguments: tuple[Any, ...]) -> bool:
        return not point.where or point.where in str(arguments[1])

    @functools.wraps(original)
    async def around(*arguments: Any, **options: Any) -> Any:
        if point.when == "before" and meant(arguments):
            die()
        result = await original(*arguments, **options)
        # A claim that found nothing is no claim.
        if point.when == "after" and (result is not None or point.method != "claim") and meant(arguments):
            die()
        return result

    @functools.wraps(original)
    def before(*arguments: Any, **options: Any) -> Any:
        die()

    setattr(owner, point.method, before if point.method == "show" else around)


def run(service: str, point: str) -> int:
    """Run a service until it ends; the point `never` leaves it alive."""
    from essence.__main__ import main

    if point != "never":
        arm(POINTS[point])
    return main([service])

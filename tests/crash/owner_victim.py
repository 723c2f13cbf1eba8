"""A service on the way of an owner's message that kills itself, and others with it, at one moment of that way."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.crash.victim import INBOX, OUTBOX, SAID


@dataclass(frozen=True, slots=True)
class Moment:
    """Before or after which call the process dies."""

    owner: str
    """`module:Class`."""
    method: str
    when: Literal["before", "after"]
    about: str = ""
    """Only calls with this in what they are given, or in what they return, as Python writes it, count."""
    voice: bool = False
    """It comes on the way of a voice message alone."""


BOARD = "essence.tasks.far.board:FarBoard"
TODORAMA = "essence.tasks.board:Board"
JOURNAL = "essence.store.journal:DurableJournal"
MODEL = "essence.agent.loop:ToolLoop"
CLIENT = "essence.message_client:MessageApi"
MESSAGES = "essence.store.messages:DurableMessages"
HANDOVER = "essence.services.message_api.handover:Handover"
MESSENGER = "essence.chat.messenger:ChatMessenger"
MOMENTS = {
    "telegram": {
        "message received": Moment(INBOX, "receive", "before"),
        "message stored": Moment(INBOX, "receive", "after"),
        "message claimed": Moment(INBOX, "claim", "after", "Claim("),
        "message heard": Moment("essence.chat.pipeline:Pipeline", "hear", "after", voice=True),
        "task about to be made": Moment(BOARD, "create", "before"),
        "task made": Moment(BOARD, "create", "after"),
        "question about to be kept": Moment(SAID, "append", "before", ":asked"),
        "message about to end": Moment(INBOX, "finish", "before"),
        "message ended": Moment(INBOX, "finish", "after"),
        "answer handed over": Moment(MESSENGER, "send", "before"),
        "text about to leave": Moment(OUTBOX, "dispatch", "after", ":t0"),
        "platform has the text": Moment(OUTBOX, "sent", "before", ":t0"),
        "text's receipt kept": Moment(OUTBOX, "sent", "after", ":t0"),
        "voice about to leave": Moment(OUTBOX, "dispatch", "after", ":v0", voice=True),
        "platform has the voice": Moment(OUTBOX, "sent", "before", ":v0", voice=True),
        "voice's receipt kept": Moment(OUTBOX, "sent", "after", ":v0", voice=True),
        "receipts about to be told": Moment(MESSENGER, "send", "after"),
    },
    "todorama": {
        "task about to be made": Moment(TODORAMA, "call", "before", "'create_task'"),
        "task made": Moment(TODORAMA, "call", "after", "'create_task'"),
        "task claimed": Moment(TODORAMA, "call", "after", "'lease_token'"),
        "task about to be completed": Moment(TODORAMA, "call", "before", "'complete_task'"),
        "task completed": Moment(TODORAMA, "call", "after", "'complete_task'"),
    },
    "agent": {
        "task claimed": Moment(BOARD, "claim", "after", "TaskClaim("),
        "model asked": Moment(MODEL, "write", "before"),
        "model has answered": Moment(MODEL, "write", "after"),
        "answer about to be kept": Moment(JOURNAL, "record", "before", "'answer'"),
        "answer kept": Moment(JOURNAL, "record", "after", "'answer'"),
        "answer about to be posted": Moment(CLIENT, "post", "before"),
        "answer posted": Moment(CLIENT, "post", "after"),
        "receipts about to be kept": Moment(JOURNAL, "record", "before", "'delivered'"),
        "receipts kept": Moment(JOURNAL, "record", "after", "'delivered'"),
        "task about to be completed": Moment(BOARD, "complete", "before"),
        "task completed": Moment(BOARD, "complete", "after"),
    },
    "message-api": {
        "answer about to be stored": Moment(MESSAGES, "post", "before"),
        "answer stored": Moment(MESSAGES, "post", "after"),
        "answer claimed": Moment(MESSAGES, "claim", "after", "Errand("),
        "answer handed over": Moment(HANDOVER, "_hand_over", "after"),
        "receipts about to be kept": Moment(MESSAGES, "delivered", "before"),
        "receipts kept": Moment(MESSAGES, "delivered", "after"),
    },
}
"""By service, in the order in which they come."""


def run(service: str, moment: str, folder: str, *others: str) -> int:
    """Run a service until it ends.

    Args:
        service: Its name.
        moment: When it dies; empty: never.
        folder: Where the process id of each service stands.
        others: Services that die with it.
    """
    from essence.__main__ import main

    if moment:
        _arm(MOMENTS[service][moment], [Path(folder) / other for other in others])
    return main([service])


def _arm(moment: Moment, others: Sequence[Path]) -> None:
    module, _, name = moment.owner.partition(":")
    owner: Any = getattr(importlib.import_module(module), name)
    original = getattr(owner, moment.method)
    assert inspect.iscoroutinefunction(original)

    @functools.wraps(original)
    async def around(*arguments: Any, **options: Any) -> Any:
        given = repr((arguments[1:], options))
        if moment.when == "before" and moment.about in given:
            _die(others)
        result = await original(*arguments, **options)
        if moment.when == "after" and moment.about in given + repr(result):
            _die(others)
        return result

    setattr(owner, moment.method, around)


def _die(others: Sequence[Path]) -> None:
    for other in others:
        os.kill(int(other.read_text()), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)

"""Ports for services that must know theirs before they start, or keep it when they start again."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

_RANGE = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, which could take one before its service has it."""


def free_port() -> int:
    """One that nobody has, drawn by lot: others who look for one beside this find another."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """All different."""
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(_RANGE, len(_RANGE)):
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
            if len(found) == count:
                return found
    raise AssertionError("all ports are taken")

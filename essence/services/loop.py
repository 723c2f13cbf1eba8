"""The event loop of services that have many messages or requests a second: uvloop's where it is installed."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a service to its end: `asyncio.run`, for less of the processor's time (`benchmarks/README.md`)."""
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(main)


def _loop() -> asyncio.AbstractEventLoop:
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    # uvloop forks where asyncio doesn't, and gRPC, which comes later, would write a line at each start of an engine.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop

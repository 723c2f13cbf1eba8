"""What a real process of a service writes down, for tests that start one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path


async def until_ready(log: Path) -> None:
    """Wait until a service that logs JSON into a file says that it is ready: before, SIGTERM just ends it."""
    while "ready" not in events(log):  # noqa: ASYNC110 - a file rings no bell
        await asyncio.sleep(0.05)


def events(log: Path) -> list[str]:
    """Names of what has happened, in its order; other lines are left out, and so is one that isn't whole yet."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line).get("event", "") for line in lines if line.startswith("{") and line.endswith("}\n")]

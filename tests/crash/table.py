"""Writes docs/crash-table.md from a run of every case: `python -m tests.crash.table`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.crash.test_crash import CASES
from tests.crash.world import Got, crash

PAGE = Path(__file__).parents[2] / "docs" / "crash-table.md"
HEAD = """# What a person gets when June is killed

Each row: the real service process runs against the fake platform, a person sends one message, the process is ended by
SIGKILL at that point of the message's way and started again, and what the person has on their screen in the end is
counted. *Lost*: no whole answer. *Twice*: an answer or voice message that is there twice and does not say so. *Marked*:
messages that bear 🔁, since the platform's answer to the first request could not be known. Text and voice
are on their way at once, so that a run may have one more or one fewer of these than another.

SQLite store; engines that answer with known words. An answer to "voice" is one text and one voice message; "in parts"
is an answer of several voice messages, with their words below them and no text beside them, of which no sentence may be
missing or heard twice. "Written slowly": the model is still writing when the first part is heard. Written by
`python -m tests.crash.table`; `tests/crash/test_crash.py` holds every run of the tests to half of it.

| platform | message | killed at | lost | twice | marked | text messages | voice messages |
|---|---|---|---|---|---|---|---|
"""


def _row(name: str, kind: str, point: str, got: Got) -> str:
    figures = (int(got.lost), got.unmarked_duplicates, got.marked, len(got.texts), len(got.voices))
    return f"| {name} | {kind} | {point} | {' | '.join(map(str, figures))} |\n"


async def _run() -> None:
    rows, lost, twice = "", 0, 0
    for name, kind, point in CASES:
        with tempfile.TemporaryDirectory() as folder:
            got = await crash(name, kind, point, Path(folder))
        rows += _row(name, kind, point, got)
        lost, twice = lost + got.lost, twice + got.unmarked_duplicates
        print(_row(name, kind, point, got), end="", flush=True)
    PAGE.write_text(f"{HEAD}{rows}\n**Together: {len(CASES)} kills, {lost} lost, {twice} unmarked duplicates.**\n")


if __name__ == "__main__":
    asyncio.run(_run())

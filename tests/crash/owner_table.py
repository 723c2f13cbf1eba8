"""Writes docs/owner-crash-table.md from a run of every case and many more: `python -m tests.crash.owner_table`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.crash.owner_world import SERVICES, Outcome, crash
from tests.crash.test_owner_crash import ALONE, Case, is_delivering

PAGE = Path(__file__).parents[2] / "docs" / "owner-crash-table.md"
HEAD = """# What June's owner gets when her services are killed

An owner's message becomes a task on the board; the agent claims it, works, and answers through the Message API and the
chat service. Each row: all four services run as processes of their own against the fake Telegram, the owner sends one
message, and at that moment of its way the service, with others at once where they are named, is ended by SIGKILL and
started again. What is there in the end is counted. *Lost*: no whole answer. *Twice*: an answer or voice message that is
there twice and does not say so. *Marked*: messages that bear 🔁, since the platform's answer to the first request could
not be known. *Completed*: how often the task was. *Model*: how often it was asked; 2 where the work was done again,
which it never is once its answer is kept.

SQLite files; a model that answers with known words. Written by `python -m tests.crash.owner_table`;
`tests/crash/test_owner_crash.py` holds every run of the tests to a third of the rows of one service and to some others.

| killed | at | with it | message | lost | twice | marked | completed | model |
|---|---|---|---|---|---|---|---|---|
"""


def cases() -> list[Case]:
    """Every service alone at each of its moments, then with each other one, then with all others."""
    found = [*ALONE]
    for kind, service, moment, _ in ALONE:
        others = tuple(name for name in SERVICES if name != service)
        found += [(kind, service, moment, (other,)) for other in others]
        found.append((kind, service, moment, others))
    return found


def _row(case: Case, outcome: Outcome) -> str:
    kind, service, moment, others = case
    got, completed = outcome.got, sum(times for _, times in outcome.tasks)
    figures = (int(got.lost), got.unmarked_duplicates, got.marked, completed, outcome.model_calls)
    return f"| {service} | {moment} | {', '.join(others)} | {kind} | {' | '.join(map(str, figures))} |\n"


async def _run() -> None:
    rows, lost, twice, once, again = "", 0, 0, 0, 0
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            outcome = await crash(*case, Path(folder))
        row = _row(case, outcome)
        rows += row
        lost, twice = lost + outcome.got.lost, twice + outcome.got.unmarked_duplicates
        once += outcome.completed_once
        again += is_delivering(case[1], case[2]) and outcome.model_calls > 1
        print(row, end="", flush=True)
    count = len(cases())
    PAGE.write_text(
        f"{HEAD}{rows}\n**Together: {count} cases, {lost} lost, {twice} unmarked duplicates, {once} tasks completed "
        f"exactly once, {again} times work done again\nafter its answer was kept.**\n"
    )


if __name__ == "__main__":
    asyncio.run(_run())

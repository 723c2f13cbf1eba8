"""An owner's message is answered once and its task completed once, whatever is killed at whatever step of its way."""

from pathlib import Path

import pytest

from tests.crash.owner_victim import MOMENTS
from tests.crash.owner_world import SERVICES, Kind, Outcome, crash

Case = tuple[Kind, str, str, tuple[str, ...]]
"""What the owner sends; which service dies at which moment, and which others with it."""
ALONE: list[Case] = [
    ("voice" if moment.voice else "text", service, name, ())
    for service, moments in MOMENTS.items()
    for name, moment in moments.items()
]
TOGETHER: list[Case] = [
    ("text", "telegram", "task made", ("todorama",)),
    ("text", "telegram", "platform has the text", ("message-api",)),
    ("text", "message-api", "answer handed over", ("telegram",)),
    ("text", "agent", "answer posted", ("message-api",)),
    ("text", "todorama", "task completed", ("agent",)),
    ("voice", "agent", "receipts about to be kept", ("todorama", "telegram", "message-api")),
]
DELIVERING = {
    "telegram": "answer handed over",
    "todorama": "task about to be completed",
    "agent": "answer kept",
    "message-api": "answer about to be stored",
}
"""From this moment of each service on the answer is kept."""


def name_of(case: Case) -> str:
    kind, service, moment, others = case
    return f"{kind}-{'+'.join((service, *others))}-{moment}".replace(" ", "_")


def is_delivering(service: str, moment: str) -> bool:
    names = list(MOMENTS[service])
    return names.index(moment) >= names.index(DELIVERING[service])


def check(case: Case, outcome: Outcome) -> None:
    kind, service, moment, _ = case
    assert not outcome.got.lost, outcome
    assert outcome.got.unmarked_duplicates == 0, outcome
    assert len(outcome.got.voices) >= (kind == "voice"), outcome
    assert outcome.completed_once, outcome
    assert outcome.model_calls <= (1 if is_delivering(service, moment) else 2), outcome
    assert [role for role, _ in outcome.history] == ["user", "assistant"], outcome


@pytest.mark.parametrize("case", ALONE[::3], ids=name_of)  # the published table has them all
async def test_one_answer_and_one_task_though_a_service_is_killed(case: Case, tmp_path: Path):
    check(case, await crash(*case, tmp_path))


@pytest.mark.parametrize("case", TOGETHER, ids=name_of)
async def test_one_answer_and_one_task_though_several_are_killed_at_once(case: Case, tmp_path: Path):
    check(case, await crash(*case, tmp_path))


def test_every_service_of_the_way_is_killed():
    assert set(MOMENTS) == set(SERVICES)

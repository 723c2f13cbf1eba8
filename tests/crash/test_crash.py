"""A message is answered once, at whatever point of its way the service is killed."""

from pathlib import Path

import pytest

from tests.crash.victim import ONLY_VOICE, POINTS
from tests.crash.world import crash

ELSEWHERE = ("stored", "thinking", "text sent", "voice sent", "ending")
"""Points that are tried on every platform; one is enough for those whose work is the same."""
CASES = [
    (name, kind, point)
    for name in ("telegram polling", "telegram webhook", "discord")
    for kind in ("text", "voice")
    for point in (POINTS if name == "telegram polling" else ELSEWHERE)
    if kind == "voice" or point not in ONLY_VOICE
]


@pytest.mark.parametrize(("name", "kind", "point"), CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])
async def test_a_message_is_neither_lost_nor_answered_twice_unmarked(name, kind, point, tmp_path: Path):
    got = await crash(name, kind, point, tmp_path)
    assert not got.lost, got
    assert got.unmarked_duplicates == 0, got
    if kind == "voice":
        assert got.voices >= 1, got

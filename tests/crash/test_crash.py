"""A message is answered once, at whatever point of its way the service is killed."""

from pathlib import Path

import pytest

from tests.crash.victim import LATER_VOICES, POINTS, VOICES
from tests.crash.world import crash

ELSEWHERE = ("stored", "thinking", "text sent", "voice sent", "ending")
"""Points that are tried on every platform; one is enough for those whose work is the same."""
ONE_VOICE = [point for point in POINTS if point not in LATER_VOICES]
TEXT = [point for point in ONE_VOICE if point not in ("heard", *VOICES)]
CASES = [
    *(("telegram polling", "text", point) for point in TEXT),
    *(("telegram polling", "voice", point) for point in ONE_VOICE),
    *(("telegram polling", "voice in parts", point) for point in (*VOICES, *LATER_VOICES)),
    *(("telegram polling", "voice in parts, written slowly", point) for point in (*VOICES, *LATER_VOICES)),
    *(
        (name, kind, point)
        for name in ("telegram webhook", "discord")
        for kind, points in (("text", TEXT), ("voice", ONE_VOICE))
        for point in ELSEWHERE
        if point in points
    ),
]


RUN = CASES[::2]
"""The published table has them all; half of them is what a run of the tests has time for."""


@pytest.mark.parametrize(("name", "kind", "point"), RUN, ids=["-".join(case).replace(" ", "_") for case in RUN])
async def test_a_message_is_neither_lost_nor_answered_twice_unmarked(name, kind, point, tmp_path: Path):
    got = await crash(name, kind, point, tmp_path)
    assert not got.lost, got
    assert got.unmarked_duplicates == 0, got
    assert len(got.voices) >= {"text": 0, "voice": 1}.get(kind, 2), got

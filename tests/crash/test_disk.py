"""The real service on a disk that takes nothing more: it says so, loses nothing, and answers when there is room again.

The kernel refuses every byte that the process writes to a file, which SQLite meets as it meets a failing disk.
"""

import resource
from pathlib import Path

import httpx

from tests.crash.start import Service
from tests.crash.world import ANSWER, PATIENCE_S, Telegram, service, stage, until_dead

NO_ROOM, ROOM = (0, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def limit(june: Service, room: tuple[int, int]) -> None:
    resource.prlimit(june.pid, resource.RLIMIT_FSIZE, room)


def texts(place: Telegram) -> list[str]:
    return [answer.text for answer in place.ann.chat.answers]


async def without_end(place: Telegram) -> float:
    """By the service's own count, once it is at it."""
    async with httpx.AsyncClient() as http:
        page = (await http.get(f"http://127.0.0.1:{place.environment['TELEGRAM_HTTP_PORT']}/metrics")).text
    lines = [line for line in page.splitlines() if line.startswith("june_messages_without_end_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def test_a_disk_that_fails_while_june_runs_costs_no_answer(tmp_path: Path):
    async with stage("telegram polling") as place:
        with service(place, "text", "never", tmp_path) as june:
            await place.say("text")
            await place.ann.chat.until(lambda: texts(place) == [ANSWER], timeout_s=PATIENCE_S)
            limit(june, NO_ROOM)
            await place.say("text")
            await place.ann.chat.until(lambda: "can't keep messages" in texts(place)[-1], timeout_s=PATIENCE_S)
            limit(june, ROOM)
            await place.ann.chat.until(lambda: texts(place).count(ANSWER) == 2, timeout_s=PATIENCE_S)
            assert len(texts(place)) == 3
            assert await without_end(place) == 0


async def test_a_disk_that_fails_when_june_starts_ends_her_by_name_and_she_answers_when_it_works(tmp_path: Path):
    async with stage("telegram polling") as place:
        with service(place, "text", "never", tmp_path) as june:
            limit(june, NO_ROOM)
            await place.say("text")
            assert await until_dead(june) == 1
        with service(place, "text", "never", tmp_path):
            await place.ann.chat.until(lambda: bool(texts(place)), timeout_s=PATIENCE_S)
            assert await without_end(place) == 0
        assert texts(place) == [ANSWER]

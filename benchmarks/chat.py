"""June on the fake Telegram against a bare echo bot: her own time, messages a second, a flood, memory, cold start.

Both are processes of their own and talk to the same fake in this one; engines are simulated and take no time, unless it
says otherwise. `JUNE_BENCH_MESSAGES` sets how many messages the run for memory sends (20,000).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._table import show
from essence.audio import Pcm, encode_voice
from essence.fakes.telegram import TelegramServer, User
from essence.services.telegram.api import IDLE_S

NOTE = encode_voice([Pcm(bytes(48_000 * 2 * 3), 48_000)]).data
NOTES = 100
CHATS, TEXTS = 500, 2_000
FLOOD = 500
STARTS = 5
PAIRS = 5
"""Runs of June and of the echo bot in turn: a shared machine may give one of them half its speed."""
STT_RTF = 0.1
"""Simulated work in the run with a flood: a note of 3 s takes 0.3 s."""
SOAK = int(os.environ.get("JUNE_BENCH_MESSAGES", "20000"))
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot at work."""

    telegram: TelegramServer
    people: Sequence[User]
    process: asyncio.subprocess.Process
    started_s: float
    """From its process's start to its first getUpdates."""

    def rss_mb(self) -> float:
        """Resident memory now."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def open_files(self) -> int:
        """Files and sockets."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def threads(self) -> int:
        """Threads."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))


@asynccontextmanager
async def at_work(kind: str, *, people: int = 1, stt_rtf: float = 0.0) -> AsyncIterator[Bot]:
    """`june` or `echo`, with so many people who may talk to it."""
    with tempfile.TemporaryDirectory() as folder:
        async with TelegramServer() as telegram:
            crowd = [telegram.user(f"P{number}") for number in range(people)]
            begun = time.perf_counter()
            process = await _started(kind, telegram, crowd, folder, stt_rtf)
            try:
                await telegram.called("getUpdates", done=False, timeout_s=60)
                yield Bot(telegram, crowd, process, time.perf_counter() - begun)
            finally:
                process.kill()
                await process.wait()


async def _started(
    kind: str, telegram: TelegramServer, crowd: Sequence[User], folder: str, stt_rtf: float
) -> asyncio.subprocess.Process:
    words = {
        "june": ["-m", "essence", "telegram"],
        "echo": ["-m", "benchmarks._echo_bot", telegram.token, telegram.url],
    }
    environment = os.environ | {
        "TELEGRAM_TOKEN": telegram.token,
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_OWNER_USERS": ",".join(str(user.person.user_id) for user in crowd),
        "TELEGRAM_MESSAGES_PER_S": "0",
        "TELEGRAM_GRPC_PORT": "0",
        "TELEGRAM_HTTP_PORT": "0",
        "STORE_URL": f"sqlite:///{folder}/june.db",
        "STT_URL": f"fake:how are you today?rtf={stt_rtf}",
        "LLM_URL": "fake:All is well.",
        "TTS_URL": "fake:en",
        "OWNER_ROUTE": "chat",
        "LOG_LEVEL": "error",
    }  # fmt: skip
    return await asyncio.create_subprocess_exec(
        sys.executable, *words[kind], env=environment, stderr=asyncio.subprocess.DEVNULL
    )


async def _ready(bot: Bot) -> None:
    """One message through all of it, so that nothing is loaded within a measurement."""
    await bot.people[0].sends_voice(NOTE)
    await bot.telegram.called("sendVoice", timeout_s=60)
    await asyncio.sleep(1.0)


async def _round_trips_ms(kind: str) -> list[float]:
    async with at_work(kind) as bot:
        await _ready(bot)
        times = []
        for number in range(2, NOTES + 2):
            begun = time.perf_counter()
            await bot.people[0].sends_voice(NOTE)
            await bot.telegram.called("sendVoice", times=number, timeout_s=60)
            times.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(0.02)
        return times


async def _texts(bot: Bot, count: int, before: int) -> float:
    """Seconds for so many texts, spread over all people."""
    begun = time.perf_counter()
    for number in range(count):
        await bot.people[number % len(bot.people)].says(f"message {number}")
    await bot.telegram.called("sendMessage", times=before + count, timeout_s=PATIENCE_S)
    return time.perf_counter() - begun


async def _per_s(kind: str) -> float:
    async with at_work(kind, people=CHATS) as bot:
        await _ready(bot)
        before = len(bot.telegram.calls_of("sendMessage"))
        return TEXTS / await _texts(bot, TEXTS, before)


async def _delays_s() -> tuple[float, float]:
    """How long one person's note takes alone, and while another one floods."""
    async with at_work("june", people=2, stt_rtf=STT_RTF) as bot:
        await _ready(bot)
        ann, bob = bot.people
        alone = await _note_s(ann)
        for _ in range(FLOOD):
            await bob.sends_voice(NOTE)
        await asyncio.sleep(1.0)
        return alone, await _note_s(ann)


async def _note_s(person: User) -> float:
    begun, before = time.perf_counter(), len(person.chat.answers)
    await person.sends_voice(NOTE)
    await person.chat.until(lambda: any(answer.voice for answer in person.chat.answers[before:]), timeout_s=PATIENCE_S)
    return time.perf_counter() - begun


async def _held_after(bot: Bot, count: int, before: int) -> tuple[float, int, int]:
    """Memory [MB], files with sockets, and threads after so many texts, and one more when connections were idle."""
    await _texts(bot, count, before)
    await asyncio.sleep(IDLE_S + 1.0)
    await _texts(bot, 1, before + count)  # the pool closes what was idle for too long when it is used
    return bot.rss_mb(), bot.open_files(), bot.threads()


async def _soak() -> tuple[tuple[str, ...], ...]:
    async with at_work("june", people=CHATS) as bot:
        await _ready(bot)
        warm = SOAK // 4
        sent = len(bot.telegram.calls_of("sendMessage"))
        before = await _held_after(bot, warm, sent)
        after = await _held_after(bot, SOAK - warm, sent + warm + 1)
    growth = (after[0] / before[0] - 1) * 100
    return (
        (f"memory after {SOAK:,} texts", f"{after[0]:.0f} MB", f"after {warm:,}: {before[0]:.0f} MB",
         f"{growth:+.1f} %", "under 5 %"),
        ("… files and sockets, threads", f"{after[1]}, {after[2]}", f"{before[1]}, {before[2]}", "", "none leaked"),
    )  # fmt: skip


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def main() -> None:
    """Measure everything and print it."""
    rows: list[tuple[str, ...]] = []
    june, echo = await _round_trips_ms("june"), await _round_trips_ms("echo")
    for name, of in (("p50", statistics.median), ("p95", _p95)):
        mine, theirs = of(june), of(echo)
        rows.append(
            (f"voice message to voice answer, {name} of {NOTES}", f"{mine:.1f} ms", f"echo bot: {theirs:.1f} ms",
             f"{mine - theirs:+.1f} ms", "p95 at most +25 ms")
        )  # fmt: skip
    pairs = [(await _per_s("june"), await _per_s("echo")) for _ in range(PAIRS)]
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours / peers for ours, peers in pairs)
    rows.append(
        (f"texts a second, {CHATS} chats, SQLite, medians of {PAIRS}", f"{mine:.0f}/s", f"echo bot: {theirs:.0f}/s",
         f"{ratio:.2f}×", "at least 0.5×")
    )  # fmt: skip
    alone, flooded = await _delays_s()
    rows.append(
        (f"a note while another chat floods {FLOOD}", f"{flooded:.2f} s", f"alone: {alone:.2f} s",
         f"{flooded - alone:+.2f} s", "less than one note's time")
    )  # fmt: skip
    starts = []
    for _ in range(STARTS):
        async with at_work("june") as bot:
            starts.append(bot.started_s)
    rows.append(
        (f"cold start to the first getUpdates, median of {STARTS}", f"{statistics.median(starts):.2f} s", "", "",
         "under 2 s")
    )  # fmt: skip
    rows += await _soak()
    show("Chat", ("what", "June", "against", "difference", "aim"), rows)


if __name__ == "__main__":
    asyncio.run(main())

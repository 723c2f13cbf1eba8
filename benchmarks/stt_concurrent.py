"""Sixteen notes at once against the same notes one after the other, in one process with one model."""

from __future__ import annotations

import asyncio
import resource
import time
from contextlib import aclosing

from benchmarks._speech import Note, notes, once
from benchmarks._table import show
from essence import config
from essence.engines.stt.faster_whisper import open_player
from essence.ports import Transcriber

NOTES = 16
ROUNDS = 3


async def hear(player: Transcriber, note: Note) -> str:
    """The text of one note."""
    text = ""
    async with aclosing(player.transcribe(once(note.sound))) as results:
        async for transcript in results:
            text = transcript.text
    return text


def peak_mib() -> float:
    """Most memory that the process ever held. Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def one_by_one(player: Transcriber, chosen: list[Note]) -> tuple[float, list[str]]:
    """Seconds, and the texts."""
    start = time.perf_counter()
    texts = [await hear(player, note) for note in chosen]
    return time.perf_counter() - start, texts


async def at_once(player: Transcriber, chosen: list[Note]) -> tuple[float, list[str]]:
    """Seconds, and the texts."""
    start = time.perf_counter()
    texts = await asyncio.gather(*(hear(player, note) for note in chosen))
    return time.perf_counter() - start, texts


async def compare() -> None:
    """Take turns; compare the best of each."""
    settings = config.read(config.SttEngine).model_copy(update={"stt_device": "cpu"})
    every = list(notes(2, 10))
    chosen = every[:: len(every) // NOTES][:NOTES]
    sound_s = sum(note.sound.duration_s for note in chosen)
    async with open_player("faster-whisper:base", settings) as player:
        await hear(player, chosen[0])
        loaded_mib = peak_mib()
        serial = [await one_by_one(player, chosen)]
        serial_mib = peak_mib()
        batched = [await at_once(player, chosen)]
        batched_mib = peak_mib()
        for _ in range(ROUNDS - 1):
            serial.append(await one_by_one(player, chosen))
            batched.append(await at_once(player, chosen))
    serial_s, batched_s = min(s for s, _ in serial), min(s for s, _ in batched)
    alike = sum(a == b for a, b in zip(serial[0][1], batched[0][1], strict=True))
    rows = [
        ("best time", f"{serial_s:.2f} s", f"{batched_s:.2f} s", f"{serial_s / batched_s:.2f}×", "≥ 1×"),
        ("sound a second", f"{sound_s / serial_s:.1f} s", f"{sound_s / batched_s:.1f} s", "", ""),
        ("peak memory", f"{serial_mib:.0f} MiB", f"{batched_mib:.0f} MiB", f"{loaded_mib:.0f} MiB after one note", ""),
        ("texts alike", "", f"{alike} of {NOTES}", "", str(NOTES)),
    ]
    show(f"{NOTES} notes, best of {ROUNDS}", ("what", "one after the other", "at once", "", "aim"), rows)


def main() -> None:
    """Print the figures."""
    asyncio.run(compare())


if __name__ == "__main__":
    main()

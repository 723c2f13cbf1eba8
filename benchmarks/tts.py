"""June's Piper engine, through its own process, against Piper's Python API in this one; and what else costs time.

`python -m benchmarks.tts`. Both speak the same texts in turn, with the same voice and all cores.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from piper import PiperVoice
from rich.console import Console
from rich.table import Table

from essence.config import TtsEngine, read
from essence.engines.tts import espeak, piper
from essence.ports import Synthesizer

ROUNDS = 8
VOICE = "en_US-joe-medium"
_SENTENCES = (
    "I looked at the forecast, and it should be sunny tomorrow morning.",
    "In the afternoon there will be some rain from the west.",
    "Shall I remind you to take an umbrella?",
    "Your first meeting starts at half past nine in the large room.",
    "Anna asked whether you could bring the printed plans with you.",
    "The train that you usually take is running ten minutes late.",
    "There is another one shortly after, which stops at every station.",
    "I have put both of them on your list.",
)
_LONG = (
    "When the rain had stopped at last, we walked along the river to the old mill, looked at the boats for a while, "
    "and then went home through the fields, where the first stars could already be seen above the hills."
)
TEXTS = {"1 sentence": 1, "3 sentences": 3, "8 sentences": 8}


@dataclass(frozen=True, slots=True)
class Spoken:
    """Times of one synthesis."""

    first_s: float
    total_s: float
    audio_s: float


async def by_june(player: Synthesizer, text: str) -> Spoken:
    started_s = time.perf_counter()
    first_s, audio_s = 0.0, 0.0
    async with aclosing(player.synthesize(text)) as speech:
        async for pcm in speech:
            first_s = first_s or time.perf_counter() - started_s
            audio_s += pcm.duration_s
    return Spoken(first_s, time.perf_counter() - started_s, audio_s)


def by_piper(voice: PiperVoice, text: str) -> Spoken:
    started_s = time.perf_counter()
    first_s, audio_s = 0.0, 0.0
    for chunk in voice.synthesize(text):
        samples = chunk.audio_int16_bytes
        first_s = first_s or time.perf_counter() - started_s
        audio_s += len(samples) / 2 / chunk.sample_rate
    return Spoken(first_s, time.perf_counter() - started_s, audio_s)


async def both(june: Synthesizer, voice: PiperVoice, text: str, *, june_first: bool) -> tuple[Spoken, Spoken]:
    """One run of each; neither always follows the other, whose threads may still be spinning."""
    if june_first:
        ours = await by_june(june, text)
        await asyncio.sleep(0.1)
        theirs = by_piper(voice, text)
    else:
        theirs = by_piper(voice, text)
        await asyncio.sleep(0.1)
        ours = await by_june(june, text)
    await asyncio.sleep(0.1)
    return ours, theirs


def row(name: str, june: list[Spoken], peer: list[Spoken]) -> tuple[str, ...]:
    def mid(runs: list[Spoken], figure: Callable[[Spoken], float]) -> float:
        return median(map(figure, runs))

    total, first = (mid(june, f) / mid(peer, f) for f in (lambda s: s.total_s, lambda s: s.first_s))
    rtf = [f"{mid(runs, lambda s: s.total_s / s.audio_s):.3f}" for runs in (june, peer)]
    firsts = [f"{mid(runs, lambda s: s.first_s) * 1000:.0f}" for runs in (june, peer)]
    return name, f"{total:.2f}", f"{first:.2f}", " / ".join(firsts), " / ".join(rtf)


async def compare() -> Table:
    settings = read(TtsEngine)
    table = Table("text", "total, June : Piper (≤ 1.03)", "first audio (≤ 1.00)", "first audio [ms]", "RTF")
    started_s = time.perf_counter()
    async with piper.open_player(f"piper:{VOICE}", settings) as june:
        piper_ready_s = time.perf_counter() - started_s
        voice = PiperVoice.load(Path(settings.june_models_dir) / VOICE / f"{VOICE}.onnx")
        texts = {name: " ".join(_SENTENCES[:count]) for name, count in TEXTS.items()} | {"1 long sentence": _LONG}
        for name, text in texts.items():
            runs = [await both(june, voice, text, june_first=bool(at % 2)) for at in range(ROUNDS + 1)]
            # the first warmed up
            table.add_row(*row(name, *map(list, zip(*runs[1:], strict=True))))
    started_s = time.perf_counter()
    async with espeak.open_player("espeak:", settings) as robot:
        first = await by_june(robot, _SENTENCES[0])
        espeak_ready_s = time.perf_counter() - started_s
        runs_espeak = [await by_june(robot, " ".join(_SENTENCES)) for _ in range(ROUNDS)]
    rtf = median(run.total_s / run.audio_s for run in runs_espeak)
    table.caption = (
        f"Ready: Piper {piper_ready_s:.2f} s, eSpeak NG {espeak_ready_s:.2f} s "
        f"(its process starts with the first text). eSpeak NG: RTF {rtf:.4f}, "
        f"first audio {median(run.first_s for run in runs_espeak) * 1000:.0f} ms, cold {first.first_s * 1000:.0f} ms."
    )
    return table


def main() -> None:
    Console(width=120).print(asyncio.run(compare()))


if __name__ == "__main__":
    main()

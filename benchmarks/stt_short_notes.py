"""Notes of 2 to 10 s of human speech: June against faster-whisper's own `transcribe`, model, int8 and threads alike."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np
import soxr
from faster_whisper import WhisperModel

from benchmarks._speech import Note, notes, once, word_errors
from benchmarks._table import show
from essence import config
from essence.engines.stt.faster_whisper import open_player
from essence.ports import Transcriber

EVERY = 2
"""Of the 89 notes that can be cut, every second is compared: it keeps the run under three minutes on two cores."""
EVERY_BEAM_5 = 10
LOOP_WORDS = 6
"""More words than were said, by this many, is a loop that escaped."""

Hear = Callable[[Note], Awaitable[str]]


@dataclass(slots=True)
class Score:
    """What one way of hearing made of the notes."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    errors: int = 0
    words: int = 0
    loops: int = 0

    def add(self, note: Note, text: str, wall_s: float, cpu_s: float) -> None:
        self.wall_s.append(wall_s)
        self.cpu_s += cpu_s
        self.errors += word_errors(note.words, text)
        self.words += len(note.words.split())
        self.loops += len(text.split()) >= len(note.words.split()) + LOOP_WORDS

    @property
    def wer(self) -> float:
        """[percent]"""
        return 100 * self.errors / self.words


def june(player: Transcriber) -> Hear:
    """The engine as callers have it: gate, queue, windows, guard."""

    async def hear(note: Note) -> str:
        text = ""
        async with aclosing(player.transcribe(once(note.sound))) as results:
            async for transcript in results:
                text = transcript.text
        return text

    return hear


def stock(model: WhisperModel, beam: int) -> Hear:
    """faster-whisper's `transcribe` with its defaults, but for the beam."""

    def blocking(note: Note) -> str:
        samples = note.sound.samples().astype(np.float32) / 32768
        segments, _ = model.transcribe(soxr.resample(samples, note.sound.rate, 16_000), beam_size=beam)
        return "".join(segment.text for segment in segments)

    async def hear(note: Note) -> str:
        return await asyncio.to_thread(blocking, note)

    return hear


async def measure(hear: Hear, note: Note, score: Score) -> None:
    """Hear one note and add it to the score."""
    wall, cpu = time.perf_counter(), time.process_time()
    text = await hear(note)
    score.add(note, text, time.perf_counter() - wall, time.process_time() - cpu)


async def compare() -> None:
    """Take turns note by note, so that both see the same machine."""
    settings = config.read(config.SttEngine).model_copy(
        update={"stt_device": "cpu", "stt_beam": 1, "stt_threads": os.cpu_count() or 1}
    )
    model = WhisperModel(
        str(settings.june_models_dir / "whisper-base"),
        device="cpu",
        compute_type="int8",
        cpu_threads=settings.stt_threads,
    )
    chosen = list(notes(2, 10))
    async with open_player("faster-whisper:base", settings) as player:
        ways = {"june": june(player), "beam 1": stock(model, 1), "beam 5": stock(model, 5)}
        scores = {name: Score() for name in ways} | {"june, all": Score()}
        for hear in ways.values():
            await hear(chosen[0])
        for index, note in enumerate(chosen):
            for name, every in (("june", EVERY), ("beam 1", EVERY), ("beam 5", EVERY_BEAM_5)):
                if index % every == 0:
                    await measure(ways[name], note, scores[name])
            if index % EVERY:
                await measure(ways["june"], note, scores["june, all"])
    report(scores)


def report(scores: dict[str, Score]) -> None:
    """Print the figures."""
    ours, theirs, beam_5, rest = scores["june"], scores["beam 1"], scores["beam 5"], scores["june, all"]
    ratio = statistics.median(b / a for a, b in zip(ours.wall_s, theirs.wall_s, strict=True))
    every = EVERY_BEAM_5 // EVERY
    ratio_5 = statistics.median(b / a for a, b in zip(ours.wall_s[::every], beam_5.wall_s, strict=True))
    june_s, stock_s = statistics.median(ours.wall_s), statistics.median(theirs.wall_s)
    rows = [
        ("notes", str(len(ours.wall_s)), str(len(theirs.wall_s)), "", ""),
        ("median time", f"{june_s:.2f} s", f"{stock_s:.2f} s", f"{ratio:.1f}× faster (median of ratios)", "≥ 4×"),
        ("… default beam of 5", "", f"{statistics.median(beam_5.wall_s):.2f} s", f"{ratio_5:.1f}× faster", ""),
        ("CPU time, all", f"{ours.cpu_s:.0f} s", f"{theirs.cpu_s:.0f} s", f"{theirs.cpu_s / ours.cpu_s:.1f}× less", ""),
        ("WER", f"{ours.wer:.1f} %", f"{theirs.wer:.1f} %", f"{ours.wer - theirs.wer:+.1f} points", "≤ +0.5"),
        ("WER of the other notes", f"{rest.wer:.1f} %", "", "", ""),
        ("loops that escaped", str(ours.loops + rest.loops), str(theirs.loops), "", "0"),
    ]
    show("STT of notes of 2–10 s, Whisper base int8", ("what", "June", "faster-whisper, beam 1", "", "aim"), rows)


def main() -> None:
    """Print the figures."""
    asyncio.run(compare())


if __name__ == "__main__":
    main()

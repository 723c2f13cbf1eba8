"""June's own share of an answer: engines of known speed in virtual time, against the critical path on paper."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import looptime

from benchmarks._table import show
from essence.chat.events import AudioPart, Done
from essence.chat.pipeline import Pipeline
from essence.fakes import RawCodec, ScriptedModel, ScriptedTranscriber, ToneSynthesizer

SENTENCES = [
    f"Sentence number {n} has about a dozen words in it, which is usual." for n in ("one", "two", "three", "four")
]
NOTE_S, STT_RTF = 5.0, 0.2
SPEEDS = {
    "quick model, quick voice": (0.3, 0.02, 0.05),
    "slow model": (1.0, 0.25, 0.05),
    "slow voice": (0.3, 0.02, 0.9),
    "both slow": (1.0, 0.25, 0.9),
}
"""Seconds to the first token, seconds a token (a word), real-time factor of the voice."""


def on_paper(first_token_s: float, token_s: float, rtf: float) -> tuple[float, float]:
    """Return when the first sound and the end come if stages overlap at sentences and nothing else takes time."""
    written_s = NOTE_S * STT_RTF + first_token_s - token_s
    spoken_s, first_audio_s = 0.0, None
    for sentence in SENTENCES:
        written_s += len(sentence.split()) * token_s
        spoken_s = max(spoken_s, written_s) + len(sentence) * ToneSynthesizer.character_s * rtf
        first_audio_s = first_audio_s if first_audio_s is not None else spoken_s
    assert first_audio_s is not None
    return first_audio_s, max(spoken_s, written_s)


async def by_june(first_token_s: float, token_s: float, rtf: float) -> tuple[float, float]:
    """Return the same two times as the pipeline takes them, on the virtual clock."""
    pipeline = Pipeline(
        ScriptedTranscriber("a question", rtf=STT_RTF),
        ScriptedModel(" ".join(SENTENCES), first_token_s=first_token_s, token_s=token_s),
        ToneSynthesizer(rtf=rtf),
        codec=RawCodec(),
    )
    loop = asyncio.get_running_loop()
    start, first_part_s, end_s = loop.time(), None, 0.0
    async with aclosing(pipeline.answer_note(bytes(round(NOTE_S * 2 * RawCodec.rate)))) as events:
        async for event in events:
            if isinstance(event, AudioPart) and first_part_s is None:
                first_part_s = loop.time() - start
            if isinstance(event, Done):
                end_s = event.timings.total_s
    assert first_part_s is not None
    return first_part_s, end_s


def main() -> None:
    """Print both for each pair of speeds."""
    rows = []
    for name, speeds in SPEEDS.items():
        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            first_s, end_s = runner.run(by_june(*speeds))
        paper_first_s, paper_end_s = on_paper(*speeds)
        rows.append(
            (
                name,
                f"{first_s:.2f} s",
                f"{paper_first_s:.2f} s",
                f"{end_s:.3f} s",
                f"{paper_end_s:.3f} s",
                f"{end_s / paper_end_s:.3f}×",
                "≤ 1.02×",
            )
        )
    columns = ("engines", "first part", "on paper", "whole answer", "on paper", "ratio", "aim")
    show("Orchestration in virtual time", columns, rows)


if __name__ == "__main__":
    main()

"""A sentence said once and said twice, each spoken anew many times: is it written as often as it was said?

Whisper at times writes a sentence once more than it was said, and at times once where it was said twice. Compared are
its first attempt, in the shortest window, and June, who judges that attempt by the times of its words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import soxr

from benchmarks._speech import once, word_errors
from benchmarks._table import show
from essence import config
from essence.audio import Pcm, decode_stream, encode_voice
from essence.engines.stt import whisper
from essence.engines.stt.audio_context import window_s
from essence.engines.stt.faster_whisper import FasterWhisper
from essence.engines.stt.gate import RATE_HZ
from essence.engines.stt.segmentation import Cutter
from essence.engines.tts.piper import open_player as open_piper
from essence.ports import Synthesizer

SENTENCE = "Please remind me to water the flowers tomorrow morning."
TIMES = 60
PAUSES_S = (0.0, 0.15, 0.4)
"""Between the first time and the second, in turn."""
FEW_ERRORS = 4
"""A sentence too many or too few is nine words; Piper's voice costs one now and then."""


async def sentences(piper: Synthesizer) -> AsyncIterator[Pcm]:
    """The sentence for ever, each time with other noise."""
    while True:
        async with aclosing(piper.synthesize(SENTENCE, language="en")) as speech:
            pieces = [pcm async for pcm in speech]
        yield Pcm(b"".join(pcm.data for pcm in pieces), pieces[0].rate)


async def recorded(sound: Pcm) -> Pcm:
    """As it comes out of an Ogg/Opus note."""
    async with aclosing(decode_stream(encode_voice([sound]).data)) as pieces:
        chunks = [pcm async for pcm in pieces]
    return Pcm(b"".join(pcm.data for pcm in chunks), chunks[0].rate)


def first_attempt(model: whisper.Whisper, sound: Pcm) -> str:
    """What Whisper writes in the shortest window, unjudged."""
    samples = soxr.resample(sound.samples().astype(np.float32) / 32768, sound.rate, RATE_HZ)
    cutter, text = Cutter(), ""
    for stretch in (*cutter.write(samples), *cutter.flush()):
        request = whisper.Request(stretch.samples, None, word_times=False)
        text += model.hear([request], window_s=window_s(stretch.duration_s), temperature=0.0)[0].text
    return text


async def june(player: FasterWhisper, sound: Pcm) -> str:
    """What the engine writes."""
    text = ""
    async with aclosing(player.transcribe(once(sound))) as results:
        async for transcript in results:
            text = transcript.text
    return text


def notes(one: Pcm, other: Pcm, pause_s: float) -> dict[str, tuple[str, Pcm]]:
    """What is said in each note, and how it sounds."""
    pause = bytes(2 * int(pause_s * one.rate))
    return {
        "once": (SENTENCE, one),
        "twice": (f"{SENTENCE} {SENTENCE}", Pcm(one.data + pause + other.data, one.rate)),
    }


async def compare() -> None:
    """Hear every note both ways."""
    settings = config.read(config.SttEngine)
    model = whisper.load("base", settings)
    player = FasterWhisper(model, queue_max=settings.stt_queue_max, max_audio_s=settings.stt_max_audio_s)
    wrong = {said: {"june": 0, "alone": 0} for said in ("once", "twice")}
    async with (
        open_piper("piper:en_US-joe-medium", config.read(config.TtsEngine)) as piper,
        aclosing(sentences(piper)) as spoken,
    ):
        for number in range(TIMES):
            pause_s = PAUSES_S[number % len(PAUSES_S)]
            for said, (words, sound) in notes(await anext(spoken), await anext(spoken), pause_s).items():
                note = await recorded(sound)
                wrong[said]["june"] += word_errors(words, await june(player, note)) > FEW_ERRORS
                wrong[said]["alone"] += word_errors(words, first_attempt(model, note)) > FEW_ERRORS
    player.close()
    report(wrong)


def report(wrong: dict[str, dict[str, int]]) -> None:
    """Print the figures."""
    rows = [
        (f"said {said}, {TIMES} notes", str(count["june"]), str(count["alone"]), "0") for said, count in wrong.items()
    ]
    show("A sentence too many or too few", ("what", "June", "first attempt alone", "aim"), rows)


def main() -> None:
    """Print the figures."""
    asyncio.run(compare())


if __name__ == "__main__":
    main()

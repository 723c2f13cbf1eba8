"""Sound without words must give no words, and words must not be lost: June's gate against faster-whisper's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
import soxr
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from benchmarks._speech import PASSAGES, cut, once, recording, word_errors
from benchmarks._table import show
from essence import config
from essence.audio import Pcm
from essence.engines import open_synthesizer
from essence.engines.stt.faster_whisper import open_player
from essence.ports import Synthesizer, Transcriber

RATE_HZ = 16_000
LENGTHS_S = (0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 30.0)
LEVELS_DBFS = (-50.0, -35.0, -20.0)
SPOKEN = ("Thank you.", "Yes.", "No.", "Okay.", "Hello.", "Stop.", "Hi.", "Thanks.", "Bye.", "Wait.")
"""Said by the embedded voice at its own level and at -40 dBFS; ten phrases of the human recordings make it thirty."""

EVERY_STOCK = 9
"""faster-whisper without VAD takes up to 20 s a clip of noise, since it tries six temperatures: it hears a ninth."""

Samples = NDArray[np.float64]


def silence(times: Samples, _random: np.random.Generator) -> Samples:
    """Digital silence."""
    return np.zeros_like(times)


def white(times: Samples, random: np.random.Generator) -> Samples:
    """The same power at every frequency."""
    return random.standard_normal(len(times))


def pink(times: Samples, random: np.random.Generator) -> Samples:
    """Power that falls by 3 dB an octave."""
    spectrum = np.fft.rfft(random.standard_normal(len(times)))
    return np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), len(times))


def tone(times: Samples, random: np.random.Generator) -> Samples:
    """A sine."""
    return np.sin(2 * np.pi * random.choice([50, 120, 440, 1000, 3000]) * times)


def chords(times: Samples, random: np.random.Generator) -> Samples:
    """Major triads with overtones, struck twice a second, as a keyboard would."""
    beat = (times / 0.5).astype(int)
    roots_hz = random.choice([110.0, 130.8, 146.8, 164.8, 196.0, 220.0], beat[-1] + 1)[beat]
    notes = [
        np.sin(2 * np.pi * roots_hz * step * over * times) / over for step in (1, 1.26, 1.498) for over in (1, 2, 3)
    ]
    decay: Samples = np.sum(notes, axis=0) * np.exp(-2 * (times % 0.5))
    return decay


def breath(times: Samples, random: np.random.Generator) -> Samples:
    """Noise of 300 to 3500 Hz that swells and ebbs every few seconds."""
    spectrum = np.fft.rfft(random.standard_normal(len(times)))
    hz = np.fft.rfftfreq(len(times), 1 / RATE_HZ)
    spectrum[(hz < 300) | (hz > 3500)] = 0
    swell = np.clip(np.sin(2 * np.pi * times / random.uniform(2.5, 4)), 0.01, None) ** 1.5
    return np.fft.irfft(spectrum, len(times)) * swell


KINDS = (silence, white, pink, tone, chords, breath)


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to be heard, and what must be heard in it."""

    name: str
    sound: Pcm
    words: str


def at_level(samples: Samples, dbfs: float, rate: int = RATE_HZ) -> Pcm:
    """Bring to a root mean square."""
    loudness = float(np.sqrt(np.mean(samples**2)))
    scaled = samples * (10 ** (dbfs / 20) / loudness) if loudness else samples
    return Pcm((np.clip(scaled, -1, 1) * 32767).astype("<i2").tobytes(), rate)


def wordless() -> Iterator[Clip]:
    """Sixty clips: six kinds, ten lengths, three levels in turn."""
    for kind in KINDS:
        for index, seconds in enumerate(LENGTHS_S):
            times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
            samples = kind(times, np.random.default_rng(100 + index))
            yield Clip(f"{kind.__name__} {seconds} s", at_level(samples, LEVELS_DBFS[index % 3]), "")


async def worded(voice: Synthesizer) -> list[Clip]:
    """Thirty quiet or very short clips of real words."""
    spoken = [(text, await said(voice, text)) for text in SPOKEN]
    human = [
        (phrase, cut(recording(passage.recording), start_s, end_s))
        for passage in PASSAGES
        for phrase, start_s, end_s in zip(passage.phrases, passage.bounds_s, passage.bounds_s[1:], strict=False)
        if len(phrase.split()) <= 2
    ][:10]
    quiet = [Clip(f"{text} (-40 dBFS)", louder(sound, -40.0), text) for text, sound in spoken + human]
    return [Clip(text, sound, text) for text, sound in spoken] + quiet


async def said(voice: Synthesizer, text: str) -> Pcm:
    """A text in the embedded voice."""
    async with aclosing(voice.synthesize(text)) as chunks:
        sounds = [pcm async for pcm in chunks]
    return Pcm(b"".join(pcm.data for pcm in sounds), sounds[0].rate)


def louder(sound: Pcm, dbfs: float) -> Pcm:
    """The same at another level."""
    return at_level(sound.samples() / 32768, dbfs, sound.rate)


async def june(player: Transcriber, sound: Pcm) -> str:
    """What June hears."""
    text = ""
    async with aclosing(player.transcribe(once(sound))) as results:
        async for transcript in results:
            text = transcript.text
    return text


def stock(model: WhisperModel, sound: Pcm, *, vad_filter: bool) -> str:
    """What faster-whisper's defaults hear, but for a beam of 1."""
    samples = soxr.resample(sound.samples().astype(np.float32) / 32768, sound.rate, RATE_HZ)
    segments, _ = model.transcribe(samples, beam_size=1, vad_filter=vad_filter)
    return "".join(segment.text for segment in segments).strip()


async def compare() -> None:
    """Hear every clip three ways."""
    settings = config.read(config.Assistant).model_copy(update={"stt_device": "cpu"})
    model = WhisperModel(str(settings.june_models_dir / "whisper-base"), device="cpu", compute_type="int8")
    ways = ("June", "faster-whisper", "… with vad_filter")
    heard: dict[str, list[tuple[Clip, str]]] = {way: [] for way in ways}
    async with open_player("faster-whisper:base", settings) as player:
        async with open_synthesizer("piper:en_US-joe-medium", settings) as voice:
            clips = [*wordless(), *await worded(voice)]
        for index, clip in enumerate(clips):
            heard["June"].append((clip, await june(player, clip.sound)))
            with_vad = await asyncio.to_thread(stock, model, clip.sound, vad_filter=True)
            heard["… with vad_filter"].append((clip, with_vad))
            if index % EVERY_STOCK == 0:
                text = await asyncio.to_thread(stock, model, clip.sound, vad_filter=False)
                heard["faster-whisper"].append((clip, text))
    report(heard)


def report(heard: dict[str, list[tuple[Clip, str]]]) -> None:
    """Print the figures, and each of June's faults."""
    rows = []
    for way, results in heard.items():
        empty = [text for clip, text in results if not clip.words]
        full = [text for clip, text in results if clip.words]
        invented, lost = sum(map(bool, empty)), sum(not text for text in full)
        right = sum(word_errors(clip.words, text) == 0 for clip, text in results if clip.words)
        rows.append((way, f"{invented} of {len(empty)}", f"{lost} of {len(full)}", f"{right} of {len(full)}"))
    rows.append(("aim for June", "0 of 60", "0 of 30", ""))
    show(
        "Sound without words, and words that are easily lost",
        ("", "words invented in", "words lost in", "words right in"),
        rows,
    )
    for clip, text in heard["June"]:
        if bool(text) != bool(clip.words):
            print(f"  June heard {text!r} in {clip.name}")


def main() -> None:
    """Print the figures."""
    asyncio.run(compare())


if __name__ == "__main__":
    main()

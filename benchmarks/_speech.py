"""Recorded human speech with its words, phrase by phrase, for benchmarks and tests of speech to text.

The three recordings of the catalogue's speech samples. Phrases were bounded at the middles of pauses (Silero VAD). The
words of two_cities are Dickens' (A Tale of Two Cities, 1859, its opening); those of the other two, a few lines of
Beckett's, are what Whisper base with beam 5 wrote of the whole and of the single phrases alike. A phrase on which the
two differed ends a passage and is left out.
"""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import jiwer

from essence import config
from essence.audio import Pcm


@dataclass(frozen=True, slots=True)
class Passage:
    """Phrases that follow one another."""

    recording: str
    bounds_s: tuple[float, ...]
    phrases: tuple[str, ...]


PASSAGES = (
    Passage(
        "two_cities",
        (0.61, 4.83, 6.45, 8.54, 10.54, 13.15, 14.99, 17.15, 18.88, 20.88, 24.37, 26.34, 28.70, 29.81, 32.70, 42.60),
        (
            "it was the best of times it was the worst of times",
            "it was the age of wisdom",
            "it was the age of foolishness",
            "it was the epoch of belief",
            "it was the epoch of incredulity",
            "it was the season of light",
            "it was the season of darkness",
            "it was the spring of hope",
            "it was the winter of despair",
            "we had everything before us we had nothing before us",
            "we were all going direct to heaven",
            "we were all going direct the other way",
            "in short",
            "the period was so far like the present period",
            "that some of its noisiest authorities insisted on its being received for good or for evil "
            "in the superlative degree of comparison only",
        ),
    ),
    Passage(
        "beckett",
        (0.16, 1.52, 3.15, 4.54, 6.11, 7.76, 9.41),
        ("ever tried", "ever failed", "no matter", "try again", "fail again", "fail better"),
    ),
    Passage(
        "endgame_nagg_nell",
        (0.05, 1.26, 2.16, 3.63, 4.54, 8.42, 11.70, 14.35, 17.31, 19.15),
        (
            "do you hear me",
            "yes",
            "do you hear me",
            "yes",
            "we laugh less heartily so we have still that resource",
            "laugh less heartily so we have still that resource",
            "no not heartily just less heartily",
            "ah that's a good story ah that's a good story",
            "what are you talking about",
        ),
    ),
    Passage(
        "endgame_nagg_nell",
        (20.11, 22.21, 23.46, 27.74),
        (
            "you thought you were in pain",
            "not now",
            "do you remember the day i went and fetched you from that ditch",
        ),
    ),
)

_NORMAL = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"[^\w\s']": " "}),
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
    ]
)


@dataclass(frozen=True, slots=True)
class Note:
    """A cut of a recording, from pause to pause, and what is said in it."""

    name: str
    sound: Pcm
    words: str


def recording(name: str) -> Pcm:
    """A whole recording at its own rate."""
    with wave.open(str(samples_dir() / f"{name}.wav")) as file:
        return Pcm(file.readframes(file.getnframes()), file.getframerate())


def samples_dir() -> Path:
    """The folder of the recordings."""
    return config.read(config.ModelFiles).june_models_dir / "speech-samples"


def cut(sound: Pcm, start_s: float, end_s: float) -> Pcm:
    """A part of a recording."""
    return Pcm(sound.data[2 * int(start_s * sound.rate) : 2 * int(end_s * sound.rate)], sound.rate)


def notes(shortest_s: float, longest_s: float) -> Iterator[Note]:
    """Every run of phrases whose length lies within the bounds; they overlap one another."""
    for passage in PASSAGES:
        sound, bounds, count = recording(passage.recording), passage.bounds_s, len(passage.phrases)
        for first, last in ((a, b) for a in range(count) for b in range(a + 1, count + 1)):
            if shortest_s <= bounds[last] - bounds[first] <= longest_s:
                words = " ".join(passage.phrases[first:last])
                name = f"{passage.recording} {bounds[first]:.1f}-{bounds[last]:.1f} s"
                yield Note(name, cut(sound, bounds[first], bounds[last]), words)


def word_errors(reference: str, heard: str) -> int:
    """Substitutions, insertions and deletions, after letter case and punctuation are gone."""
    found = jiwer.process_words(str(_NORMAL(reference)), str(_NORMAL(heard)) or "-")
    return found.substitutions + found.insertions + found.deletions


async def once(sound: Pcm) -> AsyncIterator[Pcm]:
    """A sound as a stream of one chunk."""
    yield sound

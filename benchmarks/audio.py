"""Decoding and encoding against real time and a plain PyAV loop; memory of three hours."""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from benchmarks._table import show
from essence.audio import Pcm, VoiceEncoder, decode, encode_voice

NOTE_S = 60.0
LONG_HOURS = 3
ROUNDS = 7
MEMORY_LIMIT_MB = 40
"""Over what the process has after a note of one minute."""


def speech_like(duration_s: float, rate: int) -> Pcm:
    """Noise with the slope and the syllables of speech: codecs work as hard on it."""
    count = round(duration_s * rate)
    noise = np.convolve(np.random.default_rng(1).normal(0, 6000, count), np.ones(12) / 12, "same")
    syllables = np.clip(np.sin(2 * np.pi * 3 * np.arange(count) / rate), 0, 1)
    return Pcm((noise * syllables).astype("<i2").tobytes(), rate)


def plain_pyav(file: bytes) -> int:
    """What PyAV's documentation shows: a frame at a time through the resampler."""
    samples = 0
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(io.BytesIO(file)) as container:
        for frame in [*container.decode(audio=0), None]:
            for part in resampler.resample(frame):
                samples += len(bytes(part.planes[0])[: 2 * part.samples]) // 2
    return samples


def june(file: bytes) -> int:
    """The same with June's limits, format and codec lists, and damage tolerance."""
    return sum(len(chunk.data) // 2 for chunk in decode(file))


def encode_plainly(pcm: Pcm) -> None:
    """The same encoder and settings in one go, no waveform."""
    frame = av.AudioFrame.from_ndarray(pcm.samples()[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = pcm.rate
    with av.open(io.BytesIO(), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono", options={"application": "voip"})
        stream.bit_rate = 32_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def medians_s(*runs: Callable[[], object]) -> list[float]:
    """Median time of each; they take turns, so that a noisy machine is as noisy for all."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for run, taken in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def peak_growth_mb(path: Path) -> tuple[float, float]:
    """Decode `path` in a process of its own.

    Returns:
        How far the peak of resident memory rose over that of a one-minute note [MB]; the sound's length [s].
    """
    code = (
        "import resource, sys; from pathlib import Path; from essence.audio import decode\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "sum(c.duration_s for c in decode(Path(sys.argv[1]))); before = peak()\n"
        "length_s = sum(c.duration_s for c in decode(Path(sys.argv[2]))); print(peak() - before, length_s)"
    )
    short = path.with_name("short")
    answer = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, str(short), str(path)], check=True, capture_output=True, text=True
    )
    growth_mb, length_s = map(float, answer.stdout.split())
    return growth_mb, length_s


def write_long(path: Path, minute: Pcm) -> float:
    """Encode three hours into `path`, and give the time that it took. [s]"""
    start = time.perf_counter()
    encoder = VoiceEncoder()
    for _ in range(LONG_HOURS * 60):
        encoder.write(minute)
    path.write_bytes(encoder.finish().data)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    speech = speech_like(NOTE_S, 22_050)
    file = encode_voice([speech]).data
    assert abs(june(file) - plain_pyav(file)) < 100
    june_s, plain_s = medians_s(lambda: june(file), lambda: plain_pyav(file))
    encode_s, encode_plain_s = medians_s(lambda: encode_voice([speech]), lambda: encode_plainly(speech))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.ogg"
        (Path(folder) / "short").write_bytes(file)
        long_s = write_long(path, speech)
        size_mb = path.stat().st_size / 1e6
        start = time.perf_counter()
        growth_mb, length_s = peak_growth_mb(path)
        long_decode_s = time.perf_counter() - start
    rows = [
        _speed("decode 60 s of Ogg/Opus to 16 kHz", june_s, plain_s),
        _speed("encode 60 s from 22.05 kHz to Ogg/Opus, with waveform", encode_s, encode_plain_s),
        (
            f"peak memory of decoding {length_s / 3600:.1f} hours ({size_mb:.0f} MB of Ogg/Opus)",
            f"+{growth_mb:.1f} MB",
            "a note of 60 s",
            f"at most +{MEMORY_LIMIT_MB} MB",
            _verdict(growth_mb <= MEMORY_LIMIT_MB),
        ),
        (f"encode {LONG_HOURS} hours", f"{long_s:.1f} s", "", "", ""),
        (f"decode {LONG_HOURS} hours, process and a 60 s note included", f"{long_decode_s:.1f} s", "", "", ""),
    ]
    show("Audio", ("what", "measured", "against", "aim", "met"), rows)


def _speed(what: str, ours_s: float, plain_s: float) -> tuple[str, ...]:
    return (
        what,
        f"{ours_s * 1000:.0f} ms ({NOTE_S / ours_s:.0f}× real time)",
        f"plain PyAV: {plain_s * 1000:.0f} ms",
        "at most 1.1×",
        f"{ours_s / plain_s:.2f}× {_verdict(ours_s <= 1.1 * plain_s)}",
    )


def _verdict(met: bool) -> str:  # noqa: FBT001  one flag, one word
    return "yes" if met else "no"


if __name__ == "__main__":
    main()

"""Damages small sound files and decodes them: `python -m tests.fuzz_audio --seconds 60 [--seed 1]`.

Ends with 0 when every execution gave sound or InvalidAudio. Otherwise the input lies in the file that it names: an
unexpected exception ends it with 1, a hang (20 s) or a crash of the process with that signal's code.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import random
import resource
import tempfile
import time
from functools import cache
from pathlib import Path

from essence.audio import DecodeLimits, decode
from essence.errors import InvalidAudio
from tests.audio_samples import KINDS, Kind, silent_opus, tone, tone_file, two_tracks, video_only

LIMITS = DecodeLimits(max_bytes=2**20, max_duration_s=20, max_work_s=10)
_HANG_S = 20
_INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x80\x00",
    b"\x00\x01",
)


@cache
def corpus() -> tuple[bytes, ...]:
    """A short file of each kind, and the odd ones."""
    small = [kind for kind in KINDS if kind.layout in {"mono", "stereo"} and kind.rate < 96_000]
    odd = [video_only(), two_tracks(tone(16_000, 0.1), tone(16_000, 0.1, 880), default=1), silent_opus(0.001)]
    return (*(tone_file(kind, 0.2) for kind in small), tone_file(Kind("flac", "flac", 48_000, "5.1"), 0.1), *odd)


def outcome(data: bytes) -> str:
    """`sound` or `refused`; anything else that happens is a fault, and raises."""
    try:
        for pcm in decode(data, limits=LIMITS):
            assert pcm.data
            assert len(pcm.data) % 2 == 0
            assert pcm.rate == 16_000
    except InvalidAudio:
        return "refused"
    return "sound"


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to eight changes, most of them near the start, where the headers are."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        rng.choice(_MUTATIONS)(damaged, rng)
    return bytes(damaged)


def _place(damaged: bytearray, rng: random.Random) -> int:
    return rng.randrange(max(1, min(len(damaged), rng.choice((64, 512, 2**20)))))


def _flip(damaged: bytearray, rng: random.Random) -> None:
    if damaged:
        damaged[_place(damaged, rng)] ^= 1 << rng.randrange(8)


def _overwrite(damaged: bytearray, rng: random.Random) -> None:
    value, place = rng.choice((*_INTERESTING, rng.randbytes(rng.randint(1, 16)))), _place(damaged, rng)
    damaged[place : place + len(value)] = value


def _truncate(damaged: bytearray, rng: random.Random) -> None:
    del damaged[_place(damaged, rng) :]


def _remove(damaged: bytearray, rng: random.Random) -> None:
    place = _place(damaged, rng)
    del damaged[place : place + rng.randint(1, 64)]


def _repeat(damaged: bytearray, rng: random.Random) -> None:
    place = _place(damaged, rng)
    damaged[place:place] = damaged[place : place + rng.randint(1, 512)]


def _splice(damaged: bytearray, rng: random.Random) -> None:
    other, place = rng.choice(corpus()), _place(damaged, rng)
    start = rng.randrange(len(other))
    damaged[place:place] = other[start : start + rng.randint(1, 2048)]


_MUTATIONS = (_flip, _flip, _overwrite, _overwrite, _truncate, _remove, _repeat, _splice)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    arguments = parser.parse_args()
    faulthandler.enable()
    rng, outcomes, slowest_s = random.Random(arguments.seed), collections.Counter[str](), 0.0
    last = Path(tempfile.mkdtemp(prefix="fuzz-audio-")) / "last-input"
    print(f"seed {arguments.seed}; the input in progress is kept in {last}", flush=True)
    end = time.monotonic() + arguments.seconds
    while (start := time.monotonic()) < end:
        data = mutate(rng.choice(corpus()), rng)
        last.write_bytes(data)
        faulthandler.dump_traceback_later(_HANG_S, exit=True)
        outcomes[outcome(data)] += 1
        slowest_s = max(slowest_s, time.monotonic() - start)
    faulthandler.cancel_dump_traceback_later()
    print(f"{outcomes.total()} executions: {dict(outcomes)}; slowest {slowest_s:.3f} s; no fault")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    last.unlink()
    last.parent.rmdir()


if __name__ == "__main__":
    main()

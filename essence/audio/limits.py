"""What decoding one file may cost, and the meter that is read while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from essence.errors import InvalidAudio


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Checked while decoding, so that a small file that inflates to hours is refused when it reaches the limit."""

    max_bytes: int = 256 * 2**20
    """Size of the file. [bytes]"""
    max_duration_s: float = 4 * 3600.0
    """Sound that comes out. What a header claims is never believed on its own."""
    max_work_s: float = 120.0
    """Time spent reading and decoding; the time that the consumer takes between two chunks is not counted."""


DEFAULT_LIMITS = DecodeLimits()


class Meter:
    """How much of its limits one decode has used.

    It runs between `resume` and `pause`. `stop` may be called from any thread; everything else from the decoding one.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        self.limits = limits
        self.stopped = False
        self._spent_s = 0.0
        self._resumed_at: float | None = None

    def resume(self) -> None:
        """Start counting time."""
        self._resumed_at = time.monotonic()

    def pause(self) -> None:
        """Stop counting time."""
        self._spent_s = self.spent_s
        self._resumed_at = None

    def stop(self) -> None:
        """Ask the decode to end as soon as it looks."""
        self.stopped = True

    @property
    def spent_s(self) -> float:
        """Time counted so far."""
        running_s = 0.0 if self._resumed_at is None else time.monotonic() - self._resumed_at
        return self._spent_s + running_s

    @property
    def must_end(self) -> bool:
        """Stopped, or out of time."""
        return self.stopped or self.spent_s > self.limits.max_work_s

    def check_work(self) -> None:
        """Raise InvalidAudio where the time is used up."""
        if self.spent_s > self.limits.max_work_s:
            raise InvalidAudio(
                f"This audio takes too long to decode (more than {self.limits.max_work_s:g} s). Send a shorter one."
            )

    def check_bytes(self, size: int) -> None:
        """Raise InvalidAudio where a file of `size` bytes is too large."""
        if size > self.limits.max_bytes:
            raise InvalidAudio(
                f"The audio file is too large: at most {self.limits.max_bytes / 2**20:.3g} MiB are taken. "
                "Send a shorter one, or the same as Ogg/Opus."
            )

    def check_duration(self, duration_s: float) -> None:
        """Raise InvalidAudio where sound of this length is too long."""
        if duration_s > self.limits.max_duration_s:
            raise InvalidAudio(
                f"The audio is too long: at most {_spoken(self.limits.max_duration_s)} are taken. Send it in parts."
            )


def _spoken(duration_s: float) -> str:
    if duration_s >= 2 * 3600:
        return f"{duration_s / 3600:.3g} hours"
    if duration_s >= 2 * 60:
        return f"{duration_s / 60:.3g} minutes"
    return f"{duration_s:.3g} seconds"

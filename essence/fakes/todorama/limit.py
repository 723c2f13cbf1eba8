"""The rate limit: one for the whole server, whoever asks for whatever."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Limit:
    """So many requests in each window."""

    requests: int = 100
    window_s: float = 60.0
    _began_s: float = field(default=-math.inf, init=False)
    _used: int = field(default=0, init=False)

    def take(self) -> bool:
        """Count a request; False if there is no room for it."""
        now_s = time.monotonic()
        if now_s >= self._began_s + self.window_s:
            self._began_s, self._used = now_s, 0
        if self._used >= self.requests:
            return False
        self._used += 1
        return True

    @property
    def left(self) -> int:
        """How many more fit into this window."""
        return self.requests - self._used

    @property
    def left_s(self) -> float:
        """How long this window lasts."""
        return max(self._began_s + self.window_s - time.monotonic(), 0.0)

    def headers(self) -> dict[str, str]:
        """What every answer says of it."""
        reset_at = int(time.time() + self.left_s)
        told = {"Limit": self.requests, "Remaining": self.left, "Reset": reset_at}
        return {f"X-RateLimit-{name}": str(value) for name, value in told.items()}

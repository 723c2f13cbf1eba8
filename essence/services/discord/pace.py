"""Keeps to the pace that Discord tells in its answers; Discord's documentation, "Rate Limits"."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping

from essence.errors import RateLimited

SHORT_WAIT_S = 1.0
"""A pause up to this long is waited for; of a longer one the caller is told, who may have better things to do."""
_MOST_BUCKETS = 512
_MINOR_IDS = re.compile(r"(?<=/messages/)[^/?]+|(?<=/reactions/)[^/?]+")
_EVERYWHERE = ""


class Pace:
    """Knows until when which requests would come too early."""

    def __init__(self, troubles: Counter[str], clock: Callable[[], float]) -> None:
        """`clock`: monotonic, in seconds."""
        self._troubles, self._clock = troubles, clock
        self._free_at: dict[str, float] = {}

    async def wait(self, method: str, path: str) -> None:
        """Return when the request may go.

        Raises:
            RateLimited: That is too long from now.
        """
        early_s = max(self._early_s(_EVERYWHERE), self._early_s(_bucket(method, path)))
        if early_s > SHORT_WAIT_S:
            self._troubles["held back"] += 1
            raise _too_early(early_s)
        if early_s > 0:
            await asyncio.sleep(early_s)

    def _early_s(self, bucket: str) -> float:
        return self._free_at.get(bucket, 0.0) - self._clock()

    def note(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Learn from an answer that was not 429."""
        if headers.get("X-RateLimit-Remaining") == "0":
            self._block(_bucket(method, path), _seconds(headers.get("X-RateLimit-Reset-After"), 0.0))

    def refused(self, method: str, path: str, headers: Mapping[str, str], body: object) -> RateLimited:
        """Learn from a 429, and return the error for it."""
        self._troubles["429"] += 1
        told = body if isinstance(body, dict) else {}
        # A 429 without JSON comes from the proxy before Discord and is meant for this machine as a whole.
        wait_s = _seconds(told.get("retry_after", headers.get("Retry-After")), 1.0)
        everywhere = bool(told.get("global", not told))
        self._block(_EVERYWHERE if everywhere else _bucket(method, path), wait_s)
        return _too_early(wait_s)

    def _block(self, bucket: str, seconds: float) -> None:
        if len(self._free_at) >= _MOST_BUCKETS:
            now = self._clock()
            self._free_at = {name: until for name, until in self._free_at.items() if until > now}
        self._free_at[bucket] = self._clock() + seconds


def _bucket(method: str, path: str) -> str:
    """Discord counts by route and by channel or webhook; what else stands in the path does not matter."""
    return f"{method} {_MINOR_IDS.sub('*', path).partition('?')[0]}"


def _seconds(text: object, default: float) -> float:
    try:
        return max(float(str(text)), 0.0)
    except ValueError:
        return default


def _too_early(wait_s: float) -> RateLimited:
    return RateLimited(f"Discord takes no more of June's requests for {wait_s:.1f} s.", retry_after_s=wait_s)

"""How a chat service is: what keeps it from answering, in sentences for `/health` and in figures for `/metrics`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from essence import observe
from essence.errors import JuneError
from essence.ports import Channel, Store

EVERY_S = 1.0


class Vitals:
    """Looks after one channel, its store and its engines. `watch` must run for times and metrics to be right."""

    def __init__(self, channel: Channel, store: Store, *, engines_loaded: Callable[[], bool]) -> None:
        self._channel, self._store, self._engines_loaded = channel, store, engines_loaded
        self._platform = channel.profile.platform
        self._apart_since: datetime | None = datetime.now(UTC)
        self._store_trouble = ""
        """A sentence; empty where the store works."""
        self._failing_since: datetime | None = None
        self._told: tuple[str, ...] = ("It starts.",)
        """Reasons at the last look."""
        self._counted: Counter[str] = Counter()
        """Troubles of the channel that are in the metrics already."""
        self._oldest = "", time.monotonic()
        """Key of the part that has waited longest, and since when it has, as far as was seen here. [s]"""

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Look once. Never raises: what fails is what is told."""
        self._look_at_channel()
        await self._look_at_store()
        self._log_change()

    def reasons(self) -> tuple[str, ...]:
        """Why the service can't answer people now, in sentences; none where it can."""
        loading = "" if self._engines_loaded() else "The engines are loading."
        return tuple(reason for reason in (loading, self._apart(), self._store_trouble) if reason)

    def _log_change(self) -> None:
        reasons = self.reasons()
        if reasons and not self._told:
            observe.logger().warning("not_ready", reasons=reasons)
        if self._told and not reasons:
            observe.logger().info("ready")
        self._told = reasons

    def _apart(self) -> str:
        since = self._apart_since or datetime.now(UTC)
        platform = self._platform.capitalize()
        return "" if self._channel.state.connected else f"Not connected to {platform} since {_written(since)}."

    def _look_at_channel(self) -> None:
        state, was_apart = self._channel.state, self._apart_since is not None
        if state.connected:
            self._apart_since = None
        elif not was_apart:
            self._apart_since = datetime.now(UTC)
            observe.CHANNEL_OUTAGES.labels(self._platform).inc()
        observe.CHANNEL_CONNECTED.labels(self._platform).set(state.connected)
        for name, count in (Counter(dict(state.troubles)) - self._counted).items():
            observe.CHANNEL_TROUBLES.labels(self._platform, name).inc(count)
        self._counted = Counter(dict(state.troubles))

    async def _look_at_store(self) -> None:
        try:
            unsent = await self._store.outbox.unsent(self._platform)
        except JuneError as error:
            self._failing_since = self._failing_since or datetime.now(UTC)
            self._store_trouble = f"The store fails since {_written(self._failing_since)} ({error.code}): {error}"
            return
        self._store_trouble, self._failing_since = "", None
        if unsent.oldest_key != self._oldest[0]:
            self._oldest = unsent.oldest_key, time.monotonic()
        age_s = time.monotonic() - self._oldest[1] if unsent.parts else 0.0
        observe.OUTBOX_PARTS.labels(self._platform).set(unsent.parts)
        observe.OUTBOX_OLDEST_SECONDS.labels(self._platform).set(age_s)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")

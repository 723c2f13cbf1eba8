"""How much one person may send, counted in fixed windows that begin with their first message.

Counts are exact within a process. Processes that share a Redis or Valkey share its counts; between two of them a
message more may slip through. While it can't be reached, this process's own counts decide: nobody is locked out by
that, and nobody is unlimited.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from prometheus_client import Counter

from essence import observe
from essence.config import ChatSettings
from essence.errors import ConfigError, Unreachable

if TYPE_CHECKING:  # an extra: not there where rates are counted in memory
    from redis.asyncio import ConnectionPool

DEADLINE_S = 1.0
"""Longest wait for Redis, all windows of one message together: a person waits for it."""
AGAIN_S = 5.0
"""How long an unreachable Redis is left alone."""
CONNECTIONS = 16
"""To Redis; each is busy for about a millisecond for each message."""
MOST_UNSETTLED = 1000
"""Messages that were judged and could not be kept; of more of them, the oldest are judged anew when they come again."""
SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss"}
"""How an address may begin → how redis-py writes it (https://redis-py.readthedocs.io/en/stable/connections.html)."""
DECIDED_HERE = Counter(
    "june_quota_fallbacks", "Messages whose quota this process judged alone, since Redis could not be reached."
)

What = Literal["messages", "sound"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A person has sent more than they may."""

    retry_after_s: float
    """When the same message will be taken; infinite if never, since its sound alone is more than a window holds."""
    tell: bool
    """The first refusal of this window: the person should be told. Later ones need no word."""
    what: What


def sentence(refusal: Refusal) -> str:
    """What the person is told."""
    if refusal.retry_after_s == math.inf:
        return "That recording is longer than I can take from one person. Please send it in shorter pieces."
    wait = _in_words(refusal.retry_after_s)
    return f"That's more than I can take from one person for now. Please try again in {wait}."


def _in_words(seconds: float) -> str:
    """Rounded up, so that nobody comes back too early."""
    if seconds <= 90:
        return _counted(seconds, "second")
    if seconds <= 90 * 60:
        return _counted(seconds / 60, "minute")
    return _counted(seconds / 3600, "hour")


def _counted(amount: float, unit: str) -> str:
    count = max(1, math.ceil(amount))
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


@dataclass(frozen=True, slots=True)
class _Charge:
    """What one message costs in one window."""

    what: What
    window: RateLimitItem
    cost: int

    def key(self, person: str) -> str:
        return self.window.key_for(self.what, person)


class _Ledger:
    """The counts in one storage. Calls for one person must not overlap."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def admit(self, person: str, charges: Sequence[_Charge]) -> Refusal | None:
        """Count a message in all of its windows, or in none of them if one is full."""
        waits = [(await self._wait_s(person, charge), charge) for charge in charges]
        wait_s, charge = max(waits, key=lambda pair: pair[0])
        if wait_s > 0:
            return await self._refuse(person, charge, wait_s)
        await self.count(person, charges)
        return None

    async def count(self, person: str, charges: Sequence[_Charge]) -> None:
        for charge in charges:
            await self._storage.incr(charge.key(person), charge.window.get_expiry(), amount=charge.cost)

    async def _wait_s(self, person: str, charge: _Charge) -> float:
        """Until the window has room; 0 if it has."""
        if charge.cost > charge.window.amount:
            return math.inf
        key = charge.key(person)
        if await self._storage.get(key) + charge.cost <= charge.window.amount:
            return 0.0
        # Redis tells whole seconds, rounded: a window may last half a second longer than it says.
        return max(await self._storage.get_expiry(key) - time.time(), 0.0) + 0.5

    async def _refuse(self, person: str, charge: _Charge, wait_s: float) -> Refusal:
        lasts_s = min(wait_s, charge.window.get_expiry())
        fits = "later" if wait_s < math.inf else "never"
        notice = charge.window.key_for("notice", charge.what, fits, person)
        told = await self._storage.incr(notice, math.ceil(lasts_s))
        return Refusal(wait_s, told == 1, charge.what)


class _Far:
    """A shared ledger that may be out of reach."""

    def __init__(self, pool: ConnectionPool) -> None:
        # The address is the pool's; limits declares plain options only, though it documents this one.
        storage = RedisStorage("redis://", implementation="redispy", key_prefix="june", connection_pool=pool)  # type: ignore[arg-type]
        self._ledger = _Ledger(storage)
        self._again_at: float | None = None

    async def admit(self, person: str, charges: Sequence[_Charge]) -> Refusal | None:
        """As the ledger.

        Raises:
            Unreachable: Nobody knows; decide without it.
        """
        now = asyncio.get_running_loop().time()
        if self._again_at is not None:
            if now < self._again_at:
                raise Unreachable("Redis was out of reach a moment ago.")
            self._again_at = now + AGAIN_S  # the others do without it while this one tries
        try:
            refusal = await self._ask(person, charges)
        except Unreachable as error:
            self._lost(error)
            raise
        self._found()
        return refusal

    async def _ask(self, person: str, charges: Sequence[_Charge]) -> Refusal | None:
        from redis import RedisError

        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._ledger.admit(person, charges)
        except (RedisError, OSError) as error:  # OSError holds TimeoutError
            raise Unreachable(f"Redis can't be asked: {error or 'it did not answer in time'}") from error

    def _lost(self, error: Unreachable) -> None:
        if self._again_at is None:
            observe.logger().warning("quota_store_lost", error=str(error))
        self._again_at = asyncio.get_running_loop().time() + AGAIN_S

    def _found(self) -> None:
        if self._again_at is not None:
            observe.logger().info("quota_store_back")
        self._again_at = None


class Quota:
    """What each person may send. See `open_quota`."""

    def __init__(self, messages: Sequence[RateLimitItem], sound: Sequence[RateLimitItem], far: _Far | None) -> None:
        self._messages, self._sound = messages, sound
        self._near, self._far = _Ledger(MemoryStorage()), far
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unsettled: dict[str, Refusal | None] = {}
        """What was said of messages that are not kept yet, by their keys, the oldest first."""

    async def admit(self, person: str, sound_s: float, *, key: str = "") -> Refusal | None:
        """Count one message with so much sound; None if it may be answered, else nothing was counted.

        Args:
            person: Whoever sent it, by a name that is unique over all platforms.
            sound_s: Length of its recording; 0 for text.
            key: The message's own: until `settle`, it is counted once however often it is brought, and a refusal that
                is to be told stays one. Empty for one that is brought once.
        """
        charges = self._charges(sound_s)
        if not charges:
            return None
        turn = self._turns.setdefault(person, asyncio.Lock())  # kept for as long as somebody waits for it
        async with turn:
            return await (self._admit_again(key, person, charges) if key else self._admit(person, charges))

    def settle(self, key: str) -> None:
        """A message is kept, and what is to be told with it: its platform need not bring it again."""
        self._unsettled.pop(key, None)

    async def _admit_again(self, key: str, person: str, charges: Sequence[_Charge]) -> Refusal | None:
        before = self._unsettled.get(key)
        if key in self._unsettled and before is None:
            return None
        refusal = await self._admit(person, charges)
        if refusal is not None and before is not None:
            refusal = replace(refusal, tell=refusal.tell or before.tell)
        self._unsettled[key] = refusal
        if len(self._unsettled) > MOST_UNSETTLED:
            del self._unsettled[next(iter(self._unsettled))]
        return refusal

    def _charges(self, sound_s: float) -> list[_Charge]:
        charges = [_Charge("messages", window, 1) for window in self._messages]
        if sound_s > 0:
            charges += [_Charge("sound", window, math.ceil(sound_s)) for window in self._sound]
        return charges

    async def _admit(self, person: str, charges: Sequence[_Charge]) -> Refusal | None:
        if self._far is None:
            return await self._near.admit(person, charges)
        try:
            refusal = await self._far.admit(person, charges)
        except Unreachable:
            DECIDED_HERE.inc()
            return await self._near.admit(person, charges)
        if refusal is None:  # known here too, so that losing Redis gives nobody a fresh start
            await self._near.count(person, charges)
        return refusal


@asynccontextmanager
async def open_quota(settings: ChatSettings) -> AsyncIterator[Quota]:
    """Count where the settings say; connections are made with the first message and closed on exit.

    Raises:
        ConfigError: An address or a limit can't be read, or the Redis client isn't installed.
    """
    messages = _windows("RATE_LIMIT_MESSAGES", settings.rate_limit_messages)
    sound = _windows("RATE_LIMIT_AUDIO_S", settings.rate_limit_audio_s)
    if settings.rate_limit_url.startswith("memory:"):
        yield Quota(messages, sound, None)
        return
    pool = _pool(settings.rate_limit_url)
    try:
        yield Quota(messages, sound, _Far(pool))
    finally:
        await pool.aclose()


def _windows(setting: str, text: str) -> tuple[RateLimitItem, ...]:
    if not text.strip(" ;"):
        return ()
    try:
        windows = tuple(parse_many(text.strip(" ;")))
    except ValueError as error:
        raise ConfigError(f"{setting}: {text!r} is no limit. Write it such as 20/minute; 200/hour.") from error
    if any(window.amount < 1 for window in windows):
        raise ConfigError(f"{setting}: a limit is at least 1, as in 1/minute. Leave it empty for no limit.")
    return windows


def _pool(url: str) -> ConnectionPool:
    scheme, _, rest = url.partition("://")
    # The address may hold a password, so it is not repeated.
    wrong = "RATE_LIMIT_URL: write memory://, redis://HOST:PORT or valkey://HOST:PORT (rediss, valkeys: with TLS)."
    if scheme not in SCHEMES or not rest:
        raise ConfigError(wrong)
    try:
        return _opened(f"{SCHEMES[scheme]}://{rest}")
    except ImportError as error:
        raise ConfigError("RATE_LIMIT_URL: the Redis client is missing: pip install 'june-assistant[redis]'") from error
    except (ValueError, TypeError) as error:  # a port that is no number; an option that redis-py does not know
        raise ConfigError(wrong) from error


def _opened(url: str) -> ConnectionPool:
    """Connects when it is first asked to. One more try, at once, mends a connection that broke while nobody used it."""
    from redis.asyncio import BlockingConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS, timeout=DEADLINE_S, retry=Retry(NoBackoff(), 1)
    )
    pool.make_connection()  # type: ignore[no-untyped-call]  # connects nothing, raises where an option is wrong
    return pool

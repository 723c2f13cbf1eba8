"""What a service does for its store beside its work."""

from __future__ import annotations

import asyncio

from essence import observe
from essence.errors import JuneError
from essence.ports import Store

PRUNE_EVERY_S = 86_400.0


async def prune_daily(store: Store) -> None:
    """Delete what is older than the store keeps, at once and then every day, until cancelled.

    A failure is logged and no more: the next day is tried again.
    """
    while True:
        try:
            if deleted := await store.prune():
                observe.logger().info("store_pruned", deleted=deleted)
        except JuneError as error:
            observe.logger().error("prune_failed", code=error.code, error=str(error))
        await asyncio.sleep(PRUNE_EVERY_S)

"""What June keeps: messages, answers, conversations, people; in memory, in a file or on a server, opened by URL."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from essence.store.clock import Clock
    from essence.store.opening import open_store

__all__ = ["Clock", "open_store"]


def __getattr__(name: str) -> object:
    """Load SQLAlchemy when a store is first opened: it takes 0.2 s that nobody else should wait for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from essence.store import clock, opening

    return opening.open_store if name == "open_store" else clock.Clock

"""Every engine that June can use, and how to open one by its URL."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from essence.engines.table import (
        ENGINES,
        Engine,
        Players,
        open_language_model,
        open_players,
        open_synthesizer,
        open_transcriber,
    )

__all__ = [
    "ENGINES",
    "Engine",
    "Players",
    "open_language_model",
    "open_players",
    "open_synthesizer",
    "open_transcriber",
]


def __getattr__(name: str) -> object:
    """Load the table when it is first used: engines' own processes come through here and start sooner without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from essence.engines import table

    return getattr(table, name)

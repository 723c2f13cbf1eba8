"""Every engine that June can use, and how to open one by its URL."""

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

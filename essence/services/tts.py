"""`python -m essence tts`: text to speech over gRPC."""

from __future__ import annotations

from essence.config import TtsService
from essence.engines import open_synthesizer
from essence.rpc.server import TEXT_TO_SPEECH
from essence.services import lifecycle


def main(_: list[str]) -> int:
    """Serve TTS_URL's engine until told to stop; returns the exit code."""
    return lifecycle.run(lifecycle.Service("tts", "tts", TtsService, TEXT_TO_SPEECH, open_synthesizer))

"""`python -m essence stt`: speech to text over gRPC."""

from __future__ import annotations

from essence.config import SttService
from essence.engines import open_transcriber
from essence.rpc.server import SPEECH_TO_TEXT
from essence.services import lifecycle


def main(_: list[str]) -> int:
    """Serve STT_URL's engine until told to stop; returns the exit code."""
    return lifecycle.run(lifecycle.Service("stt", "stt", SttService, SPEECH_TO_TEXT, open_transcriber))

"""VoiceNote: what a chat platform plays as a voice message."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoiceNote:
    """A voice message, ready to be sent."""

    data: bytes
    """Ogg/Opus, mono, 48 kHz."""
    duration_s: float
    waveform: bytes
    """64 to 256 loudness points of 0 to 255, evenly spaced, as Discord takes them (in base64)."""

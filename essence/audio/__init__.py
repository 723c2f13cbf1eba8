"""Sound: `Pcm` inside June; any container and codec at its edge. The only package that decodes and encodes."""

import importlib
from typing import TYPE_CHECKING

from essence.audio.limits import DecodeLimits
from essence.audio.note import VoiceNote
from essence.audio.pcm import Pcm

if TYPE_CHECKING:
    from essence.audio.container import AudioTrack
    from essence.audio.decoding import decode, decode_stream, probe
    from essence.audio.encoding import VoiceEncoder, encode_voice, encode_wav

__all__ = [
    "AudioTrack",
    "DecodeLimits",
    "Pcm",
    "VoiceEncoder",
    "VoiceNote",
    "decode",
    "decode_stream",
    "encode_voice",
    "encode_wav",
    "probe",
]
_HOMES = {
    "AudioTrack": "container",
    "VoiceEncoder": "encoding",
    "decode": "decoding",
    "decode_stream": "decoding",
    "encode_voice": "encoding",
    "encode_wav": "encoding",
    "probe": "decoding",
}


def __getattr__(name: str) -> object:
    """Load the codecs when one is first used: a chat service takes messages before it needs any."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"essence.audio.{_HOMES[name]}"), name)

"""Sound: `Pcm` inside June; any container and codec at its edge. The only package that decodes and encodes."""

from essence.audio.container import AudioTrack
from essence.audio.decode import decode, decode_stream, probe
from essence.audio.encode import VoiceEncoder, VoiceNote, encode_voice, encode_wav
from essence.audio.limits import DecodeLimits
from essence.audio.pcm import Pcm

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

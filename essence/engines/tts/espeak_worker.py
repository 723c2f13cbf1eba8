"""What the eSpeak NG engine's process runs (GPL-3.0).

Speaks through the C interface of the library that the espeakng_loader wheel carries. Names and numbers are those of
`speak_lib.h` of eSpeak NG 1.52.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import espeakng_loader

from essence.engines.tts.desk import Audio, Cancellation
from essence.engines.tts.frames import SpeakRequest
from essence.engines.tts.languages import EspeakVoice, choose
from essence.engines.tts.pieces import clean, pieces
from essence.errors import EngineError, NotFound

AUDIO_OUTPUT_SYNCHRONOUS = 2
EspeakCHARS_UTF8 = 1
EspeakRATE = 1
EspeakRATE_NORMAL = 175
"""[words/min]"""
POS_CHARACTER = 1
EE_OK = 0
BUFFER_MS = 200
"""Sound between two looks at whether the call was cancelled; 1 to 2 ms of work."""

_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _VoiceStruct(ctypes.Structure):
    """espeak_VOICE"""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


@dataclass(slots=True)
class _Take:
    """What the library's callback fills while one piece is spoken."""

    samples: bytearray
    cancellation: Cancellation


class EspeakSpeaker:
    """All voices of the library. It has one state, so calls speak piece by piece, each setting its voice anew."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._take: _Take | None = None
        data_path = espeakng_loader.get_data_path().encode()
        self._rate_hz = self._library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MS, data_path, 0)
        if self._rate_hz <= 0:
            raise EngineError("eSpeak NG can't be started: its data is damaged. Reinstall espeakng-loader.")
        self._callback = _SynthCallback(self._hear)  # kept: the library holds no reference
        self._library.espeak_SetSynthCallback(self._callback)
        self._voices = tuple(_voices(self._library))

    def speak(self, request: SpeakRequest, cancellation: Cancellation) -> Iterator[Audio]:
        """Yield a chunk for each piece of the text."""
        voice = choose(self._voices, request.language, request.voice)
        for piece in pieces(clean(request.text)):
            self._set(voice, request.rate)
            if samples := self._say(piece, cancellation):
                yield self._rate_hz, samples

    def _set(self, voice: EspeakVoice, rate: float) -> None:
        if self._library.espeak_SetVoiceByName(voice.identifier.encode()) != EE_OK:
            raise NotFound(f"eSpeak NG can't load its voice {voice.identifier}.")
        self._library.espeak_SetParameter(EspeakRATE, round(EspeakRATE_NORMAL * rate), 0)

    def _say(self, piece: str, cancellation: Cancellation) -> bytes:
        if not piece.strip():
            return b""
        text = piece.encode()
        self._take = _Take(bytearray(), cancellation)
        status = self._library.espeak_Synth(text, len(text) + 1, 0, POS_CHARACTER, 0, EspeakCHARS_UTF8, None, None)
        if status != EE_OK:
            raise EngineError(f"eSpeak NG failed with status {status}.")
        return bytes(self._take.samples)

    def _hear(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        """Take in `count` samples; 1 stops the synthesis."""
        assert self._take
        if samples and count > 0:
            self._take.samples += ctypes.string_at(samples, 2 * count)
        return int(self._take.cancellation.requested)


def _voices(library: ctypes.CDLL) -> Iterator[EspeakVoice]:
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceStruct))
    listed = library.espeak_ListVoices(None)
    at = 0
    while listed[at]:
        voice = listed[at].contents
        yield EspeakVoice(voice.name.decode(), voice.identifier.decode(), tuple(_languages(voice.languages)))
        at += 1


def _languages(address: int) -> Iterator[tuple[str, int]]:
    """A list of one byte of priority and a C string; a priority of 0 ends it."""
    while (priority := ctypes.string_at(address, 1)[0]) != 0:
        language = ctypes.string_at(address + 1)
        yield language.decode(), priority
        address += len(language) + 2


def load() -> EspeakSpeaker:
    """Called by `essence.engines.tts.__main__`."""
    return EspeakSpeaker()

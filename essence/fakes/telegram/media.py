"""Just enough of the formats of sound to do as Telegram does with uploads."""

from __future__ import annotations

_OPUS_HZ = 48_000
"""Rate of the granule position, whatever was encoded (RFC 7845, section 4)."""


def is_voice(data: bytes) -> bool:
    """Telegram makes a voice message of Ogg/Opus, MP3 and M4A; anything else becomes a document (sendVoice)."""
    ogg_opus = data.startswith(b"OggS") and b"OpusHead" in data[:64]
    mp3 = data.startswith(b"ID3") or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)
    return ogg_opus or mp3 or data[4:8] == b"ftyp"


def ogg_duration_s(data: bytes) -> int:
    """Whole seconds of an Ogg/Opus file, from the granule position of its last page (RFC 3533, section 6)."""
    page = data.rfind(b"OggS")
    if page < 0 or len(data) < page + 14:
        return 0
    return round(int.from_bytes(data[page + 6 : page + 14], "little") / _OPUS_HZ)

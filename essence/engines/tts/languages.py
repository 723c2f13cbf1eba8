"""Which eSpeak NG voice speaks a language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from essence.errors import NotFound

DEFAULT_LANGUAGE = "en-us"

_OTHER_NAMES = {
    "nn": "nb",  # Nynorsk has no voice of its own; Bokmål is read alike
    "iw": "he",  # withdrawn from ISO 639-1 in 1989
    "in": "id",  # … likewise
    "sh": "hbs",  # Serbo-Croatian, withdrawn in 2000
}
"""Codes of ISO 639-1 that eSpeak NG lists under another name. The rest comes from its own list of voices."""


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """One line of the library's list of voices."""

    name: str
    """For people, such as Portuguese (Brazil)."""
    identifier: str
    """File below the library's voices, such as roa/pt-BR."""
    languages: tuple[tuple[str, int], ...]
    """Language codes in lower case with a priority each; the least is preferred."""


def choose(voices: Sequence[EspeakVoice], language: str, voice: str = "") -> EspeakVoice:
    """The voice of this name (identifier, its last part, or language code), else the best for `language`.

    A region that has no voice of its own (de-AT, pt_AO) falls back to its language.

    Raises:
        NotFound: There is none.
    """
    if voice:
        found = _called(voices, voice)
        if found is None or (language and not _speaks(found, language)):
            raise NotFound(f"eSpeak NG has no voice {voice!r}" + (f" for {language!r}." if language else "."))
        return found
    for code in _codes(language or DEFAULT_LANGUAGE):
        candidates = [(priority, at) for at, v in enumerate(voices) for c, priority in v.languages if c == code]
        if candidates:
            return voices[min(candidates)[1]]
    raise NotFound(f"eSpeak NG has no voice for the language {language!r}.")


def _codes(language: str) -> Iterator[str]:
    """`language` and what it falls back to, the nearest first: zh-Hant-TW, zh-hant, zh."""
    parts = language.lower().replace("_", "-").split("-")
    for length in range(len(parts), 0, -1):
        code = "-".join(parts[:length])
        yield code
        if code in _OTHER_NAMES:
            yield _OTHER_NAMES[code]


def _speaks(voice: EspeakVoice, language: str) -> bool:
    wanted = list(_codes(language))[-1]
    return any(code.partition("-")[0] == wanted or code == wanted for code, _ in voice.languages)


def _called(voices: Sequence[EspeakVoice], name: str) -> EspeakVoice | None:
    wanted = name.lower()
    for voice in voices:
        identifier = voice.identifier.lower()
        if wanted in (identifier, identifier.rpartition("/")[2], voice.languages[0][0]):
            return voice
    return None

"""The characters that may reach a voice, and how everything else goes."""

from __future__ import annotations

import unicodedata

import regex

PUNCTUATION = ".,!?:;'\"-()" + "’‘“”„«»‹›¿¡" + "。，、！？：；（）「」『』・" + "،؛؟۔।॥"
"""What makes a pause or a tone, and its counterparts in other scripts."""

# Variation selectors and enclosing marks belong to emoji, not to words.
_FOREIGN = regex.compile(
    rf"[^\p{{L}}\p{{M}}\p{{Nd}} {regex.escape(PUNCTUATION)}]|[\u20D0-\u20FF\uFE00-\uFE0F\U000E0100-\U000E01EF]"
)
_INVISIBLE = regex.compile(r"[\p{Cf}\p{Co}\p{Cs}\uFE00-\uFE0F\u20D0-\u20FF]+")
_STYLED = regex.compile(
    r"[\U0001D400-\U0001D7FF\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A\uFB00-\uFB06\u2460-\u249B\u2160-\u217F℃℉]"
)
_DASH = regex.compile(r"(?<=\s)[–—―-]{1,3}(?=\s)|\s?[—―]\s?|(?<=\p{L})\s?–\s?(?=\p{L})")
_BOX = regex.compile(r"[\u2500-\u257F│|•▪◦‣·→⇒←↔➜]+")
_SPACES = regex.compile(r"\s+")
_LOOSE_STOP = regex.compile(r" +(?=[.,!?;:)](?:[\s.,!?;:)]|$))")
_REPEATED_COMMA = regex.compile(r"(?:,[ ,]*)+(?=[,.!?;:])|(?<=[.!?;:,(])(?: ?,)+|^[ ,;:.]+")
_BRACKETS_OF_NOTHING = regex.compile(r"[(（][^\p{L}\p{M}\p{N}()（）]{0,40}[)）]")
_SPEECH = regex.compile(r"[\p{L}\p{Nd}]")


def plain_letters(text: str) -> str:
    """Turn 𝐛𝐨𝐥𝐝, ｗｉｄｅ and ① into letters and digits, and take out what has no width."""
    text = _STYLED.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return _INVISIBLE.sub("", text)


def whitelisted(text: str) -> str:
    """Keep letters, marks, digits, spaces and `PUNCTUATION`; blank where no word is left."""
    text = _BOX.sub(" , ", _DASH.sub(", ", text)).replace("…", "...")
    text = _SPACES.sub(" ", _FOREIGN.sub(" ", text))
    text = _BRACKETS_OF_NOTHING.sub(" ", text)
    text = _REPEATED_COMMA.sub("", _LOOSE_STOP.sub("", _SPACES.sub(" ", text)))
    return text.strip() if has_speech(text) else ""


def has_speech(text: str) -> bool:
    """Whether there is anything to say."""
    return _SPEECH.search(text) is not None

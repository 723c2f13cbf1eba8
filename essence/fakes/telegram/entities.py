"""Formatted text as Telegram counts it: offsets and lengths in UTF-16 code units.

https://core.telegram.org/bots/api#messageentity; refusals are worded as TDLib's MessageEntity.cpp words them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from essence.fakes.telegram.wire import Json, bad_request

_KINDS_NAMES = (
    "mention hashtag cashtag bot_command url email phone_number bold italic underline strikethrough spoiler "
    "blockquote expandable_blockquote code pre text_link text_mention custom_emoji date_time"
)
KINDS = frozenset(_KINDS_NAMES.split())
_NEEDS = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id", "date_time": "unix_time"}
_DETECTED = re.compile(
    r"(?P<url>\bhttps?://[^\s<>]+[^\s<>.,;:!?)\]'\"])"
    r"|(?P<email>\b[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?P<mention>(?<![\w@/])@[A-Za-z]\w{2,31}\b)"
    r"|(?P<bot_command>(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?!\w|/))"
    r"|(?P<hashtag>(?<![\w#])#\w*[^\W\d]\w*)"
)
"""What Telegram finds in any text by itself; a plain form of it that is enough for bots."""


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def covered(text: str, entity: Json) -> str:
    """The stretch of text that an entity covers."""
    data = text.encode("utf-16-le", "surrogatepass")
    start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
    return data[start:end].decode("utf-16-le", "replace")


def check(text: str, entities: Iterable[object]) -> list[Json]:
    """The entities, in order; a refusal if one of them lies outside of the text or cuts a character in two."""
    starts = _starts(text)
    return sorted((_checked(entity, starts, units(text)) for entity in entities), key=_order)


def trim(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Text without the white space around it and without CR, as Telegram stores it; the entities move with it."""
    entities, text = [_without_cr(text, entity) for entity in entities], text.replace("\r", "")
    shift, whole = units(text) - units(text.lstrip()), text.strip()
    end = units(whole)
    kept = []
    for entity in entities:
        first = max(entity["offset"] - shift, 0)
        last = min(entity["offset"] + entity["length"] - shift, end)
        if last > first:
            kept.append(entity | {"offset": first, "length": last - first})
    return whole, kept


def _without_cr(text: str, entity: Json) -> Json:
    before = covered(text, {"offset": 0, "length": entity["offset"]})
    within = covered(text, entity)
    return entity | {"offset": units(before.replace("\r", "")), "length": units(within.replace("\r", ""))}


def detect(text: str, given: list[Json]) -> list[Json]:
    """The given entities, and those that Telegram finds by itself where none is given (never within code)."""
    found = list(given)
    for match in _DETECTED.finditer(text):
        offset, length = units(text[: match.start()]), units(match[0])
        if not any(_overlap(entity, offset, length) for entity in given):
            found.append({"type": match.lastgroup, "offset": offset, "length": length})
    return sorted(found, key=_order)


def mark(content: Json) -> Json:
    """A message's content with all that Telegram finds in its text or caption."""
    for text, formats in (("text", "entities"), ("caption", "caption_entities")):
        if found := detect(content.get(text, ""), content.get(formats, [])):
            content = content | {formats: found}
    return content


def _overlap(entity: Json, offset: int, length: int) -> bool:
    alone = entity["type"] in ("code", "pre", "text_link", "text_mention", *_DETECTED.groupindex)
    return alone and bool(entity["offset"] < offset + length and offset < entity["offset"] + entity["length"])


def _order(entity: Json) -> tuple[int, int]:
    return entity["offset"], -entity["length"]


def _starts(text: str) -> frozenset[int]:
    """Offsets at which a character begins, and the end of the text."""
    starts, offset = {0}, 0
    for character in text:
        offset += 2 if ord(character) > 0xFFFF else 1
        starts.add(offset)
    return frozenset(starts)


def _checked(entity: object, starts: frozenset[int], length: int) -> Json:
    if not isinstance(entity, dict):
        raise bad_request("can't parse MessageEntity: expected an object")
    kind = entity.get("type")
    if kind not in KINDS:
        raise bad_request(f"can't parse entities: unsupported entity type {kind!r}")
    if kind in _NEEDS and not entity.get(_NEEDS[kind]):
        raise bad_request(f"can't parse entities: can't find field \"{_NEEDS[kind]}\"")
    offset, size = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(size, int) or offset < 0 or size <= 0:
        raise bad_request(f"can't parse entities: entity has invalid offset {offset} or length {size}")
    if offset not in starts or (offset + size <= length and offset + size not in starts):
        raise bad_request(f"entity beginning at UTF-16 offset {offset} ends in a middle of a UTF-16 symbol")
    if (end := offset + size) > length:
        raise bad_request(f"entity beginning at UTF-16 offset {offset} ends after the end of the text at {end}")
    return dict(entity)

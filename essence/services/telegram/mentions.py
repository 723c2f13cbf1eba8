"""Whether words in a group are meant for June, and those words without her name.

Offsets of entities count UTF-16 units (https://core.telegram.org/bots/api#messageentity).
"""

from __future__ import annotations

import telegram
from telegram import MessageEntity, User

_Cut = tuple[int, int]
"""First unit that is left out, and the first that isn't."""


def is_addressed(said: telegram.Message, replied: telegram.Message | None, me: User) -> bool:
    """Whether a message in a group is for June: a command for her, an answer to her, or one that names her."""
    if said.forward_origin is None and (command := _command(said)) is not None:
        _, _, bot = command.partition("@")
        return not bot or bot.lower() == _username(me)
    answers = replied is not None and replied.from_user is not None and replied.from_user.id == me.id
    return answers or any(_names(entity, words, me) for entity, words in _entities(said).items())


def without_mentions(said: telegram.Message, me: User) -> str:
    """Text or caption without June's @name: "/stop@june_bot now" is "/stop now", "@june_bot, hello" is "hello"."""
    cuts = [cut for entity, words in _entities(said).items() if (cut := _cut(entity, words, me))]
    text = said.text or said.caption or ""
    for first, last in sorted(cuts, reverse=True):
        data = text.encode("utf-16-le", "surrogatepass")
        before, after = data[: 2 * first], data[2 * last :]
        text = _joined(before.decode("utf-16-le", "surrogatepass"), after.decode("utf-16-le", "surrogatepass"))
    return text


def _joined(before: str, after: str) -> str:
    if not before.strip():
        return after.lstrip(" ,:;")
    return before + after.lstrip(" ") if before.endswith("\n") else before.rstrip(" ") + after


def _entities(said: telegram.Message) -> dict[MessageEntity, str]:
    return said.parse_entities() if said.text else said.parse_caption_entities()


def _username(me: User) -> str:
    return (me.username or "").lower()


def _command(said: telegram.Message) -> str | None:
    found = (words for entity, words in _entities(said).items() if _starts_command(entity))
    return next(found, None)


def _starts_command(entity: MessageEntity) -> bool:
    return entity.type == MessageEntity.BOT_COMMAND and entity.offset == 0


def _names(entity: MessageEntity, words: str, me: User) -> bool:
    match entity.type:
        case MessageEntity.MENTION:
            return words.lower() == f"@{_username(me)}"
        case MessageEntity.TEXT_MENTION:
            return entity.user is not None and entity.user.id == me.id
        case MessageEntity.TEXT_LINK:  # some applications make this of a name that was tapped
            return (entity.url or "").lower() in (f"tg://user?id={me.id}", f"https://t.me/{_username(me)}")
    return False


def _cut(entity: MessageEntity, words: str, me: User) -> _Cut | None:
    end = entity.offset + entity.length
    if entity.type == MessageEntity.MENTION and _names(entity, words, me):
        return entity.offset, end
    if _starts_command(entity) and words.lower().endswith(f"@{_username(me)}"):
        return end - len(_username(me)) - 1, end
    return None

"""People and places as a test speaks of them: who says what where, and what the bot answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from essence.fakes.telegram import entities as formats
from essence.fakes.telegram import media
from essence.fakes.telegram.platform import Platform, Press
from essence.fakes.telegram.wire import Json
from essence.fakes.telegram.world import Action, Chat, Draft, Message, Person, StoredFile, Version

T = TypeVar("T")
PATIENCE_S = 10.0


@dataclass(slots=True)
class Place:
    """A chat, or one topic of a forum, as the people in it see it."""

    platform: Platform
    chat: Chat
    thread_id: int | None = None
    _received_to: int = 0
    """Id of the last message that was asked for."""

    @property
    def messages(self) -> list[Message]:
        """All that stands here, of people and bot, the oldest first."""
        return [message for message in self.chat.messages.values() if self._stands_here(message)]

    @property
    def answers(self) -> list[Message]:
        """What the bot has said here, the oldest first."""
        return [message for message in self.messages if message.sender == self.platform.bot]

    @property
    def drafts(self) -> list[Draft]:
        """What the bot has shown of answers that were not finished."""
        return [draft for draft in self.chat.drafts if draft.thread_id == self.thread_id]

    @property
    def actions(self) -> list[Action]:
        """When the bot has shown that it was typing, or the like."""
        return [action for action in self.chat.actions if action.thread_id == self.thread_id]

    async def receives(self, *, timeout_s: float = PATIENCE_S) -> Message:
        """The bot's next message here that this was not asked for before.

        Raises:
            TimeoutError: There was none in time.
        """
        try:
            message = await self.until(self._next, timeout_s=timeout_s)
        except TimeoutError as error:
            heard = [answer.text for answer in self.answers]
            raise TimeoutError(f"the bot said nothing new in {timeout_s} s; before, it said {heard}") from error
        self._received_to = message.message_id
        return message

    async def until(self, seen: Callable[[], T | None], *, timeout_s: float = PATIENCE_S) -> T:
        """What `seen` finds, as soon as that is true: `until(lambda: answer.text.endswith("."))`.

        Raises:
            TimeoutError: It found nothing in time.
        """
        return await self.platform.changes.until(seen, timeout_s)

    def _next(self) -> Message | None:
        # Ids count from 1 without a gap; looking at the new ones alone keeps long tests fast.
        new = (self.chat.messages[number] for number in range(self._received_to + 1, len(self.chat.messages) + 1))
        return next((said for said in new if said.sender == self.platform.bot and self._stands_here(said)), None)

    def _stands_here(self, message: Message) -> bool:
        return not message.deleted and (not self.chat.is_forum or message.thread_id == self.thread_id)


class Group(Place):
    """A supergroup; a forum has topics."""

    def topic(self, name: str, by: User) -> Place:
        """Someone opens a topic."""
        thread_id = len(self.chat.messages) + 1  # a topic bears the id of the message that opened it
        content = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        self.chat.topics[thread_id] = self.platform.post(self.chat, by.person, content, thread_id=thread_id)
        return Place(self.platform, self.chat, thread_id)

    def moves(self, by: User) -> int:
        """The group becomes a supergroup with another id, as basic groups do; the old id leads nowhere any more."""
        old_id, new_id = self.chat.chat_id, self.chat.chat_id - 1_000_000
        self.platform.post(self.chat, by.person, {"migrate_to_chat_id": new_id})
        self.platform.chats[new_id] = self.platform.chats.pop(old_id)
        self.chat.chat_id, self.platform.moved[old_id] = new_id, new_id
        self.platform.post(self.chat, by.person, {"migrate_from_chat_id": old_id})
        return old_id

    def removes_bot(self, by: User) -> None:
        """Someone throws the bot out."""
        self.chat.barred = "bot was kicked from the supergroup chat"
        _tell_membership(self.platform, self.chat, by.person, "member", "kicked")


@dataclass(slots=True)
class User:
    """Someone with a Telegram application. `to` names another place than the private chat with the bot."""

    platform: Platform
    person: Person
    chat: Place

    async def receives(self, *, timeout_s: float = PATIENCE_S) -> Message:
        """See `Place.receives`, of the private chat."""
        return await self.chat.receives(timeout_s=timeout_s)

    async def says(
        self, text: str, *, to: Place | None = None, reply_to: Message | None = None, entities: list[Json] | None = None
    ) -> Message:
        """Write a text; commands, mentions and links in it are marked as Telegram marks them."""
        content: Json = {"text": text} | ({"entities": entities} if entities else {})
        return self._post(content, to, reply_to)

    async def sends_voice(
        self,
        ogg: bytes,
        *,
        to: Place | None = None,
        reply_to: Message | None = None,
        caption: str = "",
        duration_s: int | None = None,
    ) -> Message:
        """Send a voice message; its duration is read from the file if not given."""
        file = self.platform.files.keep(ogg, "voice", "voice.oga", "audio/ogg")
        duration = media.ogg_duration_s(ogg) if duration_s is None else duration_s
        voice = file.json() | {"duration": duration, "mime_type": "audio/ogg"}
        return self._post({"voice": voice} | _caption(caption), to, reply_to, file)

    async def sends_audio(
        self, data: bytes, *, name: str = "song.mp3", mime_type: str = "audio/mpeg", duration_s: int = 0,
        to: Place | None = None, caption: str = "",
    ) -> Message:  # fmt: skip
        """Send a file of music."""
        file = self.platform.files.keep(data, "music", name, mime_type)
        audio = file.json() | {"duration": duration_s, "file_name": name, "mime_type": mime_type}
        return self._post({"audio": audio} | _caption(caption), to, None, file)

    async def sends_video_note(self, mp4: bytes, *, duration_s: int = 1, to: Place | None = None) -> Message:
        """Send a round video."""
        file = self.platform.files.keep(mp4, "video_notes", "note.mp4", "video/mp4")
        return self._post({"video_note": file.json() | {"length": 384, "duration": duration_s}}, to, None, file)

    async def sends_video(
        self, mp4: bytes, *, duration_s: int = 1, to: Place | None = None, caption: str = ""
    ) -> Message:
        """Send a film, which has sound; one without is an animation."""
        file = self.platform.files.keep(mp4, "videos", "film.mp4", "video/mp4")
        shape = {"width": 640, "height": 480, "duration": duration_s, "mime_type": file.mime_type}
        return self._post({"video": file.json() | shape} | _caption(caption), to, None, file)

    async def sends_document(
        self, data: bytes, *, name: str, mime_type: str, to: Place | None = None, caption: str = ""
    ) -> Message:
        """Send any file."""
        file = self.platform.files.keep(data, "documents", name, mime_type)
        document = file.json() | {"file_name": name, "mime_type": mime_type}
        return self._post({"document": document} | _caption(caption), to, None, file)

    async def sends_photo(
        self, jpeg: bytes, *, to: Place | None = None, caption: str = "", album_id: str = ""
    ) -> Message:
        """Send a photo; those of one album bear its id."""
        file = self.platform.files.keep(jpeg, "photos", "photo.jpg", "image/jpeg")
        content: Json = {"photo": [file.json() | {"width": 640, "height": 480}]} | _caption(caption)
        return self._post(content | ({"media_group_id": album_id} if album_id else {}), to, None, file)

    async def sends_album(self, *jpegs: bytes, caption: str = "", to: Place | None = None) -> list[Message]:
        """Send photos that are shown as one message; the first bears the caption. They come as one update each."""
        album_id = str(13_000_000_000_000_000 + self.platform.number())
        captions = [caption, *[""] * len(jpegs)]
        return [
            await self.sends_photo(jpeg, to=to, caption=words, album_id=album_id)
            for jpeg, words in zip(jpegs, captions, strict=False)
        ]

    async def sends_sticker(self, emoji: str, *, to: Place | None = None) -> Message:
        """Send a sticker that stands for an emoji."""
        file = self.platform.files.keep(b"RIFF", "stickers", "sticker.webp", "image/webp")
        shape = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self._post({"sticker": file.json() | shape | {"emoji": emoji}}, to, None, file)

    async def sends_contact(self, first_name: str, phone_number: str, *, to: Place | None = None) -> Message:
        """Share someone's number."""
        return self._post({"contact": {"first_name": first_name, "phone_number": phone_number}}, to)

    async def sends_location(self, latitude: float, longitude: float, *, to: Place | None = None) -> Message:
        """Share a place on the map."""
        return self._post({"location": {"latitude": latitude, "longitude": longitude}}, to)

    async def forwards(self, message: Message, *, to: Place | None = None, hidden: bool = False) -> Message:
        """Pass a message on; `hidden`: its author does not let forwards lead back."""
        origin: Json = {"type": "user", "date": message.date, "sender_user": message.sender.json()}
        if hidden:
            origin = {"type": "hidden_user", "date": message.date, "sender_user_name": message.sender.first_name}
        content = {name: value for name, value in message.content.items() if name != "reply_markup"}
        return self._post(content | {"forward_origin": origin}, to, None, message.file)

    async def edits(self, message: Message, text: str) -> None:
        """Change the text or caption of an own message."""
        name = "caption" if message.file is not None else "text"
        kept = {key: value for key, value in message.content.items() if key not in ("entities", "caption_entities")}
        message.content = formats.mark(kept | {name: text})
        message.edit_date = int(time.time())
        message.versions.append(Version(time.monotonic(), text))
        self.platform.tell_edit(message)

    async def presses(self, message: Message, button: int | str = 0) -> Press:
        """Tap an inline button, by its number or its words; the bot's answer shows up in the press."""
        buttons = {str(shown["text"]): shown for shown in message.buttons}
        shown = message.buttons[button] if isinstance(button, int) else buttons[button]
        press = Press(str(4_400_000_000_000_000 + self.platform.number()), message)
        self.platform.presses[press.press_id] = press
        query = {
            "id": press.press_id,
            "from": self.person.json(),
            "message": message.json(),
            "chat_instance": str(message.chat.chat_id * 7919),
            "data": shown["callback_data"],
        }
        self.platform.updates.add("callback_query", query, message.chat.chat_id)
        return press

    async def reacts(self, message: Message, emoji: str) -> None:
        """Put an emoji on a message; an empty one takes it back."""
        old = message.reactions.get(self.person.user_id, [])
        new: list[Json] = [{"type": "emoji", "emoji": emoji}] if emoji else []
        message.reactions[self.person.user_id] = new
        told = {
            "chat": message.chat.json(),
            "message_id": message.message_id,
            "user": self.person.json(),
            "date": int(time.time()),
            "old_reaction": old,
            "new_reaction": new,
        }
        self.platform.updates.add("message_reaction", told, message.chat.chat_id)

    def blocks_bot(self) -> None:
        """Want to hear nothing more."""
        self.chat.chat.barred = "bot was blocked by the user"
        _tell_membership(self.platform, self.chat.chat, self.person, "member", "kicked")

    def unblocks_bot(self) -> None:
        """Want to hear from it again."""
        self.chat.chat.barred = ""
        _tell_membership(self.platform, self.chat.chat, self.person, "kicked", "member")

    def _post(
        self, content: Json, to: Place | None, reply_to: Message | None = None, file: StoredFile | None = None
    ) -> Message:
        place = to or self.chat
        return self.platform.post(
            place.chat, self.person, content, reply_to=reply_to, thread_id=place.thread_id, file=file
        )


def _caption(caption: str) -> Json:
    return {"caption": caption} if caption else {}


def _tell_membership(platform: Platform, chat: Chat, by: Person, old: str, new: str) -> None:
    def member(status: str) -> Json:
        return {"status": status, "user": platform.bot.json()} | ({"until_date": 0} if status == "kicked" else {})

    told = {
        "chat": chat.json(),
        "from": by.json(),
        "date": int(time.time()),
        "old_chat_member": member(old),
        "new_chat_member": member(new),
    }
    platform.updates.add("my_chat_member", told, chat.chat_id)

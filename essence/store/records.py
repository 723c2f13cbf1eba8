"""Messages, replies and turns as they lie in a database."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from essence.audio import VoiceNote
from essence.dialogue import (
    Address,
    Button,
    Entity,
    Message,
    Pairing,
    Part,
    Person,
    Receipt,
    Reply,
    Sound,
    ToolCall,
    Turn,
)
from essence.store.tables import address_of, person_at


def storable(text: str) -> str:
    """Without what a database refuses: PostgreSQL knows no NUL, and half a surrogate pair is no UTF-8."""
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def message_json(message: Message) -> str:
    """A message as JSON of ASCII alone."""
    return json.dumps(_shallow(message) | {"sent_at": message.sent_at.isoformat()}, default=_shallow)


def _shallow(record: Any) -> dict[str, object]:
    """A dataclass's fields as they are: `asdict` copies all that is in them, which takes three times as long."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def message_of(record: str) -> Message:
    """The inverse of `message_json`. A field that an older June did not know has its default."""
    fields = json.loads(record)
    fields["address"] = Address(**fields["address"])
    fields["sender"] = Person(**fields["sender"])
    fields["sent_at"] = datetime.fromisoformat(fields["sent_at"])
    if fields["sound"] is not None:
        fields["sound"] = Sound(**fields["sound"])
    return Message(**fields)


def reply_columns(reply: Reply) -> dict[str, object]:
    """A reply as columns of the outbox.

    A voice message lies in the row itself: it has some 4 kB a second, and so it is written, kept and deleted with what
    is known of it, in one transaction. A file beside the database could be there without its row, or the reverse.
    """
    voice = reply.voice
    return {
        "text": storable(reply.text),
        "entities": _json(reply.entities),
        "buttons": _json(reply.buttons),
        "spoken": storable(reply.spoken),
        "reply_to_id": reply.reply_to_id,
        "voice": None if voice is None else voice.data,
        "voice_s": None if voice is None else voice.duration_s,
        "waveform": None if voice is None else voice.waveform,
    }


def _json(items: tuple[Entity | Button, ...]) -> str:
    return json.dumps([asdict(item) for item in items]) if items else "[]"


def reply_of(row: Row[Any]) -> Reply:
    """The inverse of `reply_columns`."""
    return Reply(
        text=row.text,
        voice=None if row.voice is None else VoiceNote(row.voice, row.voice_s, row.waveform),
        reply_to_id=row.reply_to_id,
        entities=tuple(Entity(**entity) for entity in json.loads(row.entities)),
        spoken=row.spoken,
        buttons=tuple(Button(**button) for button in json.loads(row.buttons)),
    )


def part_of(row: Row[Any]) -> Part:
    """A part from the outbox's columns and `uncertain`."""
    receipt = None if row.sent_at is None else Receipt(row.receipt_id, row.sent_at, row.assumed)
    return Part(
        key=row.key,
        to=address_of(row.chat),
        reply=reply_of(row),
        state=row.state,
        tries=row.tries,
        uncertain=bool(row.uncertain),
        doubtful=row.doubtful,
        receipt=receipt,
        why=row.why,
    )


def turn_columns(turn: Turn) -> dict[str, object]:
    """A turn as columns of the table of turns."""
    return {
        "role": turn.role,
        "text": storable(turn.text),
        "tool_calls": json.dumps([asdict(call) for call in turn.tool_calls]) if turn.tool_calls else "[]",
        "tool_call_id": turn.tool_call_id,
        "chars": len(turn.text),
    }


def turn_of(row: Row[Any]) -> Turn:
    """The inverse of `turn_columns`."""
    calls = tuple(ToolCall(**call) for call in json.loads(row.tool_calls)) if row.tool_calls != "[]" else ()
    return Turn(row.role, row.text, calls, row.tool_call_id)


def person_columns(person: Person) -> dict[str, object]:
    """A person's names as columns of the pairings."""
    return {
        "name": storable(person.name),
        "username": storable(person.username),
        "language": storable(person.language),
    }


def pairing_of(row: Row[Any]) -> Pairing:
    """A pairing from its row."""
    platform, person_id = person_at(row.person)
    person = Person(person_id, row.name, row.username, row.language)
    return Pairing(platform, person, row.code, row.asked_at, row.approved_at)

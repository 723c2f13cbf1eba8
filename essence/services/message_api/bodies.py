"""What goes in and out as JSON."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from essence.dialogue import Address, Receipt
from essence.dialogue import Button as Button_
from essence.errors import InvalidInput
from essence.outgoing import TEXT_MAX_CHARS, Draft, Filter, MessageType, Posted, State

Id = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,20}$")]
"""Of a person, a chat, a thread or a message: a number on both platforms, too long for JavaScript's."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_MAX_CHARS, pattern=r"\S")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
ButtonText = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"\S")]
BUTTONS_MAX = 25
"""Five rows of five, Discord's limit (https://discord.com/developers/docs/components/reference#action-row)."""
BUTTON_DATA_MAX_BYTES = 64
MARK_OF_JUNES = ":"
"""In the data of each button that answers a question of June's own, and of no other's: `task:do:…`, `pair:yes:…`."""
PAGE_MAX = 100
POSITIONS_BELOW = 2**63


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Button(_Strict):
    """Something to tap below the message."""

    label: ButtonText
    data: ButtonText = Field(
        description="What comes back when it is tapped; at most 64 bytes. A colon is for June's own questions alone."
    )

    @field_validator("data")
    @classmethod
    def _fits(cls, data: str) -> str:
        if len(data.encode()) > BUTTON_DATA_MAX_BYTES:
            raise ValueError(f"at most {BUTTON_DATA_MAX_BYTES} bytes")
        return data


class NewMessage(_Strict):
    """What a person is to be told. Name them by `user_id`, the chat by `chat_id`, or both."""

    user_id: Id | None = Field(default=None, description="The person, by their id on either platform.")
    chat_id: Id | None = Field(default=None, description="The chat; empty: the person's private chat with June.")
    thread_id: Id | None = Field(default=None, description="A forum topic or thread within the chat.")
    message: Text = Field(description="Markdown.")
    platform: Literal["telegram", "discord", "auto"] = Field(
        default="auto",
        description="`auto`: the private chat in which the person wrote last, on whichever platform; `chat_id` is used "
        "where they have not written.",
    )
    message_type: MessageType = "text"
    voice: bool = Field(default=False, description="As a voice message too.")
    language: Language | None = Field(default=None, description="ISO 639-1 code of the text, for the voice.")
    reply_to: Id | None = Field(default=None, description="The platform's message that it answers.")
    buttons: list[Button] = Field(default=[], max_length=BUTTONS_MAX)

    @model_validator(mode="after")
    def _names_somebody(self) -> NewMessage:
        if self.user_id is None and self.chat_id is None:
            raise ValueError("give user_id, chat_id or both")
        return self

    def draft(self, to: Address, person_id: str) -> Draft:
        """Addressed."""
        return Draft(
            to=to,
            text=self.message,
            person_id=person_id,
            message_type=self.message_type,
            voice=self.voice,
            language=self.language,
            reply_to_id=self.reply_to,
            buttons=tuple(Button_(button.label, button.data) for button in self.buttons),
        )


class Replacement(_Strict):
    """Another text in the place of the whole."""

    message: Text = Field(description="Markdown.")


class Addition(_Strict):
    """More text, put at the end as it is."""

    append: Annotated[str, StringConstraints(min_length=1, max_length=TEXT_MAX_CHARS)] = Field(description="Markdown.")


class Wanted(_Strict):
    """Which messages are listed."""

    platform: Literal["telegram", "discord"] | None = None
    chat_id: Id | None = None
    user_id: Id | None = None
    message_type: MessageType | None = None
    state: State | None = None
    idempotency_key: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        default=None, description="Under which you posted it: the same key of somebody else is of another message."
    )
    since: AwareDatetime | None = Field(default=None, description="Posted at this time or later.")
    until: AwareDatetime | None = Field(default=None, description="Posted before this time.")
    limit: int = Field(default=50, ge=1, le=PAGE_MAX)
    cursor: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="`next_cursor` of the page before."
    )

    def filter(self) -> Filter:
        """As the store takes it."""
        return Filter(
            platform=self.platform,
            chat_id=self.chat_id,
            person_id=self.user_id,
            message_type=self.message_type,
            state=self.state,
            idempotency_key=self.idempotency_key,
            since=self.since,
            until=self.until,
        )


class PlatformReceipt(BaseModel):
    """The platform has it."""

    platform_message_id: str | None = Field(description="null where `assumed`.")
    sent_at: datetime
    assumed: bool = Field(description="The platform's answer was lost, and the message was taken as sent.")

    @classmethod
    def of(cls, receipt: Receipt) -> PlatformReceipt:
        """From June's own."""
        return cls(platform_message_id=receipt.message_id or None, sent_at=receipt.sent_at, assumed=receipt.assumed)


class Trouble(BaseModel):
    """What went wrong last."""

    code: str
    detail: str


class Delivery(BaseModel):
    """How far a message got."""

    message_id: str
    state: State = Field(
        description="Of the newest revision: queued, sent (the platform has it) or failed (it is not tried again)."
    )
    revision: int = Field(description="Grows with each change of the text.")
    delivered_revision: int = Field(description="What the person sees; 0: nothing yet.")
    receipts: list[PlatformReceipt] = Field(description="In order: the texts, then the voice messages.")
    error: Trouble | None = Field(
        description="What went wrong last. With `sent`: the voice message that there could not be."
    )

    @classmethod
    def of(cls, posted: Posted) -> Delivery:
        """From June's own."""
        return cls(
            message_id=posted.message_id,
            state=posted.state,
            revision=posted.revision,
            delivered_revision=posted.delivered_revision,
            receipts=[PlatformReceipt.of(receipt) for receipt in posted.receipts],
            error=Trouble(code=posted.code, detail=posted.why) if posted.code else None,
        )


class Message(Delivery):
    """A message and how far it got."""

    platform: Literal["telegram", "discord", "grpc"]
    user_id: str | None
    chat_id: str
    thread_id: str | None
    message: str
    message_type: MessageType
    voice: bool
    language: str | None
    reply_to: str | None
    buttons: list[Button] = Field(description="Below the message; none after a change.")
    author: str = Field(description="Name of the API key that posted it.")
    idempotency_key: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, posted: Posted) -> Message:
        """From June's own."""
        draft = posted.draft
        return cls(
            **dict(Delivery.of(posted)),
            platform=draft.to.platform,
            user_id=draft.person_id or None,
            chat_id=draft.to.chat_id,
            thread_id=draft.to.thread_id,
            message=draft.text,
            message_type=draft.message_type,
            voice=draft.voice,
            language=draft.language,
            reply_to=draft.reply_to_id,
            buttons=[Button(label=button.label, data=button.data) for button in _buttons(posted)],
            author=posted.author,
            idempotency_key=posted.idempotency_key,
            created_at=posted.created_at,
            updated_at=posted.updated_at,
        )


def _buttons(posted: Posted) -> tuple[Button_, ...]:
    """A change takes them away; the draft keeps them, for a repeat of what was sent first."""
    return posted.draft.buttons if posted.revision == 1 else ()


class Page(BaseModel):
    """Some of the messages, the newest first."""

    messages: list[Message]
    next_cursor: str | None = Field(description="Shows the next page; null on the last one.")


def cursor_of(position: int) -> str:
    """A place in the list, as callers hand it back."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def position_of(cursor: str) -> int:
    """The inverse of `cursor_of`.

    Raises:
        InvalidInput: It is none.
    """
    try:
        position = int(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii"))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("cursor: use the next_cursor of the page before.") from error
    if not 0 < position < POSITIONS_BELOW:
        raise InvalidInput("cursor: use the next_cursor of the page before.")
    return position

"""How June speaks with people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from essence.dialogue import Address, Button, ChannelProfile, ChannelState, Message, Receipt, Reply, Sign, Sound

Receive = Callable[[Message], Awaitable[None]]
"""Takes a message; when it returns, the message is durable."""


class Channel(Protocol):
    """A chat platform: the one place that knows its SDK. Messages come rendered; see `essence.chat.rendering`.

    All methods but `listen` have deadlines of their own.
    """

    @property
    def profile(self) -> ChannelProfile: ...

    @property
    def state(self) -> ChannelState: ...

    async def listen(self, receive: Receive) -> None:
        """Hand over every message that comes, until cancelled; lost connections are made again.

        The platform is told that a message came only after `receive` has returned. If it raises, the message is handed
        over again later. Several may be handed over at once, those of one chat in order.

        Raises:
            NotAllowed: The platform refuses June's token.
            ConfigError: It refuses another setting, such as a webhook's address.
        """
        ...

    async def send(self, to: Address, reply: Reply, *, key: str, again: bool = False) -> Receipt:
        """Send one message.

        Args:
            to: Where it goes.
            reply: What is sent. A voice message that the platform or the person doesn't allow goes out as a file.
            key: Names this message, for platforms that recognise a repeat.
            again: An earlier request with this key may have been done. If the platform can't tell, the message bears a
                mark that says so.

        Raises:
            Uncertain: The request went out, and its answer was lost.
            RateLimited: Not sent; the error says how long to wait.
            Unreachable, TooSlow: Certainly not sent.
            NotAllowed: June may not write there (blocked, removed).
            NotFound: There is no such chat.
            InvalidInput: The platform refuses this message, whoever tries.
        """
        ...

    async def edit(self, to: Address, message_id: str, reply: Reply) -> None:
        """Put a text (and buttons) in the place of a sent one's; of a voice message, its caption. Safe to repeat.

        Raises:
            NotFound: The message is gone.
            RateLimited, Unreachable, TooSlow, NotAllowed, InvalidInput: As `send`.
        """
        ...

    async def sign(self, message: Message, sign: Sign) -> None:
        """Show a person what June is doing with their message. A failure is counted and goes no further."""
        ...

    async def acknowledge(self, message: Message, text: str) -> None:
        """Tell whoever tapped a button, and nobody else, what came of it, in a few words.

        Also whoever used a slash command that gets no answer, where the platform shows that June works on it; of any
        other message nothing is told. A failure is counted and goes no further.
        """
        ...

    async def fetch(self, sound: Sound, *, max_bytes: int) -> bytes:
        """The file of a message.

        Raises:
            InvalidAudio: Larger than `max_bytes`, or than what the platform lets bots have; the sentence says which.
            NotFound: It is gone.
            Unreachable, TooSlow: Try again.
        """
        ...

    async def direct(self, person_id: str) -> Address:
        """The private conversation with a person.

        Raises:
            NotFound: The platform knows no such person.
        """
        ...


class Messenger(Protocol):
    """Speaks to people on one platform, for other services."""

    async def send(
        self,
        to: Address,
        text: str,
        *,
        key: str,
        speak: bool = False,
        language: str | None = None,
        reply_to_id: str | None = None,
        buttons: Sequence[Button] = (),
    ) -> tuple[Receipt, ...]:
        """Send Markdown, in as many messages as it takes; return when the platform has them all.

        Args:
            to: Where it goes.
            text: Markdown.
            key: A repeat with the same key sends nothing more and returns the same receipts.
            speak: As a voice message too.
            language: ISO 639-1 code of `text`, for the voice.
            reply_to_id: The message that it answers.
            buttons: Below the last message.

        Raises:
            NotAllowed, NotFound, InvalidInput: It can't be delivered; it will not be tried again.
            TooSlow: Not delivered yet. It is kept and goes out as soon as it can; ask again with the same key.
        """
        ...

    async def edit(self, key: str, text: str) -> tuple[Receipt, ...]:
        """Put another text in the place of what was sent under `key`.

        Raises:
            NotFound: Nothing was sent under this key, or it is gone.
            NotAllowed, InvalidInput, RateLimited, Unreachable, TooSlow: As the platform says.
        """
        ...

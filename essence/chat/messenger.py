"""Speaks to people for other services: the same outbox and courier as June's own answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from essence.chat.courier import Courier
from essence.chat.events import AudioPart, VoiceFailed
from essence.chat.live_text import ABOVE
from essence.chat.rendering import rendered
from essence.dialogue import Address, Button, Part, Receipt, Reply
from essence.errors import InvalidInput, NotFound, TooSlow
from essence.ports import Channel, Outbox

if TYPE_CHECKING:  # what is behind it loads after the first message is taken
    from essence.chat.pipeline import Pipeline

DEADLINE_S = 60.0
"""Whoever asks is told after this that it is still on its way."""


class ChatMessenger:
    """See `essence.ports.Messenger`."""

    def __init__(
        self, channel: Channel, outbox: Outbox, courier: Courier, pipeline: Callable[[], Awaitable[Pipeline]]
    ) -> None:
        """`pipeline`: waits until the engines are loaded."""
        self._channel, self._outbox, self._courier, self._pipeline = channel, outbox, courier, pipeline

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
        texts = rendered(text, self._channel.profile)
        if to.platform != self._channel.profile.platform:
            raise InvalidInput(f"This service speaks on {self._channel.profile.platform}, not on {to.platform}.")
        if not key or not texts:
            raise InvalidInput("A message needs a key, and a text in which there is something to see.")
        replies = [
            Reply(
                one.text,
                entities=one.entities,
                reply_to_id=reply_to_id if number == 0 else None,
                buttons=tuple(buttons) if number == len(texts) - 1 else (),
            )
            for number, one in enumerate(texts)
        ]
        async with _in_time():
            receipts = [await self._deliver(f"{_cause(key)}:t{n}", to, reply) for n, reply in enumerate(replies)]
            if speak:
                receipts += await self._speak(to, text, key, language)
        return tuple(receipts)

    async def _deliver(self, key: str, to: Address, reply: Reply) -> Receipt:
        part = await self._courier.send(key, to, reply)
        assert part.receipt is not None
        return part.receipt

    async def _speak(self, to: Address, text: str, key: str, language: str | None) -> list[Receipt]:
        """Speak what no earlier call with this key has written down, after what it has."""
        spoken = [part for part in await self._outbox.parts(_cause(key)) if part.reply.voice is not None]
        receipts = [(await self._courier.arrival(part.key)).receipt for part in spoken]
        rest = text[len("".join(part.reply.spoken for part in spoken)) :]
        if rest.strip():
            pipeline = await self._pipeline()
            async with aclosing(pipeline.speak(rest, language=language)) as events:
                async for event in events:
                    if isinstance(event, VoiceFailed):
                        raise event.error
                    if isinstance(event, AudioPart):
                        reply = Reply(voice=event.note, spoken=event.text)
                        receipts.append(await self._deliver(f"{_cause(key)}:v{len(receipts)}", to, reply))
        return [receipt for receipt in receipts if receipt is not None]

    async def edit(self, key: str, text: str) -> tuple[Receipt, ...]:
        sent = [part for part in await self._outbox.parts(_cause(key)) if _is_sent_text(part)]
        standing = [part for part in sent if part.receipt is not None and not part.receipt.assumed]
        assumed = len(sent) - len(standing)  # nothing can be put in their place: what they lack comes below them
        texts = rendered(text, self._channel.profile)
        if not sent:
            raise NotFound(f"Nothing was sent under the key {key}.")
        if not texts:
            raise InvalidInput("There is nothing to see in this text.")
        to, receipts = sent[0].to, []
        async with _in_time():
            for number, one in enumerate(texts):
                reply = Reply(one.text, entities=one.entities)
                if number < len(standing):
                    receipts.append(await self._change(standing[number], reply))
                else:
                    receipts.append(await self._deliver(f"{_cause(key)}:t{assumed + number}", to, reply))
            for part in standing[len(texts) :]:
                await self._change(part, Reply(ABOVE.text))
        return tuple(receipts)

    async def _change(self, part: Part, reply: Reply) -> Receipt:
        assert part.receipt is not None
        await self._channel.edit(part.to, part.receipt.message_id, reply)
        return part.receipt


def _cause(key: str) -> str:
    """Apart from the keys of messages that people send."""
    return f"messenger:{key}"


def _is_sent_text(part: Part) -> bool:
    return part.reply.voice is None and part.receipt is not None


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    limit = asyncio.timeout(DEADLINE_S)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TooSlow("It is on its way, and not delivered yet. Ask again with the same key.") from error

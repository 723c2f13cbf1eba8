"""The voice messages of one answer, sent in order while the next ones are made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from essence.chat.courier import Courier
from essence.chat.events import AudioPart
from essence.chat.rendering import rendered
from essence.chat.timings import Stopwatch
from essence.dialogue import ChannelProfile, Claim, Part, Reply


class Voices:
    """`put` takes parts as they are made; `run` sends them; `finish` returns when the last one has arrived."""

    def __init__(self, claim: Claim, courier: Courier, profile: ChannelProfile, stopwatch: Stopwatch) -> None:
        self._claim, self._courier, self._profile, self._stopwatch = claim, courier, profile, stopwatch
        self._queue: asyncio.Queue[Reply] = asyncio.Queue()
        self._number = 0
        self.begun = False
        """Whether the person has got any."""
        self.spoken = ""
        """The stretch of the answer that an earlier attempt has spoken."""
        self.audible = False
        """Whether the answer has a voice message, be it on its way."""

    def take_up(self, parts: Sequence[Part]) -> None:
        """Go on behind what an earlier attempt has written down."""
        prefix = f"{self._claim.message.key}:v"
        mine = [part for part in parts if part.key.startswith(prefix)]
        self._number = len(mine)
        standing = [part for part in mine if part.state not in ("cancelled", "given_up")]
        self.begun = any(part.state == "sent" for part in standing)
        self.spoken = "".join(part.reply.spoken for part in standing)
        self.audible = bool(standing)

    def put(self, part: AudioPart, *, captioned: bool) -> None:
        """Send this next. `captioned`: with its words below it, as far as they fit."""
        self.audible = True
        texts = rendered(part.text, self._profile, limit=self._profile.caption_units) if captioned else []
        message = self._claim.message
        self._queue.put_nowait(
            Reply(
                texts[0].text if texts else "",
                part.note,
                entities=texts[0].entities if texts else (),
                reply_to_id=None if message.private else message.message_id,
                spoken=part.text,
            )
        )
        for text in texts[1:]:
            self._queue.put_nowait(Reply(text.text, entities=text.entities))

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            Conflict: The claim was lost, or the rest was taken back.
            JuneError: The platform refuses one.
        """
        while True:
            reply = await self._queue.get()
            key = f"{self._claim.message.key}:v{self._number}"
            self._number += 1
            with self._stopwatch.busy("upload"):
                await self._courier.send(key, self._claim.message.address, reply, under=self._claim)
            self.begun = True
            self._queue.task_done()

    async def finish(self) -> None:
        """Return when all have arrived."""
        await self._queue.join()

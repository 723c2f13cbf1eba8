"""The voice messages of one answer, sent in order while the next ones are made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from essence.chat.courier import Courier
from essence.chat.events import AudioPart
from essence.chat.rendering import rendered
from essence.chat.timings import Stopwatch
from essence.dialogue import ChannelProfile, Claim, Part, Reply, RichText

GONE = ("cancelled", "given_up")
"""States of parts that nobody gets any more."""


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
        """Go on behind what an earlier attempt has written down, first with what it owes below a voice message."""
        prefix = f"{self._claim.message.key}:v"
        mine = [part for part in parts if part.key.startswith(prefix)]
        is_first_look, self._number = not self._number, max(self._number, len(mine))
        standing = [part for part in mine if part.state not in GONE]
        self.begun = any(part.state == "sent" for part in standing)
        self.spoken = "".join(part.reply.spoken for part in standing)
        self.audible = bool(standing)
        if is_first_look:
            self._put_rest(mine)

    def _put_rest(self, mine: Sequence[Part]) -> None:
        """Send the words of the last voice message that don't fit below it, as far as they were not written down."""
        voices = [place for place, part in enumerate(mine) if part.reply.voice is not None]
        if not voices:
            return
        last = mine[voices[-1]]
        if last.reply.text and last.state not in GONE:
            self._put_texts(self._captions(last.reply.spoken)[len(mine) - voices[-1] :])

    def put(self, part: AudioPart, *, captioned: bool) -> None:
        """Send this next. `captioned`: with its words below it, as far as they fit."""
        self.audible = True
        texts = self._captions(part.text) if captioned else []
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
        self._put_texts(texts[1:])

    def _captions(self, words: str) -> list[RichText]:
        """What stands below a voice message, then what follows it."""
        return rendered(words, self._profile, limit=self._profile.caption_units)

    def _put_texts(self, texts: Sequence[RichText]) -> None:
        for text in texts:
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

"""An answer's text while it grows: one message for each rendered part, changed at the platform's pace.

What stands there while the model writes is a preview: a change that fails or comes too fast is left out, for the next
one holds all of it. The last change is not: `finish` returns when the whole text stands there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from essence import observe
from essence.chat.courier import Courier
from essence.chat.rendering import rendered
from essence.chat.rendering.repeats import marked
from essence.chat.timings import Stopwatch
from essence.dialogue import Claim, Part, Reply, RichText
from essence.errors import NotFound, RateLimited, TooSlow, Unreachable
from essence.ports import Channel

FIRST_LOOK_S = 0.7
"""A text that is complete within this comes as one message that is never changed."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
ABOVE = RichText("⬆️")
"""What stands in a message that the final text has no use for."""


@dataclass(slots=True)
class _Shown:
    """One message on the platform."""

    message_id: str
    """Empty where it is assumed to be there."""
    text: RichText | None
    """None: what stands there is not known, since another process may have changed it."""
    doubtful: bool

    @property
    def is_fixed(self) -> bool:
        """Whether nothing can be put in its place."""
        return not self.message_id


class LiveText:
    """The text of one answer. `show` and `finish` say what should stand there; `run` brings it there."""

    def __init__(self, claim: Claim, courier: Courier, channel: Channel, stopwatch: Stopwatch) -> None:
        self._claim, self._courier, self._channel, self._stopwatch = claim, courier, channel, stopwatch
        self._messages: list[_Shown] = []
        self._number = 0
        self._sends = False
        self._failures = 0
        self._wanted, self._complete = "", False
        self._news, self._done = asyncio.Event(), asyncio.Event()
        self._next_change_at = 0.0

    @property
    def begun(self) -> bool:
        """Whether anything of it stands there."""
        return bool(self._messages)

    @property
    def asked(self) -> bool:
        """Whether anything of it stands there or may be on its way."""
        return self.begun or self._sends

    def take_up(self, parts: Sequence[Part]) -> None:
        """Go on with the messages that were sent, by an earlier attempt too, and behind what was taken back."""
        mine = [part for part in parts if part.key.startswith(f"{self._claim.message.key}:t")]
        self._number = sum(part.state in ("sent", "cancelled", "given_up") for part in mine)
        sent = [part for part in mine if part.receipt is not None]
        self._messages += [_shown(part) for part in sent[len(self._messages) :]]

    def show(self, markdown: str) -> None:
        """Let this stand there, as far as the pace allows; nothing takes the place of a text that is complete."""
        if not self._complete:
            self._wanted = markdown
            self._news.set()

    async def finish(self, markdown: str) -> None:
        """Return when exactly this stands there. `run` ends with it, and has to run again where it has ended.

        Raises:
            JuneError: From `run`, which whoever holds both in a task group hears.
        """
        self._wanted, self._complete = markdown, True
        self._done.clear()
        self._news.set()
        await self._done.wait()

    async def run(self) -> None:
        """Bring it there until it is finished.

        Raises:
            Conflict: The claim was lost.
            NotAllowed, NotFound, InvalidInput: The platform refuses the text.
        """
        while not self._done.is_set():
            await self._news.wait()
            await self._wait_for_the_pace()
            self._news.clear()
            complete = self._complete
            try:
                await self._bring(complete)
            except RateLimited as error:
                await self._later(error.retry_after_s, complete=complete)
            except (Unreachable, TooSlow) as error:
                observe.logger().warning("text_not_changed", code=error.code, error=str(error))
                await self._later(self._pause_s(), complete=complete)
            else:
                if complete:
                    self._done.set()

    async def _wait_for_the_pace(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._messages and not self._complete:
            self._next_change_at = max(self._next_change_at, loop.time() + FIRST_LOOK_S)
        while not self._complete and (left_s := self._next_change_at - loop.time()) > 0:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left_s)
            except TimeoutError:
                return

    async def _later(self, seconds: float, *, complete: bool) -> None:
        """Try again in a while; a preview with whatever is wanted by then."""
        self._next_change_at = asyncio.get_running_loop().time() + seconds
        self._news.set()
        if complete:
            await asyncio.sleep(seconds)

    def _pause_s(self) -> float:
        self._failures += 1
        return min(FIRST_PAUSE_S * 2.0 ** min(self._failures, 10), LONGEST_PAUSE_S)

    async def _bring(self, complete: bool) -> None:  # noqa: FBT001
        place = 0
        for text in rendered(self._wanted, self._channel.profile, unfinished=not complete):
            place = await self._put(place, text)
        for rest in range(place, len(self._messages) if complete else 0):
            if not self._messages[rest].is_fixed:
                await self._change(rest, ABOVE)

    async def _put(self, place: int, text: RichText) -> int:
        """Bring a text to the first message from this one on that can have it; returns the number of the next."""
        if place == len(self._messages):
            await self._send(place, text)
        shown = self._messages[place]
        if shown.is_fixed and shown.text != text:
            return await self._put(place + 1, text)
        await self._change(place, text)
        return place + 1

    async def _send(self, number: int, text: RichText) -> None:
        message = self._claim.message
        reply_to = message.message_id if number == 0 and not message.private else None
        reply = Reply(text.text, entities=text.entities, reply_to_id=reply_to)
        self._sends = True
        with self._stopwatch.busy("upload"):
            part = await self._courier.send(f"{message.key}:t{self._number}", message.address, reply, under=self._claim)
        self._number += 1
        self._messages.append(_shown(part))
        # It may have been kept with an earlier text, by a process that died.
        self._messages[-1].text = RichText(part.reply.text, part.reply.entities)
        self._changed()

    async def _change(self, number: int, text: RichText) -> None:
        shown, message = self._messages[number], self._claim.message
        if shown.text == text:
            return
        sent = marked(text, self._channel.profile.text_units) if shown.doubtful else text
        try:
            with self._stopwatch.busy("upload"):
                await self._channel.edit(message.address, shown.message_id, Reply(sent.text, entities=sent.entities))
        except NotFound:  # somebody deleted it: they don't want it back
            observe.logger().info("text_gone", key=message.key)
        shown.text = text
        self._changed()

    def _changed(self) -> None:
        self._failures = 0
        profile = self._channel.profile
        every_s = profile.edit_every_s if self._claim.message.private else profile.group_edit_every_s
        self._next_change_at = asyncio.get_running_loop().time() + every_s


def _shown(part: Part) -> _Shown:
    assert part.receipt is not None
    text = RichText(part.reply.text, part.reply.entities) if part.receipt.assumed else None
    return _Shown(part.receipt.message_id, text, doubtful=part.doubtful)

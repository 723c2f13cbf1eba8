"""One message and its answer: heard, thought about, shown while it grows, spoken, kept.

What has reached the person is written down as it goes, so another worker takes an answer up where a dead one left it:
a text is changed into the new one, a voice message that was sent stands, and the answer goes on behind its words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from essence import observe
from essence.chat.events import AudioPart, Event, VoiceFailed, Written
from essence.chat.hearing import Hearing
from essence.chat.house import House
from essence.chat.language import LanguageState, language_name
from essence.chat.live_text import ABOVE, LiveText
from essence.chat.minutes import Minutes, with_context
from essence.chat.patience import reachable_for
from essence.chat.reasoning import without_reasoning
from essence.chat.rendering import rendered
from essence.chat.timings import Stopwatch
from essence.chat.voices import Voices
from essence.dialogue import AnswerForm, Claim, Outcome, Part, Preferences, Reply, TextDelta, Transcript, Turn
from essence.errors import EmptyAnswer, JuneError
from essence.work import Request

if TYPE_CHECKING:  # what is behind it loads after the first message is taken
    from essence.chat.pipeline import Pipeline

SIGN_AFTER_S = 0.25
"""An answer that is there within this needs no sign that it is coming."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
STOPPED = " …"
"""Ends a text that was broken off."""
BELOW = "⬇️"
"""What becomes of "still working on it" where the answer is spoken alone, or is the agent's."""
NO_SPEECH = "I heard no speech in your message."
GO_ON = "Your answer was broken off there. Go on exactly where it stopped, and repeat nothing of it."


class Exchange:
    """Answers one claimed message."""

    def __init__(self, house: House, claim: Claim) -> None:
        self._house, self._claim, self._message = house, claim, claim.message
        self._stopwatch = Stopwatch(waited_s=max(0.0, (datetime.now(UTC) - claim.received_at).total_seconds()))
        self._live = LiveText(claim, house.courier, house.channel, self._stopwatch)
        self._voices = Voices(claim, house.courier, house.channel.profile, self._stopwatch)
        self._preferences = Preferences()
        self._text = ""
        self._tells_text = False
        self._written = self._made = self._delivered = self._is_slow = self._is_agents = False
        self._heard_of_all = ""
        self._no_voice: JuneError | None = None
        self._outcome: Outcome = "answered"
        languages = LanguageState.from_record(_record(claim).get("language", {}))
        self._minutes = Minutes(house.store.conversations, claim.message)
        self._hearing = Hearing(house, claim.message, self._minutes, self._stopwatch, languages, self._hears)

    @property
    def begun(self) -> bool:
        """Whether the person has seen or heard anything of the answer, as far as June knows."""
        return self._live.begun or self._voices.begun

    @property
    def under_way(self) -> bool:
        """Whether the person has got something of the answer, and more is to come: what a newer message breaks off."""
        return self.begun and not self._delivered

    @property
    def made(self) -> bool:
        """Whether nothing of it is left to be done but to bring it to the platform."""
        return self._made

    @property
    def delivered(self) -> bool:
        """Whether the person has all of it."""
        return self._delivered

    async def answer(self) -> None:
        """Bring the message to its end.

        Raises:
            Conflict: The claim was lost; another worker goes on.
            JuneError: It can't be answered; `fail` tells its sender.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                company = [tasks.create_task(work) for work in (self._signs(), self._live.run(), self._voices.run())]
                patience = tasks.create_task(reachable_for(self._house.settings.chat_patience_s, self._house.channel))
                await self._answer_with_patience(patience)
                for task in (*company, patience):
                    task.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        await self._house.store.inbox.finish(self._claim, self._outcome, record=self._as_record())
        observe.count_message(self._message.address.platform, self._outcome)

    async def fail(self, error: JuneError) -> None:
        """Tell the sender what went wrong, and end the message."""
        observe.logger().warning("message_failed", key=self._message.key, code=error.code, error=str(error))
        await self._take_back()
        await self._tell_failure(f"⚠️ {error}")
        await self._house.store.inbox.finish(self._claim, "failed", f"{error.code}: {error}")
        observe.count_message(self._message.address.platform, "failed")

    async def _tell_failure(self, sentence: str) -> None:
        """Below what was written of the answer, as far as the person may see that, else in a message of its own."""
        said = without_reasoning(self._text).strip()
        below = self._live.asked or (self._written and not self._voices.begun)
        if below and await self._show_last(f"{said}\n\n{sentence}" if said else sentence):
            return
        with suppress(JuneError):  # whoever blocked June can't be told
            await self._say(sentence)

    async def leave_off(self, why: str) -> None:
        """End a message whose answer is not wanted any more; what was said of it stays."""
        await self._take_back()
        text = self._text if self._written else self._text + STOPPED
        if self._live.asked and self._text.strip():
            await self._show_last(text)
        if self.begun and self._text.strip():
            await self._keep_answer(text)
        await self._house.store.inbox.finish(self._claim, "cancelled", why, record=self._as_record())
        observe.count_message(self._message.address.platform, "cancelled")

    def _as_record(self) -> str:
        """What the next message of this conversation needs, and `/why` tells."""
        kept: dict[str, Any] = {
            "timings": self._stopwatch.timings.as_record(),
            "language": self._hearing.languages.as_record(),
        }
        if self._outcome == "delegated":
            kept["agent"] = {"key": self._message.key, "arrived_at": self._claim.received_at.isoformat()}
        return json.dumps(kept)

    async def _take_back(self) -> None:
        outbox = self._house.store.outbox
        await outbox.cancel(self._message.key)
        self._live.take_up(await outbox.parts(self._message.key))

    async def _show_last(self, markdown: str) -> bool:
        """Let the text end so; whether the platform takes it, for what it doesn't take is no reason to fail twice."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._live.run())
                await self._live.finish(markdown)
        except ExceptionGroup as failed:
            observe.logger().warning("text_not_ended", key=self._message.key, why=str(failed.exceptions[0]))
            return False
        return True

    async def _say(self, markdown: str) -> None:
        """Say something that is no part of the answer's text, under a name that nothing taken back has."""
        parts = await self._house.store.outbox.parts(self._message.key)
        gone = {part.key.rpartition(":")[2].partition(".")[0] for part in parts if part.state == "cancelled"}
        name = next(name for name in map("e{}".format, count()) if name not in gone)
        for number, text in enumerate(rendered(markdown, self._house.channel.profile)):
            key = f"{self._message.key}:{name}" + (f".{number}" if number else "")
            reply = Reply(text.text, entities=text.entities, reply_to_id=self._message.message_id)
            await self._house.courier.send(key, self._message.address, reply, under=self._claim)

    async def _signs(self) -> None:
        """Show that the message was heard, then what June is doing with it, until the answer is there."""
        channel, message = self._house.channel, self._message
        await asyncio.sleep(SIGN_AFTER_S)
        await channel.sign(message, "heard")
        started_at = asyncio.get_running_loop().time()
        while True:
            await channel.sign(message, "speaking" if self._wants_voice and not self._tells_text else "writing")
            slow_at = started_at + self._house.settings.chat_slow_s
            await asyncio.sleep(min(channel.profile.typing_s, max(slow_at - asyncio.get_running_loop().time(), 1.0)))
            if not (self.begun or self._text or self._made) and asyncio.get_running_loop().time() >= slow_at:
                self._is_slow = True
                self._live.show(f"⏳ Still working on it …{self._heard_of_all}")

    def _hears(self, growing: Transcript) -> None:
        """Show how far a long note is heard, once its sender has been told that it takes a while."""
        sound, heard_s = self._message.sound, growing.segments[-1].end_s if growing.segments else 0.0
        if sound is not None and sound.duration_s and heard_s < sound.duration_s:
            self._heard_of_all = f" {heard_s / sound.duration_s:.0%} heard"
            if self._is_slow:
                self._live.show(f"⏳ Still working on it …{self._heard_of_all}")

    async def _answer_with_patience(self, patience: asyncio.Task[None]) -> None:
        """Try again while an engine can't be had, as long as nothing was said and the person may still be waiting."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await self._answer()
            except JuneError as error:
                said = self._text != self._voices.spoken  # by this attempt
                if not error.retryable or said or patience.done():
                    raise
                observe.logger().warning(
                    "exchange_tries_again", key=self._message.key, code=error.code, error=str(error)
                )
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _answer(self) -> None:
        store, key, was_told = self._house.store, self._message.key, False
        if self._claim.attempt > 1:
            parts = await store.outbox.parts(key)
            self._live.take_up(parts)
            self._voices.take_up(parts)
            was_told = any(part.state == "sent" and _is_aside(part) for part in parts)
        self._preferences = await store.conversations.preferences(
            self._message.address.platform, self._message.sender.person_id
        )
        self._tells_text = self._wants_text
        pipeline = await self._house.pipeline()
        self._stopwatch.reach("waited")
        self._is_agents = self._is_agents or await self._was_handed_over()
        again = self._claim.attempt > 1
        if not self._is_agents and (again or self._hearing.done) and (known := await self._minutes.kept("answered")):
            await self._repeat(pipeline, known)
        elif (question := await self._question(pipeline)) is None:
            self._made = True
            if self._live.asked:  # what stands there gives way
                await self._live.finish(ABOVE.text if was_told else NO_SPEECH)
            else:
                await self._say(NO_SPEECH)
        elif await self._is_handed_over(question):
            self._outcome = "delegated"
            if self._live.asked:
                await self._live.finish(BELOW)
        else:
            await self._think(pipeline, question)
        self._delivered = True
        self._stopwatch.delivered()

    async def _question(self, pipeline: Pipeline) -> str | None:
        again, chosen = self._claim.attempt > 1, self._preferences.language
        return await self._hearing.question(pipeline, chosen, spoken=self._wants_voice, again=again)

    async def _was_handed_over(self) -> bool:
        """Whether an earlier attempt may have handed it over: then the answer in the history is the agent's."""
        delegation = self._house.delegation
        return self._claim.attempt > 1 and delegation is not None and await delegation.has(self._message)

    async def _is_handed_over(self, question: str) -> bool:
        """Whether this is the agent's to answer, and the task board has it."""
        message, delegation = self._message, self._house.delegation
        words = question.removeprefix(with_context(message, ""))
        if delegation is None or not (self._is_agents or delegation.takes(message, words)):
            return False
        self._is_agents = True
        await self._house.channel.sign(message, "heard")
        request = Request(
            message.address,
            message.message_id,
            message.sender.person_id,
            words,
            name=message.sender.name,
            spoken=self._wants_voice,
            language=self._hearing.language,
            confidence=self._hearing.confidence,
            forwarded=message.forwarded,
            quoted=message.quoted,
        )
        self._is_agents = await delegation.hand_over(message, request)
        if not self._is_agents:
            return False
        await self._minutes.keep(Turn("user", question), name="asked")
        return True

    async def _think(self, pipeline: Pipeline, question: str) -> None:
        history = await self._history(question)
        already = self._voices.spoken
        self._text = already
        ask = question
        if already:
            history, ask = (*history, Turn("user", question), Turn("assistant", already)), GO_ON
        events = pipeline.answer_text(
            ask,
            history,
            language=self._hearing.language,
            voice=self._preferences.voice,
            spoken=self._wants_voice,
            stopwatch=self._stopwatch,
        )
        await self._tell(events)
        await self._end()

    async def _keep_answer(self, text: str) -> None:
        """Add the answer to the history, with its question where that is not there yet."""
        message = self._message
        asked = () if message.sound is not None else (Turn("user", with_context(message, message.text)),)
        await self._minutes.keep(*asked, Turn("assistant", text), name="answered")

    async def _repeat(self, pipeline: Pipeline, answer: str) -> None:
        """Deliver what is left of an answer that an earlier attempt had whole."""
        spoken = self._voices.spoken
        self._text, self._written = answer, True
        language = self._hearing.language_of(answer, self._preferences.language)
        if self._wants_voice and (rest := answer[len(spoken) :]).strip():
            await self._tell(pipeline.speak(rest, language=language, voice=self._preferences.voice))
        await self._end()

    async def _tell(self, events: AsyncGenerator[Event]) -> None:
        async with aclosing(events):
            async for event in events:
                await self._tell_one(event)

    async def _tell_one(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._text += text
                if self._tells_text:
                    self._live.show(self._text)
            case Written(cut):
                self._text += STOPPED if cut else ""
                self._written = True
                await self._keep_answer(self._text)
            case AudioPart():
                self._voices.put(event, captioned=not self._tells_text and self._form == "caption")
            case VoiceFailed(error):
                self._no_voice, self._tells_text = error, True
            case _:
                pass

    async def _end(self) -> None:
        """Return when the platform has all of it.

        Raises:
            EmptyAnswer: There is nothing in it to be seen or heard.
        """
        self._made = True
        if self._tells_text or not self._voices.audible:
            reason = f"\n\n_(No voice message: {self._no_voice})_" if self._no_voice is not None else ""
            if not rendered(self._text + reason, self._house.channel.profile):
                raise EmptyAnswer("There is nothing to see in the language model's answer. Ask again.")
            await self._live.finish(self._text + reason)
        elif self._live.asked:
            await self._live.finish(BELOW)
        else:
            self._live.show("")
        await self._voices.finish()

    async def _history(self, question: str) -> tuple[Turn, ...]:
        settings = self._house.settings
        turns = await self._house.store.conversations.read(
            self._message.address, turns=settings.chat_history_turns, chars=settings.chat_history_chars
        )
        if turns and turns[-1] == Turn("user", question):  # kept when it was heard
            turns = turns[:-1]
        prompt = self._house.system_prompt
        if (chosen := self._preferences.language) is not None:
            prompt += f" Answer in {language_name(chosen)}, whatever language the question is in."
        return (Turn("system", prompt), *turns)

    @property
    def _form(self) -> AnswerForm:
        form = self._preferences.answer
        if form == "auto":
            return "both" if self._message.sound is not None else "text"
        if form == "caption" and not self._house.channel.profile.caption_units:
            return "both"
        return form

    @property
    def _wants_voice(self) -> bool:
        return self._form != "text"

    @property
    def _wants_text(self) -> bool:
        return self._form in ("text", "both")


def _is_aside(part: Part) -> bool:
    """Whether it is no part of an answer's text or voice; see `Exchange._say`."""
    return part.key.rpartition(":")[2].startswith("e")


def _record(claim: Claim) -> dict[str, Any]:
    """What was kept of the conversation's last answer."""
    kept: dict[str, Any] = json.loads(claim.record) if claim.record else {}
    return kept

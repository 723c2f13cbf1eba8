"""What becomes of a message when it comes: to be answered, answered at once, set aside, or not for June."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from essence import observe
from essence.chat import slash
from essence.chat.access import Access, Standing
from essence.chat.dispatcher import Dispatcher
from essence.chat.house import House
from essence.chat.patience import with_patience
from essence.chat.quota import Quota, sentence
from essence.chat.rendering import literally, rendered
from essence.dialogue import Address, Button, Message, Outcome, Pairing, Reply
from essence.errors import InvalidInput, JuneError, NotAllowed, NotFound, StoreError
from essence.work import Choice, pressed_choice

SETTLE_S = 1.0
"""After the last message of a backlog it is announced."""
YES, NO = "backlog:yes", "backlog:no"
LET_IN, KEEP_OUT = "pair:yes:", "pair:no:"
NOT_FOR_YOU = "This is not for you."
NOTHING_ASKED = "Yes? Write or say what you want to know, or reply with my name to the message that you ask about."
_APPROVED: dict[Choice, str] = {
    "do": "Going ahead.",
    "fix": "All right, not like this. Tell me what to change.",
    "cancel": "All right, I leave it.",
}


class Intake:
    """Takes messages of one channel; `receive` returns when each is durable."""

    def __init__(self, house: House, access: Access, quota: Quota, dispatcher: Dispatcher, desk: slash.Desk) -> None:
        """`desk`: what slash commands work on."""
        self._store, self._channel, self._settings, self._notices = (
            house.store, house.channel, house.settings, house.notices
        )  # fmt: skip
        self._access, self._quota, self._dispatcher, self._desk = access, quota, dispatcher, desk
        self._parked = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(self, message: Message) -> None:
        """Keep a message, or answer it for good. Duplicates are recognised.

        Raises:
            JuneError: It could not be kept; its platform must bring it again.
        """
        try:
            await self._receive(message)
        except StoreError:
            self._spawn(self._tell_that_nothing_is_kept(message))
            raise

    async def _receive(self, message: Message) -> None:
        if message.pressed:
            await self._press(message)
        elif message.addressed:
            standing = await self._access.standing(message.sender.person_id)
            if standing == "stranger":
                await self._refuse(message)
            else:
                await self._admit(message, standing)

    async def _admit(self, message: Message, standing: Standing) -> None:
        if message.version:
            await self._amend(message, standing)
        elif slash.is_order(message):
            await self._obey(message, standing)
        elif message.sound is None and not message.text and (message.unreadable or not message.quoted):
            if message.unreadable or self._is_fresh(message):
                await self._conclude(message, "answered", _cannot_read(message))
            else:
                await self._conclude(message, "silent", "")
        elif not self._is_fresh(message):
            if await self._store.inbox.park(message):
                self._parked.set()
        elif standing == "owner" or not await self._is_too_much(message):
            await self._keep(message)
        self._quota.settle(message.key)

    def _is_fresh(self, message: Message) -> bool:
        return datetime.now(UTC) - message.sent_at <= timedelta(seconds=self._settings.chat_fresh_s)

    async def _is_too_much(self, message: Message) -> bool:
        """Whether a guest has sent more than one person may; they are told once, not once for each message."""
        if await self._store.inbox.knows(message.key):
            return True
        sound_s = message.sound.duration_s or 0.0 if message.sound is not None else 0.0
        person = f"{message.address.platform}:{message.sender.person_id}"
        refusal = await self._quota.admit(person, sound_s, key=message.key)
        if refusal is not None:
            await self._conclude(message, "refused", sentence(refusal) if refusal.tell else "")
        return refusal is not None

    async def _keep(self, message: Message) -> None:
        running = self._dispatcher.at(message.address)
        if await self._store.inbox.receive(message) and running is not None and running.exchange.under_way:
            running.stop("a newer message came")

    async def _amend(self, message: Message, standing: Standing) -> None:
        """An edit takes the place of what nobody has begun to answer; later it changes nothing that was said.

        What June has nothing of was not for her before, such as words to which her name was added: it comes now, if it
        was written lately.
        """
        amended = replace(message, version="")
        if await self._store.inbox.knows(amended.key):
            if not slash.is_order(amended) and amended.text:
                await self._store.inbox.amend(amended)
        elif self._is_fresh(amended):
            await self._admit(amended, standing)

    async def _obey(self, message: Message, standing: Standing) -> None:
        if not await self._store.inbox.knows(message.key):
            await self._conclude(message, "answered", await _said(slash.obey(self._desk, message, standing)))

    async def _refuse(self, message: Message) -> None:
        if await self._store.inbox.knows(message.key):
            return
        if not message.private:
            await self._conclude(message, "refused", "")
            if slash.is_order(message):  # a platform may be showing to all that June works on it
                await self._channel.acknowledge(message, NOT_FOR_YOU)
            return
        pairing = await self._access.invite(message.sender)
        await self._conclude(
            message,
            "refused",
            f"I only talk to people whom my owner knows. Ask them to let you in with this code: **{pairing.code}**\n\n"
            f"(They tap a button that I show them, or type `python -m essence pair {pairing.code}`.)",
        )
        for owner in self._access.owners:
            self._spawn(self._ask_owner(owner, pairing))

    async def _ask_owner(self, owner: str, pairing: Pairing) -> None:
        """Once for each request, however often they ask."""
        person = pairing.person
        known_as = literally(f"{person.name} (@{person.username})" if person.username else person.name)
        text = rendered(
            f"{known_as}, id `{person.person_id}`, wants to talk to me. Their code is **{pairing.code}**.",
            self._channel.profile,
        )[0]
        buttons = (Button("Let them in", f"{LET_IN}{pairing.code}"), Button("No", f"{KEEP_OUT}{pairing.code}"))
        to = await self._channel.direct(owner)
        key = f"{to.platform}:{to.chat_id}:pairing-{pairing.code}:0"
        await self._store.outbox.intend(key, to, Reply(text.text, entities=text.entities, buttons=buttons))

    async def _conclude(self, message: Message, outcome: Outcome, markdown: str) -> None:
        texts = rendered(markdown, self._channel.profile)
        reply = Reply(texts[0].text, entities=texts[0].entities, reply_to_id=message.message_id) if texts else None
        if await self._store.inbox.conclude(message, outcome, reply):
            observe.count_message(message.address.platform, outcome)

    async def _press(self, message: Message) -> None:
        if await self._store.inbox.knows(message.key):
            return
        if await self._access.standing(message.sender.person_id) == "stranger":
            await self._channel.acknowledge(message, NOT_FOR_YOU)
            return
        said = await _said(self._decide(message))
        await self._conclude(message, "answered", said)
        await self._channel.acknowledge(message, rendered(said, self._channel.profile)[0].text)

    async def _decide(self, message: Message) -> str:
        pressed, by = message.pressed, message.sender.person_id
        if pressed.startswith((LET_IN, KEEP_OUT)) and by not in self._access.owners:
            return "Only an owner can decide that."
        if pressed.startswith(LET_IN):
            pairing = await self._access.let_in(pressed.removeprefix(LET_IN), by)
            return f"{literally(pairing.person.name)} may talk to me now."
        if pressed.startswith(KEEP_OUT):
            return "All right, they stay out."
        if (answer := pressed_choice(pressed)) is not None:
            return await self._approve(*answer, by)
        return await self._decide_backlog(message)

    async def _approve(self, choice: Choice, approval_id: str, by: str) -> str:
        decided = await self._store.approvals.decide(approval_id, by, choice)
        return _APPROVED[decided.choice or "cancel"]

    async def _decide_backlog(self, message: Message) -> str:
        match message.pressed:
            case "backlog:yes":
                count = await self._store.inbox.unpark(message.address)
                return f"I'll go through them: {count}." if count else "There is nothing left to go through."
            case "backlog:no":
                await self._store.inbox.discard(message.address)
                return "All right, I leave them."
            case _:
                return "This button does nothing any more."

    async def announce_backlog(self) -> None:
        """Tell of what came while June was away, one message for each conversation; until cancelled."""
        platform = self._channel.profile.platform
        before = datetime.now(UTC) - timedelta(seconds=self._settings.chat_fresh_s)
        if await with_patience(lambda: self._store.inbox.park_unbegun(platform, before)):
            self._parked.set()
        self._parked.set()
        while True:
            await self._parked.wait()
            self._parked.clear()
            await asyncio.sleep(SETTLE_S)
            if self._parked.is_set():
                continue
            try:
                for waiting in await self._store.inbox.parked(platform):
                    await self._announce(waiting.address, waiting.messages)
            except JuneError as error:
                observe.logger().error("backlog_not_announced", code=error.code, error=str(error))
                self._parked.set()

    async def _announce(self, address: Address, count: int) -> None:
        messages = "a message" if count == 1 else f"{count} messages"
        them = "it" if count == 1 else "them"
        text = f"You sent {messages} while I was away. Shall I go through {them}?"
        reply = Reply(text, buttons=(Button("Yes, please", YES), Button("No, leave them", NO)))
        # No two are alike: that nothing is announced twice is up to the store, which knows what was told.
        key = f"{address.platform}:{address.chat_id}:backlog-{uuid4().hex}:0"
        await self._store.inbox.announce(address, key, reply)

    async def _tell_that_nothing_is_kept(self, message: Message) -> None:
        if message.addressed and await self._access.standing(message.sender.person_id) != "stranger":
            await self._notices.nothing_is_kept(message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            try:
                await work
            except JuneError as error:
                observe.logger().warning("notice_not_sent", code=error.code, error=str(error))

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _cannot_read(message: Message) -> str:
    """What to say of a message in which there is no question."""
    if not message.unreadable:
        return NOTHING_ASKED
    return f"I can't read {literally(message.unreadable)} yet. Send me text or a voice message."


async def _said(answer: Awaitable[str]) -> str:
    """What to say of what somebody ordered. What can't be done is said: brought again, it would fail again."""
    try:
        return await answer
    except (NotFound, NotAllowed, InvalidInput) as error:
        return str(error)

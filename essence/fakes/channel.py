"""A chat platform in memory, for tests and demonstrations without a server: people on one side, June on the other.

channel = MemoryChannel()
ann = channel.person("Ann")
await ann.says("hi")
print((await ann.receives()).text)
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Literal, TypeVar

from essence.dialogue import Address, ChannelProfile, ChannelState, Message, Person, Receipt, Reply, Sign, Sound
from essence.errors import InvalidAudio, InvalidInput, JuneError, NotAllowed, NotFound, TooSlow
from essence.ports import Receive

Deed = Literal["send", "edit", "sign", "acknowledge", "fetch", "direct"]
PATIENCE_S = 10.0
"""How long a person waits for June, if nothing else is said."""
AGAIN_S = 0.01
"""After so long, what was not taken is handed over again."""
PROFILE = ChannelProfile(
    platform="grpc",
    markup="plain",
    text_units=4096,
    caption_units=1024,
    edit_every_s=0.0,
    group_edit_every_s=0.0,
    typing_s=5.0,
    knows_repeats=True,
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of June's as people see it now."""

    message_id: str
    at: Address
    reply: Reply
    versions: tuple[str, ...]
    """Its texts so far, the last one included."""

    @property
    def text(self) -> str:
        return self.reply.text


@dataclass(frozen=True, slots=True)
class _Failure:
    error: JuneError
    done: bool
    """It is done all the same."""


class MemoryChannel:
    """A player of the role `Channel`. It recognises a repeat by its key, and keeps everything in order."""

    def __init__(self, profile: ChannelProfile = PROFILE) -> None:
        """`profile`: of the platform that it stands for."""
        self.profile = profile
        self.signs: list[tuple[str, Sign]] = []
        """Ids of messages and what was shown of them."""
        self.notices: list[tuple[str, str]] = []
        """Ids of taps and what those who tapped were told."""
        self._ids = count(1)
        self._people: dict[str, Talker] = {}
        self._unheard: deque[Message] = deque()
        self._sent: dict[str, Sent] = {}
        self._keys: dict[str, Receipt] = {}
        self._files: dict[str, bytes] = {}
        self._failures: defaultdict[Deed, deque[_Failure]] = defaultdict(deque)
        self._troubles: Counter[str] = Counter()
        self._connected, self._refuses = False, False
        self._news = asyncio.Event()

    # For people

    def person(self, name: str) -> Talker:
        """Somebody new, with a private conversation of their own."""
        person = Person(self.new_id(), name, name.lower())
        self._people[person.person_id] = Talker(self, person, Address(self.profile.platform, self.new_id()))
        return self._people[person.person_id]

    def group(self) -> Address:
        """A new room that everybody is in."""
        return Address(self.profile.platform, self.new_id())

    def thread(self, group: Address) -> Address:
        """A new thread in a room."""
        return replace(group, thread_id=self.new_id())

    def shown(self, at: Address) -> list[Sent]:
        """June's messages there, the oldest first."""
        return [sent for sent in self._sent.values() if sent.at == at]

    async def until(self, found: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
        """The first value that is neither None nor False; asked again after everything that happens.

        Raises:
            TooSlow: It did not come in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (value := found()) is None or value is False:
                    await self._news.wait()
        except TimeoutError as error:
            raise TooSlow(f"Waited {timeout_s:g} s for June in vain.") from error
        return value

    def fails(self, deed: Deed, error: JuneError, *, done: bool = False) -> None:
        """Let the next such deed fail; it is `done` all the same, or not."""
        self._failures[deed].append(_Failure(error, done))

    def refuses_token(self) -> None:
        """June may not listen any more."""
        self._refuses = True
        self._tell()

    def hears(self, message: Message) -> None:
        """Take what a person sent; it waits for June if she does not listen."""
        self._unheard.append(message)
        self._tell()

    def keep_file(self, data: bytes) -> str:
        """By which reference it can be fetched."""
        reference = f"file-{self.new_id()}"
        self._files[reference] = data
        return reference

    def new_id(self) -> str:
        """Unique on this platform."""
        return str(next(self._ids))

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    # For June

    @property
    def state(self) -> ChannelState:
        account = "@june" if self._connected else ""
        return ChannelState(self._connected, account, tuple(self._troubles.most_common()))

    async def listen(self, receive: Receive) -> None:
        try:
            while True:
                self._connected = not self._refuses
                await self.until(lambda: bool(self._unheard) or self._refuses, float("inf"))
                if self._refuses:
                    raise NotAllowed("The token is refused.")
                await self._hand_over(receive, self._unheard[0])
                self._unheard.popleft()
        finally:
            self._connected = False

    async def _hand_over(self, receive: Receive, message: Message) -> None:
        while True:
            try:
                return await receive(message)
            except JuneError:
                self._troubles["message not taken"] += 1
            await asyncio.sleep(AGAIN_S)

    async def send(self, to: Address, reply: Reply, *, key: str, again: bool = False) -> Receipt:
        self._check(reply)
        failure = self._failure("send")
        if failure is None or failure.done:
            self._show(to, reply, key)
        if failure is not None:
            raise failure.error
        return self._keys[key]

    def _check(self, reply: Reply) -> None:
        if not reply.text.strip() and reply.voice is None:
            raise InvalidInput("There is nothing to send.")
        most = self.profile.text_units if reply.voice is None else self.profile.caption_units
        if len(reply.text.encode("utf-16-le")) // 2 > most:
            raise InvalidInput(f"A text takes {most} UTF-16 units here. Send less.")

    def _show(self, to: Address, reply: Reply, key: str) -> None:
        if key in self._keys:
            return
        sent = Sent(self.new_id(), to, reply, (reply.text,))
        self._sent[sent.message_id] = sent
        self._keys[key] = Receipt(sent.message_id, datetime.now(UTC))
        self._tell()

    async def edit(self, to: Address, message_id: str, reply: Reply) -> None:
        self._check(reply)
        failure = self._failure("edit")
        if failure is None or failure.done:
            self._change(to, message_id, reply)
        if failure is not None:
            raise failure.error

    def _change(self, to: Address, message_id: str, reply: Reply) -> None:
        sent = self._sent.get(message_id)
        if sent is None or sent.at != to:
            raise NotFound("The message is gone.")
        shown = replace(sent.reply, text=reply.text, entities=reply.entities, buttons=reply.buttons)
        versions = sent.versions if reply.text == sent.text else (*sent.versions, reply.text)
        self._sent[message_id] = replace(sent, reply=shown, versions=versions)
        self._tell()

    async def sign(self, message: Message, sign: Sign) -> None:
        if self._failure("sign") is None:
            self.signs.append((message.message_id, sign))
            self._tell()

    async def acknowledge(self, message: Message, text: str) -> None:
        if self._failure("acknowledge") is None:
            self.notices.append((message.message_id, text))
            self._tell()

    async def fetch(self, sound: Sound, *, max_bytes: int) -> bytes:
        if (failure := self._failure("fetch")) is not None:
            raise failure.error
        data = self._files.get(sound.reference)
        if data is None:
            raise NotFound("The file is gone; send it again.")
        if len(data) > max_bytes:
            raise InvalidAudio(f"The file is larger than {max_bytes} bytes. Send a shorter one.")
        return data

    async def direct(self, person_id: str) -> Address:
        if (failure := self._failure("direct")) is not None:
            raise failure.error
        if person_id not in self._people:
            raise NotFound("There is no such person.")
        return self._people[person_id].home

    def _failure(self, deed: Deed) -> _Failure | None:
        """The failure that this deed meets, counted."""
        if not self._failures[deed]:
            return None
        failure = self._failures[deed].popleft()
        self._troubles[failure.error.code] += 1
        return failure


class Talker:
    """One person. Places are private unless another is named."""

    def __init__(self, channel: MemoryChannel, person: Person, home: Address) -> None:
        self._channel, self.person, self.home = channel, person, home
        self._received: Counter[Address] = Counter()

    async def says(
        self, text: str, at: Address | None = None, *, addressed: bool = True, reply_to: Sent | None = None
    ) -> Message:
        """Write something. `addressed`: in a group, whether it is meant for June."""
        message = replace(self._message(at), text=text, reply_to_id=reply_to.message_id if reply_to else None)
        return self._send(replace(message, addressed=message.private or addressed))

    async def sends_voice(self, data: bytes, duration_s: float, at: Address | None = None) -> Message:
        """Send a voice message: Ogg with Opus."""
        sound = Sound(self._channel.keep_file(data), "audio/ogg", duration_s, len(data))
        return self._send(replace(self._message(at), sound=sound))

    async def edits(self, message: Message, text: str) -> Message:
        """Change what one wrote."""
        return self._send(replace(message, text=text, version=self._channel.new_id()))

    async def presses(self, sent: Sent, label: str) -> Message:
        """Tap a button of June's.

        Raises:
            NotFound: There is none of this label any more.
        """
        for now in self._channel.shown(sent.at):
            for button in now.reply.buttons:
                if (now.message_id, button.label) == (sent.message_id, label):
                    tap = replace(self._message(sent.at), pressed=button.data, reply_to_id=now.message_id)
                    return self._send(tap)
        raise NotFound(f"There is no button {label!r}.")

    async def receives(self, at: Address | None = None, timeout_s: float = PATIENCE_S) -> Sent:
        """The next message of June's there.

        Raises:
            TooSlow: None came.
        """
        at = at or self.home
        position = self._received[at]
        await self._channel.until(lambda: len(self._channel.shown(at)) > position, timeout_s)
        self._received[at] += 1
        return self._channel.shown(at)[position]

    def _message(self, at: Address | None) -> Message:
        at = at or self.home
        message_id = self._channel.new_id()
        return Message(at, message_id, self.person, datetime.now(UTC), private=at == self.home)

    def _send(self, message: Message) -> Message:
        self._channel.hears(message)
        return message

"""A Telegram for one bot, on a real socket, with people in it who do what a test or a person wants.

async with TelegramServer() as telegram:
    ...  # a bot is started with telegram.token, telegram.base_url and telegram.base_file_url
    ann = telegram.user("Ann")
    await ann.sends_voice(ogg)
    answer = await ann.receives()
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from essence.fakes.telegram.faults import Fault
from essence.fakes.telegram.front import Front
from essence.fakes.telegram.people import Group, Place, User
from essence.fakes.telegram.platform import Pace, Platform
from essence.fakes.telegram.wire import Call, Json
from essence.fakes.telegram.world import Chat, Person

FIRST_USER_ID = 10_000_001
FIRST_GROUP_ID = -1_001_000_000_001
BOT = Person(7_000_000_001, "June", "june_fake_bot", is_bot=True)
TOKEN = f"{BOT.user_id}:AAFakeTelegramTokenThatOpensNothing0000"


class TelegramServer:
    """An async context manager that listens on a loopback port, from its construction on."""

    def __init__(
        self, *, port: int = 0, privacy: bool = False, pace: Pace | None = None, webhook_retry_s: float = 0.05
    ) -> None:
        """What to make harder than it need be.

        Args:
            port: 0 takes a free one.
            privacy: The bot sees only those messages of groups that are meant for it. Real bots start so.
            pace: Beyond it, messages get 429; without one nothing is limited.
            webhook_retry_s: Between two attempts at an update that the bot's webhook did not take.
        """
        self._platform = Platform(TOKEN, BOT, privacy, pace, webhook_retry_s)
        self._front = Front(self._platform, port)

    async def __aenter__(self) -> Self:
        await self._front.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._platform.webhook is not None:
            await self._platform.webhook.close()
        await self._front.stop()

    @property
    def url(self) -> str:
        """Where the server is; what stands at api.telegram.org otherwise."""
        return f"http://127.0.0.1:{self._front.port}"

    @property
    def base_url(self) -> str:
        """As python-telegram-bot's `base_url` takes it: the token follows."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """As python-telegram-bot's `base_file_url` takes it."""
        return f"{self.url}/file/bot"

    @property
    def token(self) -> str:
        """The one that is accepted."""
        return self._platform.token

    @property
    def bot(self) -> Person:
        """The bot whose token it is."""
        return self._platform.bot

    @property
    def calls(self) -> list[Call]:
        """Every request, in the order of arrival; downloads are called `download`."""
        return self._front.calls

    def calls_of(self, *names: str) -> list[Call]:
        """The requests of some methods."""
        return [call for call in self.calls if call.method in names]

    @property
    def unconfirmed(self) -> int:
        """How many updates the bot has not confirmed."""
        return len(self._platform.updates)

    @property
    def commands(self) -> list[Json]:
        """What the bot's menu shows to everyone."""
        return next((list(shown) for who, shown in self._platform.commands.items() if "default" in who), [])

    @property
    def webhook_error(self) -> str:
        """Why the bot's webhook last failed to take an update; empty if it did not fail."""
        return "" if self._platform.webhook is None else self._platform.webhook.last_error_message

    def user(self, first_name: str, *, username: str = "", language_code: str = "en", user_id: int = 0) -> User:
        """A person who has opened the chat with the bot; a new one each time."""
        number = self._platform.number()
        person = Person(
            user_id or FIRST_USER_ID + number, first_name, username or f"{first_name.lower()}_{number}", language_code
        )
        chat = Chat(person.user_id, "private", first_name, person.username, people={person.user_id: person})
        self._platform.chats[chat.chat_id] = chat
        return User(self._platform, person, Place(self._platform, chat))

    def group(self, title: str, *members: User, forum: bool = False) -> Group:
        """A supergroup of these people and the bot; the first of them made it."""
        people = {user.person.user_id: user.person for user in members}
        chat = Chat(FIRST_GROUP_ID - self._platform.number(), "supergroup", title, is_forum=forum, people=people)
        chat.creator_id = next(iter(people), 0)
        self._platform.chats[chat.chat_id] = chat
        return Group(self._platform, chat)

    def fails(
        self,
        method: str,
        fault: Fault,
        *,
        times: int | None = 1,
        skip: int = 0,
        where: Callable[[Call], bool] | None = None,
    ) -> None:
        """Let calls fail.

        Args:
            method: `*` means all, `download` the fetching of files.
            fault: What happens to the call.
            times: How many calls; None means all, until `heals`.
            skip: How many calls go well before.
            where: Only calls for which this is true count.
        """
        self._front.faults.plan(method, fault, times=times, skip=skip, where=where)

    def heals(self, method: str | None = None) -> None:
        """End the faults of a method, or all."""
        self._front.faults.clear(method)

    def cuts_connections(self) -> None:
        """Reset every connection, long polls too."""
        self._front.cut_all()

    def repeats_next_update(self, times: int = 1) -> None:
        """Tell the next update again after the bot has confirmed it."""
        self._platform.updates.repeat_next(times)

    def reorders_updates(self) -> AbstractContextManager[None]:
        """Within the block updates are held back; at its end they are told, the last first."""
        return self._platform.updates.reversed()

    async def called(self, method: str, *, times: int = 1, done: bool = True, timeout_s: float = 10.0) -> Call:
        """The method's call number `times`, as soon as it has had its effect or was refused.

        Args:
            method: As the Bot API calls it, or `download`.
            times: 1 is the first since the server was made.
            done: False waits for no more than the call's arrival.
            timeout_s: How long to wait.

        Raises:
            TimeoutError: It did not come in time.
        """
        return await self._front.called(method, times=times, done=done, timeout_s=timeout_s)

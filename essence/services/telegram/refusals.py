"""What can go wrong between June and the Bot API, and which of June's errors it is.

`Refusal` and `Lost` are python-telegram-bot's errors, so that its own layers let them through; whoever called
`Api.ask` gets nothing else. Their words never hold an address, since addresses of the Bot API hold the token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
from telegram.error import TelegramError

from essence.errors import (
    Conflict,
    InvalidInput,
    JuneError,
    NotAllowed,
    NotFound,
    RateLimited,
    TooSlow,
    Uncertain,
    Unreachable,
)

HOW_TO_START = (
    "talk to @BotFather on Telegram, send /newbot (or /token for a bot that you have) and set TELEGRAM_TOKEN."
)
REFUSED = f"Telegram refuses June's token. For a good one, {HOW_TO_START} Look at TELEGRAM_API_URL, too."

# The wording is TDLib's and the Bot API server's; there are no codes finer than 400.
_GONE = (
    "not found",
    "can't be edited",
    "message_id_invalid",
    "topic_deleted",
    "invalid file_id",
    "wrong file_id",
    "wrong file identifier",
)
_NO_SUCH_CHAT = ("chat not found", "chat_id_invalid", "peer_id_invalid")
_FORBIDDEN = (
    "not enough rights",
    "have no rights",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_admin_required",
    "chat_restricted",
    "topic_closed",
)
_NO_VOICE = ("voice_messages_forbidden", "send_voices_forbidden", "send voice", "receiving of voice")
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""Failures that come before the first byte of a request has left."""


class Refusal(TelegramError):
    """The Bot API said no, or a proxy on the way did."""

    def __init__(self, status: int, why: str, *, retry_after_s: float = 1.0, moved_to: str = "") -> None:
        """`moved_to`: the supergroup that a group has become."""
        super().__init__(why)
        self.status, self.why, self.retry_after_s, self.moved_to = status, why, retry_after_s, moved_to

    @property
    def name(self) -> str:
        """How it is counted."""
        return str(self.status)

    @property
    def of_token(self) -> bool:
        """The token is wrong: 401; or it has not even the form of one, and so no address knows it: a bare 404."""
        return self.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)

    @property
    def of_entities(self) -> bool:
        """The styles of a text are wrong, not its words."""
        return self.status == HTTPStatus.BAD_REQUEST and ("entit" in self.why.lower())

    @property
    def of_voice(self) -> bool:
        """Voice messages are not wanted, by this person or in this group."""
        return self._says(*_NO_VOICE)

    @property
    def of_sameness(self) -> bool:
        """An edit would change nothing."""
        return self._says("message is not modified")

    @property
    def of_missing_text(self) -> bool:
        """A message without a text was to get another text."""
        return self._says("there is no text in the message")

    @property
    def of_size(self) -> bool:
        """A file is larger than bots may have."""
        return self._says("file is too big")

    @property
    def of_reaction(self) -> bool:
        """June may not react here, or not with this emoji; no later try will help."""
        return self._says("reaction", "not enough rights", "have no rights")

    def _says(self, *words: str) -> bool:
        why = self.why.lower()
        return any(word in why for word in words)

    def as_june(self) -> JuneError:
        """The error that callers get."""
        if self.of_token:
            return NotAllowed(REFUSED)
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unreachable(f"Telegram is out of order ({self.status}). Try again in a moment.")
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited(
                f"Telegram takes no more for now. Try again in {self.retry_after_s:g} s.",
                retry_after_s=self.retry_after_s,
            )
        if self.status == HTTPStatus.CONFLICT:
            return Conflict(f"Another process uses this bot ({self.why}). Stop it, or give it a token of its own.")
        if self.status == HTTPStatus.FORBIDDEN or self._says(*_FORBIDDEN):
            return NotAllowed(f"June may not write there ({self.why}). Let her in again, then write to her.")
        if self._says(*_NO_SUCH_CHAT):
            return NotFound(
                f"Telegram knows no such chat of June's bot ({self.why}). Either the id is wrong, or this person has "
                "never opened a chat with the bot: they must press Start there first. A group must let the bot in."
            )
        if self._says(*_GONE):
            return NotFound(f"Telegram does not find it ({self.why}). It may have been deleted.")
        return InvalidInput(f"Telegram refuses this ({self.why}). Change it, since another try won't help.")


class Lost(TelegramError):
    """No answer came."""

    def __init__(self, *, sent: bool, slow: bool) -> None:
        """What is known of the request.

        Args:
            sent: It may have left, and so may have been done.
            slow: A deadline passed; else the connection broke, or what came was no answer of the Bot API.
        """
        super().__init__("no answer")
        self.sent, self.slow = sent, slow

    @property
    def name(self) -> str:
        """How it is counted."""
        return TooSlow.code if self.slow else Unreachable.code

    def as_june(self, *, repeatable: bool) -> JuneError:
        """The error that callers get; `repeatable`: doing it twice does no harm, so it never matters whether it was."""
        if self.sent and not repeatable:
            return Uncertain("Telegram's answer was lost: the message may have arrived, or not. Look before a retry.")
        if self.slow and not self.sent:
            return TooSlow("Telegram could not be reached in time. Look at the network and try again.")
        return Unreachable("Telegram can't be reached. Look at the network and TELEGRAM_API_URL and try again.")


def refusal(status: int, reason: str, body: bytes) -> Refusal:
    """What an answer means whose status is no success; `reason`: the words of HTTP beside it."""
    try:
        answer = json.loads(body)
        why, more = str(answer["description"]), answer.get("parameters") or {}
        retry_after_s, moved_to = float(more.get("retry_after", 1)), str(more.get("migrate_to_chat_id", ""))
    except (ValueError, LookupError, TypeError, AttributeError):  # a proxy's page
        return Refusal(status, reason)
    return Refusal(status, why, retry_after_s=retry_after_s, moved_to=moved_to)


def lost(error: Exception) -> Lost:
    """What python-telegram-bot's error for a failed connection means; httpx's own stands behind it."""
    cause = error.__cause__ if isinstance(error.__cause__, httpx.HTTPError | httpx.InvalidURL) else error
    return Lost(sent=not isinstance(cause, _NOT_SENT), slow=isinstance(cause, httpx.TimeoutException))


@contextmanager
def as_june(*, repeatable: bool = True) -> Iterator[None]:
    """Within it, what `Api.ask` raises becomes one of June's errors."""
    try:
        yield
    except Refusal as refusal:
        raise refusal.as_june() from refusal
    except Lost as error:
        raise error.as_june(repeatable=repeatable) from error

"""A Telegram Bot API server on a real socket, with people who talk to the bot, and with faults on command."""

from essence.fakes.telegram.faults import Fault, Hang, LostAnswer, Refusal, Reset, ServerError, Slow, TooManyRequests
from essence.fakes.telegram.people import Group, Place, User
from essence.fakes.telegram.platform import Pace, Press, Window
from essence.fakes.telegram.server import TelegramServer
from essence.fakes.telegram.wire import Call
from essence.fakes.telegram.world import Message

__all__ = [
    "Call",
    "Fault",
    "Group",
    "Hang",
    "LostAnswer",
    "Message",
    "Pace",
    "Place",
    "Press",
    "Refusal",
    "Reset",
    "ServerError",
    "Slow",
    "TelegramServer",
    "TooManyRequests",
    "User",
    "Window",
]

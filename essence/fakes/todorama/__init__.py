"""A todorama on a real socket, with that service's quirks, people's other agents, and faults on command."""

from essence.fakes.todorama.faults import Fault, Hang, LostAnswer, Reset, ServerError, Slow, TooManyRequests
from essence.fakes.todorama.limit import Limit
from essence.fakes.todorama.server import Call, TodoramaServer

__all__ = [
    "Call",
    "Fault",
    "Hang",
    "Limit",
    "LostAnswer",
    "Reset",
    "ServerError",
    "Slow",
    "TodoramaServer",
    "TooManyRequests",
]

"""What both faces share: from a tool's name and JSON to an answer, whatever goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import ValidationError

from essence import observe
from essence.errors import ConfigError, RateLimited, StoreError, TooSlow, Unreachable
from essence.tasks.arguments import Agent
from essence.tasks.board import Board
from essence.tasks.keys import Keys, is_local_page, speaker
from essence.tasks.records import Answer
from essence.tasks.refusals import Refusal
from essence.tasks.registry import TOOLS

STATUS = {
    "invalid_input": 422,
    "not_found": 404,
    "unknown_tool": 404,
    "conflict": 409,
    "stale_lease": 409,
    "not_owner": 403,
    "not_allowed": 403,
    "unauthorized": 401,
    "too_large": 413,
    "rate_limited": 429,
    "store_error": 503,
    "unreachable": 503,
    "too_slow": 503,
}
"""HTTP's name for each code."""
ANYBODY = "unknown"
"""Who did what nobody put a name to."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    key_agent: str | None
    """Whose key was shown; None where none is needed."""
    origin: str
    """What a rate is counted for."""


class Front:
    """Lets callers in, and lets the board answer them."""

    def __init__(self, board: Board, keys: Keys, rate_limit: str) -> None:
        """`rate_limit`: as `6000/minute`, of each caller; empty: none.

        Raises:
            ConfigError: It can't be read.
        """
        self._board = board
        self._keys = keys
        self._rate = _rate(rate_limit)
        self._rates = MovingWindowRateLimiter(MemoryStorage())

    def admit(self, headers: dict[bytes, bytes]) -> Caller | Answer:
        """Who it is, or why they may not ask.

        Args:
            headers: By lower-case name.
        """
        if not self._keys.agents:
            if not is_local_page(_text(headers, b"host"), _text(headers, b"origin")):
                return failure("unauthorized", "Without keys the board speaks with this machine alone.")
            return self._counted(Caller(None, ""))
        shown = _text(headers, b"x-api-key") or _text(headers, b"authorization").removeprefix("Bearer ")
        agent = self._keys.agent_of(shown)
        if agent is None:
            return failure("unauthorized", "The key was refused. Send it as X-API-Key or Authorization: Bearer KEY.")
        return self._counted(Caller(agent, agent))

    def _counted(self, caller: Caller) -> Caller | Answer:
        if self._rate is None or self._rates.hit(self._rate, caller.origin):
            return caller
        return failure("rate_limited", f"No more than {self._rate}. Wait a moment, and try again.")

    async def answer(self, name: str, body: bytes, caller: Caller) -> Answer:
        """Do what a tool does; a failure is an answer, too.

        Args:
            name: Of the tool.
            body: Its arguments as JSON; nothing is `{}`.
            caller: Who asks.
        """
        tool = TOOLS.get(name)
        if tool is None:
            return failure("unknown_tool", f"There is no tool {name[:100]!r}. See GET /mcp/functions.", "name")
        try:
            asked = tool.arguments.model_validate_json(body or b"{}")
            agent_id = caller.key_agent or ANYBODY
            if isinstance(asked, Agent):
                agent_id = speaker(caller.key_agent, asked.agent_id)
            return await self._board.call(tool, asked, agent_id)
        except ValidationError as error:
            return _invalid(error)
        except Refusal as error:
            return failure(error.code, str(error), error.field)
        except (StoreError, Unreachable, TooSlow, RateLimited) as error:
            observe.logger().warning("board_failed", tool=name, code=error.code, error=str(error))
            return failure(error.code, str(error))


def failure(code: str, message: str, field: str | None = None) -> Answer:
    """The one shape of all failures."""
    return {"success": False, "error": {"code": code, "message": message, "field": field}}


def code_of(answer: Answer) -> str | None:
    """The code of a failure; None of a success."""
    error = answer.get("error")
    return str(error["code"]) if isinstance(error, dict) else None


def _invalid(error: ValidationError) -> Answer:
    """Tells of the first field alone: one sentence that can be acted on."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return failure("invalid_input", f"{field}: {first['msg']}" if field else first["msg"], field or None)


def _text(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def _rate(setting: str) -> RateLimitItem | None:
    if not setting:
        return None
    try:
        return parse(setting)
    except ValueError as error:
        raise ConfigError(f"TODORAMA_RATE_LIMIT={setting} can't be read. Use a form such as 6000/minute.") from error

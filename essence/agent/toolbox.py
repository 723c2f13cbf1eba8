"""Runs the tools that a model calls: each use is judged, recorded before and after, and never repeated by a restart."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from time import monotonic

from essence import observe
from essence.agent.consent import Consent
from essence.agent.gate import Gate, is_tainted
from essence.agent.job import Job
from essence.agent.tools.tool import AnyTool, Call
from essence.dialogue import ToolCall, ToolSpec
from essence.errors import Conflict, InvalidInput, JuneError
from essence.ports import Journal
from essence.work import BEGUN, Choice, Cost

_RESULT_CHARS = 6000
"""Longest result that a model is shown."""
_DENIALS: dict[Choice | None, str] = {
    "fix": "The owner does not want it like this. Ask them what to change, and do nothing before they have answered.",
    "cancel": "The owner said no. Do not try again.",
    None: "The owner did not answer in time, so it was not done. Do not try again.",
}


@dataclass(frozen=True, slots=True)
class Result:
    """How one use of a tool ended."""

    tool: str
    arguments: str
    text: str
    """What the model reads."""
    ok: bool
    """It was done."""
    foreign: bool = False
    """Words of others are in it."""
    spent_s: float = 0.0


class Toolbox:
    """The tools of one task's work."""

    def __init__(self, tools: Sequence[AnyTool], job: Job, journal: Journal, gate: Gate, consent: Consent) -> None:
        self._tools: dict[str, AnyTool] = {}
        for tool in tools:  # of one name the first: June's own come first, and no server's takes its place
            self._tools.setdefault(tool.name, tool)
        self._job, self._journal, self._gate, self._consent = job, journal, gate, consent
        self.results: list[Result] = []
        """All uses so far, in order."""
        self.tainted = is_tainted(job)
        """The model has read words of others, beside those that describe tools."""
        self._described = any(tool.described_by_others for tool in self._tools.values())

    @property
    def names(self) -> frozenset[str]:
        """Of all tools."""
        return frozenset(self._tools)

    def specs(self, names: frozenset[str] | None = None) -> tuple[ToolSpec, ...]:
        """What a model is offered; None: all."""
        return tuple(tool.spec for tool in self._tools.values() if names is None or tool.name in names)

    def tool(self, name: str) -> AnyTool | None:
        """The tool of this name, if there is one."""
        return self._tools.get(name)

    async def use(self, call: ToolCall, step: str, recorded: dict[str, str]) -> Result:
        """Run a call, or return what is recorded of it.

        Args:
            call: What the model asks for.
            step: Name of this use within the task.
            recorded: The task's steps by name, as an earlier attempt left them.

        Raises:
            Conflict: The claim was lost.
            JuneError: The owner can't be asked, or the step can't be recorded. A tool's failure is a result.
        """
        if (done := recorded.get(f"done:{step}")) is not None:
            result = Result(**json.loads(done))
        else:
            result = await self._fresh(call, step, begun=f"{BEGUN}{step}" in recorded)
            # What was done is written down, even where the agent is stopped in this moment.
            cost = Cost(tool_runs=1, seconds=result.spent_s)
            await asyncio.shield(self._record(f"done:{step}", json.dumps(asdict(result)), cost))
        self.results.append(result)
        self.tainted |= result.foreign
        return result

    async def _fresh(self, call: ToolCall, step: str, *, begun: bool) -> Result:
        tool = self._tools.get(call.name)
        if tool is None:
            return Result(call.name, call.arguments, f"There is no tool {call.name!r}.", ok=False)
        try:
            arguments = tool.parse(call.arguments)
        except InvalidInput as error:
            return Result(call.name, call.arguments, f"Not done: {error}", ok=False)
        if begun and not tool.repeatable:
            return Result(call.name, call.arguments, _BROKEN_OFF, ok=False)
        if (denial := await self._denial(tool, call, step)) is not None:
            return Result(call.name, call.arguments, f"Not done: {denial}", ok=False)
        await self._record(f"{BEGUN}{step}", call.name, Cost())
        return await self._run(tool, Call(self._job, f"{self._job.key}:{step}"), arguments, call.arguments)

    async def _denial(self, tool: AnyTool, call: ToolCall, step: str) -> str | None:
        verdict = self._gate.judge(tool, call.arguments, self._job, tainted=self.tainted, described=self._described)
        if verdict == "allowed":
            return None
        if verdict == "refused":
            return "nobody who may ask for this has asked for it in their own words. Tell the owner so."
        choice = await self._consent.ask(self._job, f"{self._job.key}:{step}", _described(call))
        return None if choice == "do" else _DENIALS[choice]

    async def _run(self, tool: AnyTool, call: Call, arguments: object, written: str) -> Result:
        began = monotonic()
        try:
            text, ok = await tool.run(call, arguments), True
        except Conflict:
            raise
        except JuneError as error:
            text, ok = f"Failed: {error}", False
        except Exception as error:  # noqa: BLE001 - a mistake of June's, or of a library with what others sent
            observe.logger().exception("tool_broke_down", tool=tool.name)
            text, ok = f"Failed: the tool broke down ({type(error).__name__}). Tell the owner.", False
        # A failure, too, may be told in the words of others.
        return Result(tool.name, written, text[:_RESULT_CHARS] or "(nothing)", ok, tool.foreign, monotonic() - began)

    async def _record(self, step: str, text: str, cost: Cost) -> None:
        await self._journal.record(self._job.key, step, text, person=self._job.person, cost=cost)


_BROKEN_OFF = (
    "June was interrupted while this ran, so it may have been done or not. It was not repeated. Tell the owner."
)


def _described(call: ToolCall) -> str:
    """A call as its owner reads it: nothing in the arguments can look like June's own words, or hide."""
    lines = [f"{_visible(name)}: {_visible(value)}" for name, value in json.loads(call.arguments or "{}").items()]
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", "".join(lines))), default=0))
    return "\n".join([f"**{call.name.replace('_', ' ')}**", fence, *lines, fence])


def _visible(value: object) -> str:
    """On one line, with all that is not seen written out: line breaks, directional marks, what has no width."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(char if char == " " or char.isprintable() else ascii(char)[1:-1] for char in text)


def same(call: ToolCall, result: Result) -> bool:
    """Whether a call asks once more for what a result is of."""
    if call.name != result.tool:
        return False
    with suppress(ValueError):
        return bool(json.loads(call.arguments or "{}") == json.loads(result.arguments or "{}"))
    return call.arguments == result.arguments

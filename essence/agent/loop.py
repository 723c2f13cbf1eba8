"""The tool loop: ask the model, use the tools it calls, until it answers. Each step is recorded before the next begins.

An attempt that takes over from a killed one reads the recorded steps instead of asking and doing again: it gets to the
same place with the same words, and goes on from there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from time import monotonic

from essence.agent.budget import Budget
from essence.agent.grounding import drafted, grounded
from essence.agent.job import GivesUp, Job
from essence.agent.prompt import others
from essence.agent.toolbox import Result, Toolbox, same
from essence.dialogue import Finished, TextDelta, ToolCall, ToolSpec, Turn
from essence.errors import ContextOverflow, EmptyAnswer
from essence.ports import Journal, LanguageModel
from essence.work import Cost

SAME_CALLS = 3
"""So many equal calls are a loop."""
FAILED_CALLS = 5
"""So many calls in a row that could not be made are one, too."""
_SHORT_CHARS = 400
"""A result of so many characters is cut no more."""
_CUT = "(The rest is left out: it is too long for you.)"
EMPTY_REPLIES = 3
"""So often a model may answer without a word."""


@dataclass(frozen=True, slots=True)
class Written:
    """One reply of a model, whole."""

    text: str
    calls: tuple[ToolCall, ...]
    tokens: int
    seconds: float


class ToolLoop:
    """Works on one task."""

    def __init__(self, model: LanguageModel, journal: Journal, budget: Budget) -> None:
        self._model, self._journal, self._budget = model, journal, budget

    async def answer(
        self,
        job: Job,
        turns: Sequence[Turn],
        toolbox: Toolbox,
        recorded: dict[str, str],
        *,
        likely: frozenset[str] | None = None,
    ) -> str:
        """What the owner is to read.

        Args:
            job: What is worked on.
            turns: What the model is shown at first.
            toolbox: What it may use.
            recorded: The task's steps by name, as an earlier attempt left them.
            likely: Names of the tools that are offered, to a small model, whose tools' own sentences are the answer;
                None: all, to a large one, which tells in its own words.

        Raises:
            GivesUp: A budget is used up, the model goes round in circles, or it has nothing to say.
            JuneError: As the model says.
        """
        run = _Run(self, job, [*turns], toolbox, recorded)
        if likely is not None:
            return await self._answer_small(run, job.words, toolbox, likely)
        specs = toolbox.specs()
        while (written := await run.reply(specs)).calls:
            await run.use(written.calls, written.text)
        return written.text

    async def _answer_small(self, run: _Run, words: str, toolbox: Toolbox, likely: frozenset[str]) -> str:
        """One tool at the most, with arguments of the owner's words; then its own sentence, or the model's."""
        tools = [tool for name in sorted(likely) if (tool := toolbox.tool(name)) is not None]
        written = await run.reply(toolbox.specs(likely))
        calls = [grounded(call, words) for call in written.calls[:1] if call.name in likely]
        if not calls and (draft := drafted(tools, words)) is not None:
            calls = [draft]
        if not calls:
            return written.text or (await run.reply(())).text
        result = (await run.use(calls, ""))[0]
        tool = toolbox.tool(result.tool)
        if tool is not None and (tool.final or not result.ok):
            return result.text
        run.ask_about(words, result)
        return (await run.reply(())).text

    async def write(self, turns: Sequence[Turn], specs: Sequence[ToolSpec], left_s: float) -> Written:
        """Ask the model once."""
        text, calls, tokens, began = "", [], 0, monotonic()
        try:
            async with asyncio.timeout(left_s), aclosing(self._model.reply(turns, tools=specs)) as events:
                async for event in events:
                    match event:
                        case TextDelta(delta):
                            text += delta
                        case ToolCall():
                            calls.append(event)
                        case Finished(_, usage):
                            tokens = usage.prompt_tokens + usage.completion_tokens
        except TimeoutError as error:
            raise GivesUp("I stopped: this took all the time that one task may take (AGENT_TASK_S).") from error
        except EmptyAnswer:
            text = ""
        text = text.strip()
        return Written(text, tuple(calls), tokens or _estimated(turns, text), monotonic() - began)

    @property
    def journal(self) -> Journal:
        """Where steps are kept."""
        return self._journal

    @property
    def budget(self) -> Budget:
        """What may be spent."""
        return self._budget


class _Run:
    """One attempt at a task: the turns so far, and what they cost."""

    def __init__(self, loop: ToolLoop, job: Job, turns: list[Turn], toolbox: Toolbox, recorded: dict[str, str]) -> None:
        self._loop, self._job, self._turns, self._toolbox, self._recorded = loop, job, turns, toolbox, recorded
        self._spent = Cost()
        self._number = 0
        self._empty = 0

    async def reply(self, specs: Sequence[ToolSpec]) -> Written:
        """The model's next reply that says anything."""
        while True:
            written = await self._one(specs)
            if written.text or written.calls:
                return written
            self._empty += 1
            if self._empty >= EMPTY_REPLIES:
                raise GivesUp("The language model has nothing to say to this. Ask differently, or try another model.")
            self._turns += [Turn("assistant", ""), Turn("user", "You wrote nothing. Answer me in plain words.")]

    async def _one(self, specs: Sequence[ToolSpec]) -> Written:
        step = f"reply:{self._number}"
        self._number += 1
        if (kept := self._recorded.get(step)) is None:
            await self._loop.budget.check(self._spent, self._loop.journal)
            left_s = self._loop.budget.seconds_left(self._spent)
            written = await self._written(specs, left_s)
            await self._record(step, written)
        else:
            written = _read(kept)
        self._spent += Cost(1, written.tokens, 0, written.seconds)
        return written

    async def _written(self, specs: Sequence[ToolSpec], left_s: float) -> Written:
        """Ask the model, with results of tools cut short where they don't fit: what was done must be told."""
        while True:
            try:
                return await self._loop.write(self._turns, specs, left_s)
            except ContextOverflow:
                if not self._shorten():
                    raise

    def _shorten(self) -> bool:
        """Cut the longest result of a tool to half; False where none is long."""
        results = [number for number, turn in enumerate(self._turns) if turn.role == "tool"]
        longest = max(results, key=lambda number: len(self._turns[number].text), default=None)
        if longest is None or len(text := self._turns[longest].text) <= _SHORT_CHARS:
            return False
        end = text[-4:] if text.endswith("\n>>>") else ""  # marks of others' words stay closed
        self._turns[longest] = replace(self._turns[longest], text=f"{text[: len(text) // 2]}\n{_CUT}{end}")
        return True

    async def _record(self, step: str, written: Written) -> None:
        cost = Cost(1, written.tokens, 0, written.seconds)
        await self._loop.journal.record(
            self._job.key, step, json.dumps(asdict(written)), person=self._job.person, cost=cost
        )

    def ask_about(self, words: str, result: Result) -> None:
        """Let the model see the question and a result, and nothing that has JSON in it, which it would go on with."""
        found = others(result.text) if result.foreign else result.text
        self._turns = [self._turns[0], Turn("user", f"You found this:\n{found}\n\nAnswer in a sentence: {words}")]

    async def use(self, asked: Sequence[ToolCall], text: str) -> list[Result]:
        """Make the calls of a reply, in order, and show the model what came of them. `text`: what it wrote beside."""
        calls = [ToolCall(f"{self._number}-{i}", call.name, call.arguments) for i, call in enumerate(asked)]
        self._turns.append(Turn("assistant", text, tuple(calls)))
        results = []
        for call in calls:
            result = await self._use_one(call)
            text = others(result.text) if result.foreign else result.text
            self._turns.append(Turn("tool", text, tool_call_id=call.call_id))
            results.append(result)
        return results

    async def _use_one(self, call: ToolCall) -> Result:
        step = call.call_id
        earlier = [result for result in self._toolbox.results if same(call, result)]
        if len(earlier) >= SAME_CALLS - 1:
            raise GivesUp(f"I stopped: I was going round in circles with the tool {call.name}.")
        last = self._toolbox.results[-FAILED_CALLS:]
        if len(last) == FAILED_CALLS and not any(result.ok for result in last):
            raise GivesUp(f"I stopped: {FAILED_CALLS} uses of tools in a row failed. The last: {last[-1].text}")
        if earlier and earlier[-1].ok and self._changes(call.name):
            return earlier[-1]  # what was done is not done again
        if f"done:{step}" not in self._recorded:
            await self._loop.budget.check(self._spent, self._loop.journal)
        result = await self._toolbox.use(call, step, self._recorded)
        self._spent += Cost(tool_runs=1, seconds=result.spent_s)
        return result

    def _changes(self, name: str) -> bool:
        tool = self._toolbox.tool(name)
        return tool is not None and tool.effect != "none"


def _read(kept: str) -> Written:
    fields = json.loads(kept)
    return Written(
        fields["text"], tuple(ToolCall(**call) for call in fields["calls"]), fields["tokens"], fields["seconds"]
    )


def _estimated(turns: Sequence[Turn], text: str) -> int:
    """Tokens of a reply whose server doesn't count: 4 characters each."""
    return (sum(len(turn.text) for turn in turns) + len(text)) // 4

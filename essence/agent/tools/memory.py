"""What the owner wants June to know: kept, looked up, corrected and forgotten at their word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from essence.agent.tools.tool import AnyTool, Arguments, Call, Kind, Tool, typed
from essence.errors import InvalidInput
from essence.ports import Memories
from essence.work import Memory

# An example tells a small model more than a description.
_REMEMBER = 'Keep a fact for good. "Remember that my car is red" is {"text": "My car is red."}'
_RECALL = 'Look up what the owner told before. "What color is my car?" is {"about": "color of my car"}'
_FORGET = 'Delete a remembered fact. "Forget what I said about Bob" is {"which": "Bob"}'
_WORD = re.compile(r"\d+|\w{3,}")
_EMPTY_WORDS = frozenset(
    _WORD.findall(
        "about all and anything are did do does everything for from has have he her his how is it its know me my "
        "myself of on our owner remember remembered she tell that the their they things this to user was we were "
        "what when where which who you your"
    )
)


class Remember(Arguments):
    """Something to be kept."""

    text: str = Field(min_length=1, max_length=2000, description="The fact, in one sentence, as the owner told it.")


class Recall(Arguments):
    """What is looked for."""

    about: str = Field(default="", max_length=500, description="What it is about; empty lists everything.")


class Correct(Arguments):
    """What takes the place of what was kept."""

    number: str = Field(description="Number of the memory, as recall shows it.")
    text: str = Field(min_length=1, max_length=2000, description="The right fact, in one sentence.")


class Forget(Arguments):
    """What is to be deleted."""

    which: str = Field(min_length=1, max_length=500, description="Number of the memory, or words that are in it.")


def memory_tools(memories: Memories) -> tuple[AnyTool, ...]:
    """`remember`, `recall`, `correct_memory`, `forget`."""
    keeping = _Keeping(memories)
    kept: frozenset[Kind] = frozenset({"memory"})
    return (
        Tool("remember", _REMEMBER, *typed(Remember), keeping.remember, effect="change", proves=kept, final=True),
        Tool("recall", _RECALL, *typed(Recall), keeping.recall),
        Tool("correct_memory", "Put a corrected fact in the place of a remembered one.", *typed(Correct),
             keeping.correct, effect="change", proves=kept, final=True),
        # Not repeatable: its words may fit another memory once the one that they meant is gone.
        Tool("forget", _FORGET, *typed(Forget), keeping.forget,
             effect="change", proves=kept | {"forgetting"}, final=True, repeatable=False),
    )  # fmt: skip


class _Keeping:
    def __init__(self, memories: Memories) -> None:
        self._memories = memories

    async def remember(self, call: Call, told: Remember) -> str:
        request = call.request
        kept = await self._memories.remember(request.address.platform, request.person_id, told.text, key=call.key)
        return f"Remembered as number {kept.memory_id}: {kept.text}"

    async def recall(self, call: Call, wanted: Recall) -> str:
        known = await self._all(call)
        names = stems(call.request.name)  # a small model asks about "Anna" for what Anna calls "me"
        found = matching(known, wanted.about) if stems(wanted.about) - names else known
        if not found:
            return "Nothing is remembered about this." if known else "Nothing is remembered yet."
        return "\n".join(f"{memory.memory_id}. {memory.text} (told on {memory.at:%Y-%m-%d})" for memory in found)

    async def correct(self, call: Call, right: Correct) -> str:
        request, number = call.request, right.number.strip("#. ")
        if not await self._memories.correct(request.address.platform, request.person_id, number, right.text):
            raise InvalidInput(f"There is no memory number {number}. Use recall to see them.")
        return f"Number {number} now says: {right.text}"

    async def forget(self, call: Call, unwanted: Forget) -> str:
        request = call.request
        memory = self._one(await self._all(call), unwanted.which)
        await self._memories.forget(request.address.platform, request.person_id, memory.memory_id)
        return f"Forgotten: {memory.text}"

    async def _all(self, call: Call) -> tuple[Memory, ...]:
        return await self._memories.all(call.request.address.platform, call.request.person_id)

    def _one(self, known: Sequence[Memory], which: str) -> Memory:
        number = which.strip("#. ")
        found = [memory for memory in known if memory.memory_id == number] or matching(known, which)
        if len(found) == 1:
            return found[0]
        if not found:
            raise InvalidInput("Nothing that is remembered fits this. Ask the owner which one they mean.")
        choice = "; ".join(f"{memory.memory_id}: {memory.text}" for memory in found)
        raise InvalidInput(f"Several fit. Ask the owner which one they mean: {choice}")


def matching(memories: Sequence[Memory], words: str) -> list[Memory]:
    """Those that have the most of the words in them, word beginnings of four letters counting as the word."""
    wanted = stems(words)
    scored = [(len(wanted & stems(memory.text)), memory) for memory in memories]
    best = max((score for score, _ in scored), default=0)
    return [memory for score, memory in scored if score == best] if best else []


def stems(text: str) -> set[str]:
    """The words of a text that tell it from others, by their first four letters."""
    return {word[:4] for word in _WORD.findall(text.casefold()) if word not in _EMPTY_WORDS}

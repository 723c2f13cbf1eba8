"""What people can tell June with a slash: one table for all platforms."""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast, get_args

from essence.chat.access import Standing
from essence.chat.agent_timings import HandedOver, why
from essence.chat.dispatcher import Dispatcher
from essence.chat.language import AUTO, did_you_mean, language_code, language_name
from essence.chat.rendering import literally
from essence.chat.timings import Timings
from essence.dialogue import AnswerForm, Message
from essence.ports import Channel, Store
from essence.ports.rounds import begun_round
from essence.work import ANSWER, FAILED, STOPPED

_SHOWN_CHARS = 80
"""So much of what somebody typed is said to them again."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a slash command may look at and change."""

    store: Store
    channel: Channel
    dispatcher: Dispatcher
    engines: Callable[[], str]
    """How the engines are, in a few words."""
    tasks: Callable[[], str]
    """How the way to the agent is, in a few words."""


@dataclass(frozen=True, slots=True)
class Order:
    """A slash command as somebody gave it."""

    message: Message
    standing: Standing
    words: str
    """What follows the name."""


Answer = Callable[[Desk, Order], Awaitable[str]]
"""Does it and returns the answer, in Markdown."""


@dataclass(frozen=True, slots=True)
class Slash:
    """One line of the table."""

    name: str
    summary: str
    answer: Answer


def is_order(message: Message) -> bool:
    """Whether a message is a slash command rather than something to be answered. What is passed on orders nothing."""
    is_own = message.sound is None and not message.forwarded
    return is_own and message.text.startswith("/") and message.text[1:2].isalpha()


async def obey(desk: Desk, message: Message, standing: Standing) -> str:
    """Do what a message orders; the answer, in Markdown."""
    name, _, words = message.text[1:].partition(" ")
    name = name.partition("\n")[0].lower()
    for line in TABLE:
        if line.name == name:
            return await line.answer(desk, Order(message, standing, words.strip()))
    near = difflib.get_close_matches(name, [line.name for line in TABLE], n=1, cutoff=0.5)
    guess = f" Did you mean /{near[0]}?" if near else ""
    return f"There is no /{_shown(name)}.{guess} /help shows what there is."


def _shown(words: str) -> str:
    """What somebody typed, as much of it as helps, without its markup."""
    return literally(words if len(words) <= _SHOWN_CHARS else f"{words[: _SHOWN_CHARS - 1]}…")


async def _start(desk: Desk, order: Order) -> str:
    name = literally(order.message.sender.name)
    return (
        f"Hello {name}! I'm June. Send me a voice message and I answer by voice, or write to me. "
        "/help shows what else I understand."
    )


async def _help(desk: Desk, order: Order) -> str:
    return "\n".join(f"- /{line.name}: {line.summary}" for line in TABLE)


async def _status(desk: Desk, order: Order) -> str:
    state, platform = desk.channel.state, desk.channel.profile.platform
    waiting = [entry for entry in await desk.store.inbox.backlog() if entry.address.platform == platform]
    troubles = ", ".join(f"{what} {count}×" for what, count in state.troubles) or "none"
    return "\n".join(
        (
            f"- Platform: {'connected' if state.connected else 'not connected'} as {state.account or 'nobody yet'}",
            f"- Engines: {desk.engines()}",
            f"- Agent: {desk.tasks()}",
            f"- Being answered: {desk.dispatcher.running}; open: {sum(entry.messages for entry in waiting)}",
            f"- Troubles with the platform since I started: {troubles}",
        )
    )


async def _language(desk: Desk, order: Order) -> str:
    person, conversations = order.message.sender.person_id, desk.store.conversations
    platform = order.message.address.platform
    chosen = await conversations.preferences(platform, person)
    if not order.words:
        now = f"I answer in {language_name(chosen.language)}." if chosen.language else "I answer in what I hear."
        return f"{now} Change it with `/language German` or `/language de`; `/language auto` goes by what I hear."
    code = language_code(order.words)
    if code is None:
        guess = did_you_mean(order.words)
        return f"I know no language {_shown(repr(order.words))}." + (f" Did you mean {guess}?" if guess else "")
    await conversations.prefer(platform, person, replace(chosen, language=None if code == AUTO else code))
    if code == AUTO:
        return "From now on I answer in the language I hear."
    return f"From now on I listen and answer in {language_name(code)}."


_FORMS: dict[str, AnswerForm] = {"on": "both", "off": "text", "only": "voice"}


async def _voice(desk: Desk, order: Order) -> str:
    person, conversations = order.message.sender.person_id, desk.store.conversations
    platform = order.message.address.platform
    chosen = await conversations.preferences(platform, person)
    word = order.words.lower()
    if not word:
        voice = f", voice {_shown(chosen.voice)}" if chosen.voice else ""
        return (
            f"Now: {chosen.answer}{voice}. `/voice auto` answers voice by voice and text by text, `/voice on` always "
            "speaks, `/voice off` never, `/voice only` sends no text beside it, `/voice caption` puts the words below "
            "the voice message, `/voice NAME` chooses a voice."
        )
    form = _FORMS.get(word, word)
    if form in get_args(AnswerForm):
        await conversations.prefer(platform, person, replace(chosen, answer=cast("AnswerForm", form)))
        return f"Done: {word}."
    await conversations.prefer(platform, person, replace(chosen, voice=order.words))
    return (
        f"I'll speak with the voice {_shown(order.words)}, if I have it. `/voice auto` and the like stay as they are."
    )


async def _reset(desk: Desk, order: Order) -> str:
    count = await desk.store.conversations.reset(order.message.address)
    said = f"Forgotten: {count} turns of this conversation." if count else "There was nothing to forget."
    unanswered = await desk.store.inbox.waiting(order.message.address, limit=1)
    return f"{said} What I'm still answering is forgotten with its answer." if unanswered else said


async def _stop(desk: Desk, order: Order) -> str:
    address = order.message.address
    running = desk.dispatcher.at(address)
    if running is not None:
        running.stop("/stop")
    ended = 0
    for message in await desk.store.inbox.waiting(address):
        if running is None or message.key != running.claim.message.key:
            ended += await desk.store.inbox.settle(message.key, "cancelled", "/stop")
    ended += await _stop_agent(desk, order)
    return "Stopped." if running is not None or ended else "I wasn't saying anything."


async def _stop_agent(desk: Desk, order: Order) -> int:
    """Stop the work on this conversation's tasks that are without an answer; returns how many."""
    journal, person, stopped = desk.store.journal, order.message.sender.person_id, 0
    for message in await desk.store.inbox.delegated(order.message.address):
        if message.sender.person_id != person:
            continue
        newest = await begun_round(message.key, journal)
        if not {ANSWER, STOPPED, FAILED} & newest.steps.keys():
            stopped += await journal.record(newest.key, STOPPED, "", person=f"{message.address.platform}/{person}")
    return stopped


async def _why(desk: Desk, order: Order) -> str:
    record = await desk.store.inbox.record(order.message.address)
    if not record:
        return "I have answered nothing here yet."
    kept = json.loads(record)
    timings = Timings(**kept["timings"])
    if (agent := kept.get("agent")) is not None:
        message = HandedOver(agent["key"], datetime.fromisoformat(agent["arrived_at"]), timings)
        newest = await begun_round(message.key, desk.store.journal)
        return why(message, await desk.store.journal.timed(newest.key), datetime.now(UTC))
    steps = "\n".join(f"- {step.name} ({step.meaning}): {step.seconds:.2f} s" for step in timings.milestones())
    slowest = timings.slowest()
    return (
        f"My last answer here took {timings.total_s:.2f} s:\n{steps}\n\n"
        f"Longest at work: {slowest.name} ({slowest.meaning}), {slowest.seconds:.2f} s."
    )


async def _whoami(desk: Desk, order: Order) -> str:
    sender = order.message.sender
    known_as, platform = literally(sender.name), order.message.address.platform
    return f"You are {known_as}, id `{sender.person_id}` on {platform}, my {order.standing}."


TABLE = (
    Slash("start", "say hello", _start),
    Slash("help", "show this", _help),
    Slash("status", "how I am", _status),
    Slash("language", "choose the language I listen and answer in", _language),
    Slash("voice", "choose when and how I speak", _voice),
    Slash("reset", "forget this conversation", _reset),
    Slash("stop", "break off what I'm saying", _stop),
    Slash("why", "where the time of my last answer went", _why),
    Slash("whoami", "who you are to me", _whoami),
)

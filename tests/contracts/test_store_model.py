"""The inbox against a model of a few lines: order, turns, leases, fences and parking, whatever comes when."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from essence.dialogue import Address, Claim
from essence.errors import Conflict
from essence.store import open_store
from tests.store_cases import SETTINGS, START, HandClock, note

LEASE_S = 10.0
chats = st.sampled_from([Address("telegram", str(number)) for number in range(3)])


@dataclass
class Line:
    """One conversation."""

    messages: list[int] = field(default_factory=list)
    holder: Claim | None = None
    until_s: float = 0.0


class InboxMachine(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = HandClock()
        self.stack = AsyncExitStack()
        self.store = self.run(self.stack.enter_async_context(open_store("memory://", SETTINGS, self.clock.clock())))
        self.lines: dict[Address, Line] = {}
        self.turns: list[Address] = []
        self.known: set[tuple[Address, int]] = set()
        self.fences: dict[Address, int] = {}
        self.begun: set[tuple[Address, int]] = set()
        self.parked: dict[Address, set[int]] = {}
        self.wanted: set[tuple[Address, int]] = set()

    def run(self, awaitable):
        async def main():
            return await awaitable

        return self.runner.run(main())

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    @rule(chat=chats, number=st.integers(0, 30))
    def receive(self, chat: Address, number: int) -> None:
        message = note(number, chat)
        assert self.run(self.store.inbox.receive(message)) == ((chat, number) not in self.known)
        if (chat, number) not in self.known:
            self.known.add((chat, number))
            self.open(chat, number)

    @rule(chat=chats, number=st.integers(0, 30))
    def park(self, chat: Address, number: int) -> None:
        assert self.run(self.store.inbox.park(note(number, chat))) == ((chat, number) not in self.known)
        if (chat, number) not in self.known:
            self.known.add((chat, number))
            self.parked.setdefault(chat, set()).add(number)

    @rule(number=st.integers(0, 31))
    def park_unbegun(self, number: int) -> None:
        found = [
            (chat, old)
            for chat, line in self.lines.items()
            for old in line.messages
            if old < number and (chat, old) not in self.begun | self.wanted
        ]
        before = START + timedelta(seconds=number)
        assert self.run(self.store.inbox.park_unbegun("telegram", before)) == len(found)
        for chat, old in found:
            self.end(chat, old)
            self.parked.setdefault(chat, set()).add(old)

    @rule(chat=chats)
    def unpark(self, chat: Address) -> None:
        numbers = self.parked.pop(chat, set())
        assert self.run(self.store.inbox.unpark(chat)) == len(numbers)
        self.wanted |= {(chat, number) for number in numbers}
        for number in numbers:
            self.open(chat, number)

    @rule(chat=chats)
    def discard(self, chat: Address) -> None:
        assert self.run(self.store.inbox.discard(chat)) == len(self.parked.pop(chat, set()))

    def open(self, chat: Address, number: int) -> None:
        if chat not in self.lines:
            self.lines[chat] = Line()
            self.turns.append(chat)
        self.lines[chat].messages.append(number)
        self.lines[chat].messages.sort()

    def free(self) -> list[Address]:
        return [chat for chat in self.turns if not self.held(chat)]

    def held(self, chat: Address) -> bool:
        return self.lines[chat].holder is not None and self.clock.lease_s < self.lines[chat].until_s

    @precondition(lambda self: self.free())
    @rule(target=claims)
    def claim(self) -> Claim:
        chat, claim = self.free()[0], self.run(self.store.inbox.claim("w", lease_s=LEASE_S))
        assert (claim.message.address, int(claim.message.message_id)) == (chat, self.lines[chat].messages[0])
        assert claim.fence > self.fences.get(chat, 0)
        self.fences[chat] = claim.fence
        self.begun.add((chat, self.lines[chat].messages[0]))
        self.lines[chat].holder, self.lines[chat].until_s = claim, self.clock.lease_s + LEASE_S
        self.last(chat)
        return claim

    @precondition(lambda self: not self.free())
    @rule()
    def claim_in_vain(self) -> None:
        assert self.run(self.store.inbox.claim("w", lease_s=LEASE_S)) is None

    @rule(claim=consumes(claims))
    def finish(self, claim: Claim) -> None:
        if self.is_current(claim, self.store.inbox.finish(claim, "answered")):
            chat = claim.message.address
            self.end(chat, int(claim.message.message_id))
            if chat in self.lines:
                self.lines[chat].holder = None
                self.last(chat)

    @rule(claim=consumes(claims))
    def release(self, claim: Claim) -> None:
        if self.is_current(claim, self.store.inbox.release(claim)):
            self.lines[claim.message.address].holder = None

    @rule(claim=claims)
    def extend(self, claim: Claim) -> None:
        if self.is_current(claim, self.store.inbox.extend(claim, lease_s=LEASE_S)):
            self.lines[claim.message.address].until_s = self.clock.lease_s + LEASE_S

    def is_current(self, claim: Claim, change) -> bool:
        line = self.lines.get(claim.message.address)
        if line is not None and line.holder == claim:
            self.run(change)
            return True
        with pytest.raises(Conflict):
            self.run(change)
        return False

    @rule(chat=chats, number=st.integers(0, 30))
    def settle(self, chat: Address, number: int) -> None:
        is_open = chat in self.lines and number in self.lines[chat].messages
        assert self.run(self.store.inbox.settle(note(number, chat).key, "cancelled")) == is_open
        if is_open:
            holder = self.lines[chat].holder
            if holder is not None and holder.message == note(number, chat):
                self.lines[chat].holder = None
            self.end(chat, number)

    @rule(seconds=st.sampled_from([1.0, LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_s(seconds)

    def last(self, chat: Address) -> None:
        self.turns.remove(chat)
        self.turns.append(chat)

    def end(self, chat: Address, number: int) -> None:
        self.lines[chat].messages.remove(number)
        if not self.lines[chat].messages:
            del self.lines[chat]
            self.turns.remove(chat)

    @invariant()
    def the_backlog_is_what_is_open(self) -> None:
        counts = {entry.address: entry.messages for entry in self.run(self.store.inbox.backlog())}
        assert counts == {chat: len(line.messages) for chat, line in self.lines.items()}

    @invariant()
    def what_is_parked_is_counted(self) -> None:
        counts = {entry.address: entry.messages for entry in self.run(self.store.inbox.parked("telegram"))}
        assert counts == {chat: len(numbers) for chat, numbers in self.parked.items()}


TestInboxKeepsToItsModel = InboxMachine.TestCase
TestInboxKeepsToItsModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

"""The queue of updates and the pace of messages, by what they promise whatever happens."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.fakes.telegram.platform import Pace, Window
from essence.fakes.telegram.updates import Updates
from essence.fakes.telegram.wire import Refused
from essence.fakes.telegram.world import Chat

STEPS = st.lists(st.one_of(st.just("add"), st.tuples(st.integers(1, 5), st.booleans())), max_size=30)


@given(STEPS)
def test_an_update_is_told_until_it_is_confirmed_and_never_after(steps):
    async def play():
        updates, added, offset = Updates(), 0, 0
        told, confirmed = {}, set()
        for step in steps:
            if step == "add":
                updates.add("message", {"number": added}, lane=1)
                added += 1
                continue
            limit, confirms = step
            batch = await updates.poll(offset, 0, limit)
            numbers = [update["message"]["number"] for update in batch]
            assert numbers == [number for number in range(added) if number not in confirmed][:limit]
            told |= {number: update["update_id"] for number, update in zip(numbers, batch, strict=True)}
            if confirms and batch:
                offset = batch[-1]["update_id"] + 1
                confirmed |= set(numbers)
        assert sorted(told.values()) == [told[number] for number in sorted(told)]

    asyncio.run(play())


PAUSES_S = st.integers(0, 3 * 1024).map(lambda steps: steps / 1024)  # exact in binary: no rounding to reason about


@given(st.lists(PAUSES_S, max_size=60), st.integers(1, 4))
def test_no_window_holds_more_messages_than_its_pace_allows(pauses_s, most):
    pace, chat = Pace(per_chat=Window(most, 5.0), overall=Window(1000, 1.0)), Chat(1, "private", "Ann")
    at, sent = 0.0, []
    for pause_s in pauses_s:
        at += pause_s
        try:
            pace.admit(chat, at)
        except Refused as refused:
            pace.admit(chat, at := at + refused.retry_after_s)  # whoever waits as told is let in
        sent.append(at)
    assert all(later - earlier >= 5.0 for earlier, later in zip(sent, sent[most:], strict=False))


def test_groups_have_a_pace_of_their_own():
    pace, group = Pace(per_chat=Window(100, 1.0), per_group=Window(2, 60.0)), Chat(-1, "supergroup", "Club")
    pace.admit(group, 0.0)
    pace.admit(group, 1.0)
    with pytest.raises(Refused) as refused:
        pace.admit(group, 2.0)
    assert refused.value.retry_after_s == 58

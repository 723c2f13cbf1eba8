"""Queues of Discord's channels."""

import asyncio

from essence.services.discord.lanes import Lanes


async def test_a_lane_never_holds_more_than_its_limit_and_the_item_in_hand_stays():
    done, gate = [], asyncio.Event()

    async def work(_: str, item: int) -> None:
        await gate.wait()
        done.append(item)

    async with asyncio.TaskGroup() as tasks:
        lanes = Lanes[int](tasks, work, lambda _: None, lambda waiting: [-len(waiting)], most=3)
        lanes.put("a", 0)
        await asyncio.sleep(0)
        for item in range(1, 5):
            lanes.put("a", item)
        lanes.put("a", 5)
        gate.set()
    assert done == [0, -4, 5]
    assert len(lanes) == 0


async def test_what_is_due_in_a_channel_comes_before_what_was_put_there():
    done = []

    async def work(channel_id: str, item: str) -> None:
        done.append((channel_id, item))

    async with asyncio.TaskGroup() as tasks:
        lanes = Lanes[str](tasks, work, {"a": "due"}.get, list, most=3)
        lanes.put("a", "new")
        lanes.put("b", "new")
    assert sorted(done) == [("a", "due"), ("a", "new"), ("b", "new")]
    assert done.index(("a", "due")) < done.index(("a", "new"))


async def test_an_item_for_everywhere_comes_after_what_waits_in_each_lane():
    done = []

    async def work(channel_id: str, item: str) -> None:
        done.append((channel_id, item))

    async with asyncio.TaskGroup() as tasks:
        lanes = Lanes[str](tasks, work, lambda _: None, list, most=3)
        lanes.put("a", "first")
        lanes.put_everywhere("for all")
        lanes.put("b", "later")
    assert [item for channel, item in done if channel == "a"] == ["first", "for all"]
    assert [item for channel, item in done if channel == "b"] == ["later"]

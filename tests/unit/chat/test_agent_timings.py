"""What `/why` tells of the agent's work, from the steps in its journal."""

from datetime import UTC, datetime, timedelta

import pytest

from essence.chat.agent_timings import HandedOver, why
from essence.chat.timings import Timings
from essence.work import Cost, Step

START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
MESSAGE = HandedOver("telegram:7:10", START, Timings(heard_s=1.5, total_s=2.0))


def step(name: str, at_s: float, cost: Cost | None = None) -> Step:
    return Step(name, START + timedelta(seconds=at_s), cost or Cost())


def thought(number: int, at_s: float, seconds: float) -> Step:
    return step(f"reply:{number}", at_s, Cost(1, 100, 0, seconds))


def used(call: str, at_s: float, seconds: float) -> Step:
    return step(f"done:{call}", at_s, Cost(tool_runs=1, seconds=seconds))


TAKEN = (step("route", 1.9), step("taken:x", 1.95))
WORK = (
    *TAKEN,
    step("claimed", 5.0),
    thought(0, 8.0, 3.0),
    step("begun:1-0", 18.0),  # after ten seconds the owner said yes
    used("1-0", 18.5, 0.5),
    used("1-1", 22.5, 0.0),  # after four they said no
    thought(1, 26.0, 2.0),  # a second and a half before it failed
    step("answer", 26.0),
)
DONE = (*WORK, step("delivered", 26.25))


def test_the_stages_are_told_and_add_up_to_the_whole():
    assert why(MESSAGE, DONE, START).splitlines() == [
        "My agent's answer here took 26.25 s:",
        "- heard (note → transcript): 1.50 s",
        "- handed over (→ on the task board): 0.50 s",
        "- waited (→ an agent begins): 3.00 s",
        "- LLM (replies of the language model: 2): 5.00 s",
        "- tools (uses of tools: 2): 0.50 s",
        "- your yes (may I do this? → what you chose): 14.00 s",
        "- rest (tries that failed, and what lies between): 1.50 s",
        "- delivered (→ all of it sent): 0.25 s",
        "",
        "Longest: your yes (may I do this? → what you chose), 14.00 s.",
    ]


def test_what_took_no_time_is_left_out():
    told = why(MESSAGE, (*TAKEN, step("claimed", 2.0), thought(0, 9.0, 7.0), *DONE[-2:]), START)
    assert "waited" not in told
    assert "your yes" not in told


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (TAKEN, "No agent has begun with your last message here yet. So far, 30.00 s:"),
        (WORK[:4], "My agent is still at work on your last message here. So far, 30.00 s:"),
        (WORK, "My agent has an answer, which is not delivered yet. So far, 30.00 s:"),
        ((*WORK, step("failed", 28.0)), "My agent's answer here could not be delivered. It took 28.00 s:"),
        ((*WORK[:4], step("stopped", 9.0)), "You stopped my agent's work on your last message here after 9.00 s:"),
        ((*DONE, step("failed", 27.0)), "My agent's answer here took 26.25 s:"),
        ((), "My agent had your last message here, and what I knew of its work is forgotten by now."),
    ],
)
def test_it_is_told_how_far_the_work_is(steps, state):
    assert why(MESSAGE, steps, START + timedelta(seconds=30)).splitlines()[0] == state


def test_what_the_agent_is_at_now_is_told():
    told = why(MESSAGE, WORK[:4], START + timedelta(seconds=30))
    assert "Longest: rest (what it is at now), 22.00 s." in told


def test_an_older_agent_s_work_counts_from_its_first_reply():
    told = why(MESSAGE, tuple(one for one in DONE if one.name != "claimed"), START)
    assert "- waited (→ an agent begins): 3.00 s" in told

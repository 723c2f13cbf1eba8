"""Where an owner's message goes can be told from its words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.chat.routing import FIRST_WORDS, orders_of, route_of

ORDERS = orders_of("remind, Timer , rappelle, erinnere, напомни,, mañana")


@pytest.mark.parametrize(
    "text",
    [
        "Remind me to water the flowers",
        "please set a TIMER for ten minutes",
        "Rappelle-moi demain",
        "Erinnere mich morgen",
        "напомни мне позвонить",
        "Manana?",
        "What does https://example.org/page say?",
    ],
)
def test_what_asks_for_something_to_be_done_goes_to_the_agent(text):
    assert route_of(text, "auto", ORDERS) == "agent"


@pytest.mark.parametrize(
    "text", ["", "What is the capital of France?", "a reminder of old times", "timers are nice", "http is a protocol"]
)
def test_everything_else_is_answered_at_once(text):
    assert route_of(text, "auto", ORDERS) == "chat"


def test_an_order_far_behind_the_beginning_is_part_of_a_story():
    assert route_of("well " * FIRST_WORDS + "remind", "auto", ORDERS) == "chat"
    assert route_of("well " * (FIRST_WORDS - 1) + "remind", "auto", ORDERS) == "agent"


@given(st.text(), st.sampled_from(["agent", "chat"]))
def test_an_owner_who_chose_gets_what_they_chose(text, chosen):
    assert route_of(text, chosen, ORDERS) == chosen


@given(st.text())
def test_any_text_has_one_route(text):
    assert route_of(text, "auto", ORDERS) == route_of(text, "auto", ORDERS)


@given(st.text())
def test_no_word_is_an_order_where_none_is_listed(text):
    assert route_of(text.replace("http", ""), "auto", orders_of(" , ,")) == "chat"

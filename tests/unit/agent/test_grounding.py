"""A small model's arguments are made of the owner's words, or replaced by them."""

import json

import pytest

from essence.agent.grounding import drafted, grounded
from essence.agent.tools.board import board_tools
from essence.agent.tools.memory import memory_tools
from essence.dialogue import ToolCall

WORDS = "Remind me in 10 minutes to stretch"
REMEMBER, RECALL, *_ = memory_tools(None)


def arguments(text: str) -> dict[str, object]:
    return json.loads(grounded(ToolCall("c", "remind", text), WORDS).arguments)


def test_the_owner_s_words_stay():
    assert arguments('{"about": "To stretch", "text": "stretch"}') == {"about": "To stretch", "text": "stretch"}


def test_other_words_are_replaced_by_all_of_the_owner_s():
    assert arguments('{"about": "to run", "text": "stretch"}') == {"about": WORDS, "text": "stretch"}


def test_a_time_is_read_from_the_words_around_what_is_to_be_said():
    for when in ("in 5 minutes", "10 minutes", "stretch"):
        found = arguments(json.dumps({"when": when, "text": "stretch"}))
        assert found == {"when": "remind me in 10 minutes to", "text": "stretch"}


def test_a_time_within_what_is_to_be_said_is_none_of_the_reminder_s():
    words = "Remind me at 5 to prepare the meeting at 7"
    call = ToolCall("c", "remind", '{"when": "at 7", "text": "prepare the meeting at 7"}')
    assert json.loads(grounded(call, words).arguments)["when"] == "remind me at 5 to"


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("at 5", "Remind me 2 days before Christmas at 5 to shop"),
        ("every monday", "Remind me every second Monday to shop"),
        ("in two", "Remind me in two shakes to shop"),
    ],
)
def test_of_a_time_that_is_not_understood_no_part_is_taken_for_it(when, words):
    call = ToolCall("c", "remind", json.dumps({"when": when, "text": "shop"}))
    assert json.loads(grounded(call, words).arguments)["when"] == words.casefold().removesuffix(" shop")


def test_where_the_owner_names_no_time_the_model_s_stays():
    call = ToolCall("c", "remind", '{"when": "to stretch", "text": "stretch"}')
    assert json.loads(grounded(call, "Remind me to stretch").arguments)["when"] == "to stretch"


def test_what_is_no_text_stays():
    assert arguments('{"work": true, "text": "stretch"}') == {"work": True, "text": "stretch"}


def test_what_can_t_be_read_is_left_to_whoever_refuses_it():
    for text in ('{"unfin', "[]", '"x"'):
        assert grounded(ToolCall("c", "remind", text), WORDS).arguments == text


def test_a_call_that_the_model_did_not_make_is_made_of_the_words():
    draft = drafted([REMEMBER], "Note that the key is blue")
    assert (draft.name, json.loads(draft.arguments)) == ("remember", {"text": "Note that the key is blue"})
    assert json.loads(drafted([RECALL], "Who is Bob?").arguments) == {"about": "Who is Bob?"}


def test_no_call_is_made_where_words_are_not_enough_or_the_tool_is_not_clear():
    assert drafted([], WORDS) is None
    assert drafted([REMEMBER, RECALL], WORDS) is None
    assert drafted([board_tools(None)[0]], WORDS) is None

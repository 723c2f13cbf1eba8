"""What an owner asks for survives being a task on anybody's board."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.dialogue import Address
from essence.errors import InvalidInput
from essence.tasks.arguments import LONG_MAX_CHARS
from essence.work import MARK, NewTask, Request, Task, request_of

WORDS = st.text()


def on_a_board(new: NewTask) -> Task:
    return Task("7", new.title, new.instruction, new.verification, "available", new.priority, datetime.now(UTC))


@given(
    st.builds(
        Request,
        st.builds(Address, st.sampled_from(["telegram", "discord"]), WORDS, st.none() | WORDS),
        WORDS,
        WORDS,
        WORDS,
        name=WORDS,
        spoken=st.booleans(),
        language=st.none() | WORDS,
        confidence=st.floats(0, 1),
        forwarded=st.booleans(),
        quoted=WORDS,
    )
)
def test_a_request_comes_back_from_its_task_as_it_was(request_):
    assert request_of(on_a_board(request_.as_task())) == request_


def test_the_title_says_who_asked_for_what_on_one_short_line():
    asked = Request(Address("telegram", "1"), "7", "1", "Water\nthe flowers", name="Anna")
    assert asked.as_task().title == "Answer Anna: Water the flowers"
    long = Request(Address("telegram", "1"), "7", "1", "水" * 500).as_task().title
    assert len(long) == 80
    assert long.startswith("Answer 1: 水")
    assert long.endswith("水…")


@pytest.mark.parametrize("text", ["Ж" * 15_000, "one\u2028two\u0085three\nfour\ud800"])
def test_a_long_or_odd_message_fits_on_a_board_and_comes_back_whole(text):
    asked = Request(Address("telegram", "1"), "7", "1", text)
    line = asked.as_task().instruction.rpartition("\n")[2]
    line.encode()
    assert len(asked.as_task().instruction) < LONG_MAX_CHARS
    assert request_of(on_a_board(NewTask("", line, ""))) == asked


def test_who_vouches_for_a_message_vouches_for_each_word_of_it():
    asked = Request(Address("telegram", "1"), "7", "1", "Tea?")
    assert asked.voucher == replace(asked).voucher
    others = [replace(asked, text="Tea!"), replace(asked, person_id="2"), replace(asked, forwarded=True)]
    assert asked.voucher not in {other.voucher for other in others}


def test_a_task_that_somebody_else_made_carries_no_request():
    assert request_of(on_a_board(NewTask("Paint it", f"Paint it black.\n{MARK} is a word in it.\nToday.", ""))) is None


def test_words_that_look_like_a_request_do_not_become_one():
    forged = Request(Address("telegram", "2"), "8", "2", "as the owner").as_task().instruction
    asked = Request(Address("telegram", "1"), "7", "1", forged)
    assert request_of(on_a_board(asked.as_task())) == asked


@pytest.mark.parametrize("line", ["{}", "[]", "not json", "[" * 50_000, '{"platform":"telegraph"}', "7"])
def test_a_damaged_request_is_told(line):
    with pytest.raises(InvalidInput, match="Task 7"):
        request_of(on_a_board(NewTask("", f"Answer.\n{MARK} {line}", "")))

"""What tools may be asked: anything is taken or refused, never half."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from essence.config import BoardSettings
from essence.tasks import listing
from essence.tasks.arguments import CreateTask, QueryTasks, SearchTasks
from essence.tasks.board import open_own, rules
from essence.tasks.registry import TOOLS

SETTINGS = BoardSettings(_env_file=None)
TASK = {"title": "t", "task_type": "concrete", "task_instruction": "i", "verification_instruction": "v"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
@given(data=st.data())
def test_any_arguments_are_taken_or_refused_by_name(tool, data):
    fields = sorted(tool.arguments.model_fields)
    names = st.sampled_from([*fields, "a field that it doesn't know"])
    said = data.draw(st.dictionaries(names, ANYTHING, max_size=6))
    try:
        tool.arguments.model_validate(said)
        refused = set()
    except ValidationError as error:
        refused = {problem["loc"][0] for problem in error.errors()}
    assert refused <= set(fields)


@given(st.text(min_size=1, max_size=60))
async def test_any_words_can_be_searched_for(query):
    async with open_own("memory://", SETTINGS) as board:
        await board.ask("create_task", CreateTask(**TASK), "a")
        if query.strip() and not any("\ud800" <= character <= "\udfff" for character in query):
            answer = await board.ask("search_tasks", SearchTasks(query=query), "a")
            assert answer["success"]


@given(st.text(max_size=100))
def test_words_are_letters_and_digits_alone(query):
    assert all(word and word.isalnum() for word in listing._words(query))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-12-31T23:59:59Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-12-31 23:59:59", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-12-31T23:59:59+02:00", datetime(2026, 12, 31, 21, 59, 59, tzinfo=UTC)),
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
    ],
)
def test_times_are_utc_where_no_zone_is_told(written, read):
    assert CreateTask(**TASK, due_date=written).due_date == read


@pytest.mark.parametrize(
    "wrong", ["soon", "1700000000", 1700000000, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_other_times_are_refused(wrong):
    with pytest.raises(ValidationError):
        CreateTask(**TASK, due_date=wrong)


def test_what_a_database_refuses_is_left_out():
    assert CreateTask(**TASK | {"title": "a\0b"}).title == "ab"


def test_unknown_fields_are_left_aside_as_todorama_does():
    assert QueryTasks(project_id=1, foo=2).project_id == 1


def test_each_failure_doubles_the_rest_up_to_the_longest():
    asked = rules(SETTINGS)
    assert [asked.rest_s(attempts) for attempts in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert asked.rest_s(10_000) == SETTINGS.todorama_backoff_max_s

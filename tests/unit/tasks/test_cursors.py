"""Cursors come back as they went out, and nothing else is taken for one."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.tasks import cursors
from essence.tasks.arguments import ID_MAX
from essence.tasks.refusals import Refusal


@given(st.tuples(st.integers(0, 9), st.integers(0, ID_MAX)))
def test_a_cursor_comes_back_as_the_place_that_it_was(place):
    assert cursors.read(cursors.written(place)) == place


@given(st.text(max_size=200))
def test_any_other_text_is_a_place_or_is_refused(text):
    try:
        rank, row_id = cursors.read(text)
    except Refusal:
        return
    assert 0 <= rank <= 9
    assert 0 <= row_id <= ID_MAX


@pytest.mark.parametrize(
    "value", [None, 1, [1], [1, 2, 3], ["1", 2], [True, 1], [0, -1], [0, ID_MAX + 1], [10, 1], [0, 1.5]]
)
def test_json_of_another_shape_is_refused(value):
    with pytest.raises(Refusal, match="cursor"):
        cursors.read(base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("="))


def test_no_cursor_is_no_place():
    assert cursors.read(None) is None

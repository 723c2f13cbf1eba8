"""A few hundred damaged files; `python -m tests.fuzz_audio` goes on for as long as it is told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz_audio import corpus, mutate, outcome


@pytest.mark.parametrize("index", range(len(corpus())))
def test_every_prefix_of_a_file_is_sound_or_refused(index):
    file = corpus()[index]
    for length in {*range(0, min(len(file), 64), 8), *range(0, len(file), max(1, len(file) // 8))}:
        assert outcome(file[:length]) in {"sound", "refused"}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(range(len(corpus()))), st.integers(0, 2**32))
def test_a_damaged_file_is_sound_or_refused(index, seed):
    assert outcome(mutate(corpus()[index], random.Random(seed))) in {"sound", "refused"}


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(range(len(corpus()))),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=12),
)
def test_a_file_with_bytes_changed_is_sound_or_refused(index, changes):
    file = bytearray(corpus()[index])
    for place, value in changes:
        file[place % len(file)] = value
    assert outcome(bytes(file)) in {"sound", "refused"}


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=2000))
def test_any_bytes_are_sound_or_refused(data):
    assert outcome(data) in {"sound", "refused"}

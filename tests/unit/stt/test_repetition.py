from hypothesis import given
from hypothesis import strategies as st

from essence.engines.stt.repetition import is_loop, longest_run, repeated_ending

words = st.lists(st.integers(0, 50), min_size=1, max_size=12, unique=True)


def test_a_unit_that_follows_itself_is_counted() -> None:
    assert longest_run("xabababy") == (2, 3)
    assert longest_run("aaaa") == (1, 4)
    assert longest_run("abc") == (0, 1)
    assert longest_run("") == (0, 1)


@given(words, st.integers(5, 20), words)
def test_a_unit_repeated_five_times_or_more_is_a_loop_where_it_fills_the_text(
    unit: list[int], times: int, before: list[int]
) -> None:
    text = [*before[: len(unit)], *(unit * times)]
    assert is_loop(text)


@given(st.lists(st.integers(), unique=True, max_size=200))
def test_a_text_that_never_repeats_is_no_loop(items: list[int]) -> None:
    assert not is_loop(items)


def test_emphasis_is_no_loop() -> None:
    for said in ("no no no", "very very good", "yes yes yes yes", "it was the best it was the worst it was the age"):
        assert not is_loop(said.split()), said


def test_a_short_refrain_in_a_long_text_is_no_loop() -> None:
    assert not is_loop([*range(100), *([7] * 6), *range(100, 200)])


@given(words, st.integers(2, 8))
def test_what_is_reported_is_there(unit: list[int], times: int) -> None:
    length, found = longest_run(unit * times)
    assert (length, found) == (len(unit), times)


def test_an_ending_that_was_said_before_is_found_with_its_first_time() -> None:
    assert repeated_ending("abcdefabcdef") == (range(6), range(6, 12))
    assert repeated_ending("xxabcdefyyyabcdef") == (range(2, 8), range(11, 17))


def test_of_three_times_the_first_and_the_last_are_found() -> None:
    assert repeated_ending("abcdeabcdeabcde") == (range(5), range(10, 15))


def test_an_ending_that_was_broken_off_or_closed_otherwise_is_found() -> None:
    assert repeated_ending("abcdefgabcde") == (range(5), range(7, 12))
    assert repeated_ending("abcdef,abcdef.") == (range(6), range(7, 13))


def test_short_words_said_again_are_no_repeated_ending() -> None:
    for text in ("", "a", "abcabc", "abcdefgh", "nonono", "abcdefabcdefghi"):
        assert repeated_ending(text) is None, text


@given(st.lists(st.integers(0, 3), max_size=40))
def test_both_times_of_a_repeated_ending_are_alike_and_apart(items: list[int]) -> None:
    if (found := repeated_ending(items)) is not None:
        first, last = found
        assert first.stop <= last.start
        assert last.stop >= len(items) - 2
        assert [items[place] for place in first] == [items[place] for place in last]

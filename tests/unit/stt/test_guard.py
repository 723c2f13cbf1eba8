from hypothesis import given
from hypothesis import strategies as st

from essence.engines.stt.gate import Speech
from essence.engines.stt.guard import Heard, Span, Verdict, better, is_nothing, judge, spans_of, within

SPEECH = Speech(0.3, 4.2, 2.0)
ZERO = 1000
"""Token of the time 0.00 s."""


def heard(
    text: str = " It was the best of times.", *, end_s: float = 4.0, closed: bool = True, logprob: float = -0.2,
    language_probability: float = 0.9, no_speech: float = 0.1, spent: bool = False, repeat_tokens_per_s: float = 0.0,
) -> Heard:  # fmt: skip
    tokens = tuple(hash(word) for word in text.split())
    span = Span(text, 0.0, end_s, tokens, closed)
    return Heard((span,) if text else (), "en", language_probability, logprob, no_speech, spent, repeat_tokens_per_s)


def test_plain_speech_is_good() -> None:
    assert judge(heard(), SPEECH) is Verdict.GOOD


def test_a_loop_a_spent_budget_and_a_text_that_ends_early_are_broken() -> None:
    assert judge(heard(" It was the best." * 6), Speech(0.3, 8.2, 7.0)) is Verdict.BROKEN
    assert judge(heard(spent=True), SPEECH) is Verdict.BROKEN
    assert judge(heard(end_s=2.0), SPEECH) is Verdict.BROKEN


def test_no_text_where_the_gate_heard_speech_is_broken() -> None:
    assert judge(heard(""), SPEECH) is Verdict.BROKEN


def test_more_words_than_anybody_can_say_are_broken() -> None:
    many = " " + " ".join(map(str, range(40)))
    assert judge(heard(many, end_s=1.0), Speech(0.0, 1.0, 1.0)) is Verdict.BROKEN


def test_a_repetition_that_there_was_no_time_to_say_is_broken() -> None:
    twice = " It was the best of times." * 2
    assert judge(heard(twice, repeat_tokens_per_s=50.0), SPEECH) is Verdict.BROKEN
    assert judge(heard(twice, repeat_tokens_per_s=3.5), SPEECH) is Verdict.GOOD


def test_few_words_for_much_speech_are_doubtful() -> None:
    assert judge(heard(end_s=6.0), Speech(0.3, 6.2, 5.0)) is Verdict.DOUBTFUL
    assert judge(heard(end_s=8.0), Speech(0.3, 8.2, 2.0)) is Verdict.GOOD  # slowly, with pauses


def test_unlikely_words_and_an_unsure_language_are_doubtful() -> None:
    assert judge(heard(logprob=-1.3), SPEECH) is Verdict.DOUBTFUL
    assert judge(heard(language_probability=0.3), SPEECH) is Verdict.DOUBTFUL


def test_an_end_that_the_model_left_open_is_not_taken_for_a_cut_off() -> None:
    assert judge(heard(end_s=2.0, closed=False), SPEECH) is Verdict.GOOD


def test_of_two_attempts_the_less_broken_wins_then_the_likelier() -> None:
    loop, unsure, good = heard(spent=True, logprob=-0.01), heard(logprob=-1.2), heard(logprob=-0.4)
    assert better(loop, unsure, SPEECH) is unsure
    assert better(good, heard(logprob=-0.3), SPEECH).average_logprob == -0.3
    assert better(None, loop, SPEECH) is loop


def test_nothing_needs_both_of_whispers_signals() -> None:
    assert is_nothing(heard(no_speech=0.9, logprob=-1.4), Speech(0.0, 1.0, 1.0))
    assert not is_nothing(heard(no_speech=0.9, logprob=-0.4), Speech(0.0, 1.0, 1.0))
    assert not is_nothing(heard(no_speech=0.2, logprob=-1.4), Speech(0.0, 1.0, 1.0))
    assert is_nothing(heard(""), Speech(0.0, 1.0, 1.0))


def test_text_that_starts_after_the_sound_was_made_up() -> None:
    first, second = Span(" Hello.", 0.0, 1.4, (1,), closed=True), Span(" It was the", 2.0, 2.08, (2,), closed=False)
    result = within(Heard((first, second), "en", 1.0, -0.2, 0.1, spent=False), 1.3)
    assert result.text == " Hello."
    assert result.spans[0].end_s == 1.3


tokens = st.lists(st.integers(0, 999) | st.integers(ZERO, ZERO + 1500), max_size=80)


@given(tokens)
def test_splitting_at_timestamps_loses_no_token_and_keeps_their_order(generated: list[int]) -> None:
    spans = spans_of(generated, ZERO, 0.02, 30.0)
    assert [token for span in spans for token in span.tokens] == [token for token in generated if token < ZERO]
    assert all(span.tokens and span.start_s <= span.end_s for span in spans)


def test_spans_lie_between_their_timestamps() -> None:
    spans = spans_of([ZERO, 1, 2, ZERO + 100, ZERO + 150, 3], ZERO, 0.02, 5.0)
    assert [(s.start_s, s.end_s, s.tokens, s.closed) for s in spans] == [
        (0.0, 2.0, (1, 2), True),
        (3.0, 5.0, (3,), False),
    ]

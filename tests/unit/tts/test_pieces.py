import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from essence.engines.tts.phrases import LEAST_PHONEMES, LONG_FIRST_PHONEMES, LONG_PHONEMES, phrases
from essence.engines.tts.pieces import PIECE_CHARS, clean, pieces

TEXT = st.text(st.sampled_from("ab .,!?;\n。、"), max_size=400)
SENTENCE = st.text(st.sampled_from("aə ˈ,;"), max_size=1500).map(list)


@given(text=TEXT, limit=st.integers(4, 100))
def test_pieces_lose_nothing_and_none_is_too_long(text: str, limit: int) -> None:
    cut = list(pieces(text, limit))
    assert "".join(cut) == text
    assert all(0 < len(piece) <= limit for piece in cut)


def test_a_short_text_is_one_piece() -> None:
    text = "Mr. Smith is here. He waits."
    assert list(pieces(text)) == [text]


def test_a_cut_falls_between_sentences_where_there_is_one() -> None:
    text = "One two three. Four, five six. Seven eight nine"
    assert list(pieces(text, 34)) == ["One two three. Four, five six. ", "Seven eight nine"]


def test_a_cut_falls_behind_a_clause_before_it_falls_between_words() -> None:
    assert list(pieces("one two, three four five six", 20)) == ["one two, ", "three four five six"]


def test_a_cut_falls_between_words_before_it_falls_in_one() -> None:
    assert list(pieces("one two three four", 10)) == ["one two ", "three four"]


def test_a_decimal_point_ends_no_sentence() -> None:
    assert next(pieces("It costs 3.50 more than 2.25 did", 20)) == "It costs 3.50 more "


def test_chinese_is_cut_at_its_own_full_stop() -> None:
    assert list(pieces("今天天气很好。我们去公园", 10)) == ["今天天气很好。", "我们去公园"]


@given(text=st.text(st.characters()))
def test_cleaned_text_can_be_encoded_and_holds_no_control_character(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert all(c == "\n" or unicodedata.category(c) != "Cc" for c in cleaned)
    assert len(cleaned) == len(text)


@given(sentences=st.lists(SENTENCE, max_size=3))
def test_phrases_lose_no_sound_and_none_is_too_long(sentences: list[list[str]]) -> None:
    cut = list(phrases(sentences))
    assert all(0 < len(part) <= LONG_PHONEMES for part in cut)
    said = "".join(map("".join, cut)).replace(" ", "")
    assert said == "".join(map("".join, sentences)).replace(" ", "")


@given(sentence=SENTENCE)
def test_a_later_sentence_of_ordinary_length_is_whole(sentence: list[str]) -> None:
    sentence = sentence[:LONG_PHONEMES] or ["a"]
    assert list(phrases([["a"], sentence]))[1:] == [sentence]


def test_a_long_first_sentence_starts_with_its_first_clause() -> None:
    clause, rest = ["a"] * LEAST_PHONEMES + [","], ["b"] * LONG_FIRST_PHONEMES
    assert list(phrases([[*clause, " ", *rest]])) == [clause, rest]


def test_a_first_sentence_of_ordinary_length_is_whole() -> None:
    sentence = ["a"] * 40 + [",", " "] + ["b"] * (LONG_FIRST_PHONEMES - 42)
    assert list(phrases([sentence])) == [sentence]


def test_pieces_hold_several_sentences() -> None:
    assert PIECE_CHARS > 4 * 100

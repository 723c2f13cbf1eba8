import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from essence.chat.sentences import SentenceSplitter, count_words


def split(text: str, *, language: str = "en", first_clause_words: int | None = None, min_words: int = 1) -> list[str]:
    splitter = SentenceSplitter(language=language, first_clause_words=first_clause_words, min_words=min_words)
    return splitter.feed(text) + splitter.flush()


TOKENS = [
    "Dr. Smith ",
    "3.14",
    "e.g. ",
    ". ",
    "! ",
    "? ",
    "…",
    "。",
    "？",
    "\n",
    "\n\n",
    "```",
    "```py\n",
    "`",
    "|",
    "- ",
]
TOKENS += ["1. ", "# ", "[", "](", ")", "(", ", ", "<think>", "</think>", "~~~", "U.S. ", "https://a.b/c?d ", "।", " "]
TOKENS += ["Word ", "word ", "12. ", "\r\n"]
MARKDOWN = st.lists(
    st.one_of(
        st.sampled_from(TOKENS),
        st.text(max_size=8),
    ),
    max_size=40,
).map("".join)


@given(MARKDOWN)
@example("a" * 1000)
@example("[" * 1000)
def test_the_pieces_put_together_are_the_answer(text: str) -> None:
    splitter = SentenceSplitter(max_chars=60)
    assert "".join(splitter.feed(text) + splitter.flush()) == text


@given(MARKDOWN, st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_the_pieces_do_not_depend_on_how_tokens_fell(text: str, sizes: list[int]) -> None:
    splitter, pieces, at, turn = SentenceSplitter(max_chars=60), [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        pieces += splitter.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    whole = SentenceSplitter(max_chars=60)
    assert pieces + splitter.flush() == whole.feed(text) + whole.flush()


@given(MARKDOWN)
def test_no_piece_but_the_last_is_without_a_word(text: str) -> None:
    splitter = SentenceSplitter()
    assert all(count_words(piece) for piece in splitter.feed(text) if len(piece) < 300)


@given(st.text(alphabet="abc ,.()`", max_size=2000))
def test_no_piece_of_prose_is_longer_than_twice_the_limit(text: str) -> None:
    splitter = SentenceSplitter(max_chars=50)
    assert all(len(piece) <= 100 for piece in splitter.feed(text))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello world. How are you?", ["Hello world. ", "How are you?"]),
        ("Stop! Who goes there? A friend.", ["Stop! ", "Who goes there? ", "A friend."]),
        ("Well… Maybe not.", ["Well… ", "Maybe not."]),
        ("Well... maybe not.", ["Well... maybe not."]),
        ("He said “Go.” She went.", ["He said “Go.” ", "She went."]),
        ("It was **bold.** Then plain.", ["It was **bold.** ", "Then plain."]),
        ("Really?! Yes.", ["Really?! ", "Yes."]),
        ("In 1999. Then came 2000.", ["In 1999. ", "Then came 2000."]),
        ("Open at 5 p.m. Closed at 9.", ["Open at 5 p.m. ", "Closed at 9."]),
        ("今日は良い天気です。明日は雨でしょう！", ["今日は良い天気です。", "明日は雨でしょう！"]),
        ("「本当？」と彼は言った。はい。", ["「本当？」", "と彼は言った。", "はい。"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है। ", "यह दूसरा है।"]),
        ("هل أنت بخير؟ نعم.", ["هل أنت بخير؟ ", "نعم."]),
        ("Привет. Как дела?", ["Привет. ", "Как дела?"]),
        ("- Milk\n- Eggs\n- Bread", ["- Milk\n", "- Eggs\n", "- Bread"]),
        ("# Title\nBody text.", ["# Title\n", "Body text."]),
        ("# title\nbody text.", ["# title\n", "body text."]),
        ("One paragraph\n\nanother one", ["One paragraph\n\n", "another one"]),
        ("1. First step.\n2. Second step.", ["1. First step.\n", "2. Second step."]),
        ("Tell me. No. Then go.", ["Tell me. ", "No. ", "Then go."]),
        ("Rain today. 3 mm fell.", ["Rain today. ", "3 mm fell."]),
    ],
)
def test_a_sentence_ends(text: str, pieces: list[str]) -> None:
    assert split(text) == pieces


@pytest.mark.parametrize(
    "text",
    [
        "Pi is 3.14 and more",
        "Fruit, e.g. Apples and pears",
        "I met Dr. Smith and Mrs. Jones",
        "The U.S. Army came",
        "It was J. R. R. Tolkien",
        "Take v1.2 or v1.3",
        "See https://example.com/a.B?c=D!e for more",
        "See page (it is long. Very long.) and go on",
        "Read [the docs. All of them](https://a.example) now",
        "Type `a. B` now",
        "Type ``a. `B`. C`` now",
        "a line that is wrapped\nand goes on",
        "1. Install it",
        "Cats vs. Dogs",
        "See No. 5 and Fig. 3",
        "“Really?” he asked",
        "z. B. Äpfel und Birnen",
        "Ул. Ленина",
    ],
)
def test_it_is_not_cut(text: str) -> None:
    assert split(text) == [text]


def test_an_ordinal_number_is_not_an_end_where_a_language_writes_it_with_a_stop() -> None:
    assert split("Am 22. November kommt er.", language="de") == ["Am 22. November kommt er."]
    assert split("I bought 22. Then I left.", language="en") == ["I bought 22. ", "Then I left."]


@pytest.mark.parametrize("fence", ["```", "````", "~~~"])
def test_a_fence_is_never_cut(fence: str) -> None:
    code = f"{fence}py\n" + "x = 1. Then! Go?\n\n| a\n# Title\n" * 30 + f"{fence}\n"
    assert split(f"Look here:\n{code}Done now. Bye.") == ["Look here:\n", code, "Done now. ", "Bye."]


def test_a_longer_fence_holds_a_shorter_one() -> None:
    code = "````\n```\nA. B\n```\nC. D\n````\n"
    assert split(f"{code}Done.") == [code, "Done."]


def test_a_table_is_never_cut() -> None:
    table = "| a. B | c |\n|---|---|\n" + "| One. Two! | 3 |\n" * 30
    assert split(f"Look here.\n{table}\nDone.") == ["Look here.\n", table + "\n", "Done."]


def test_reasoning_is_never_cut() -> None:
    assert split("<think>One. Two.\n\nThree.</think>Four. Five.") == [
        "<think>One. Two.\n\nThree.</think>Four. ",
        "Five.",
    ]


def test_a_piece_comes_as_soon_as_the_next_one_begins() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("Hello world. ") == []
    assert splitter.feed("H") == ["Hello world. "]


def test_the_first_piece_may_end_at_a_comma() -> None:
    text = "As far as I know, it rains, and it will rain. As far as I know, yes."
    assert split(text, first_clause_words=5) == [
        "As far as I know, ",
        "it rains, and it will rain. ",
        "As far as I know, yes.",
    ]
    assert split("Yes, it rains. No.", first_clause_words=5) == ["Yes, it rains. ", "No."]


def test_a_short_sentence_waits_only_where_something_is_being_said() -> None:
    assert split("Yes. No. I am not so sure.", min_words=3) == ["Yes. ", "No. I am not so sure."]


def test_a_short_sentence_does_not_wait_for_a_fence() -> None:
    assert split("It is so. Here:\n```\na\n```\n", min_words=3) == ["It is so. ", "Here:\n", "```\na\n```\n"]


def test_a_long_sentence_is_cut_at_its_last_clause_else_at_a_space() -> None:
    clauses = "word word word word word word, " * 20
    assert all(piece.endswith(", ") for piece in split(clauses))
    assert all(len(piece) <= 300 and piece.endswith(" ") for piece in split("word " * 200))


def test_a_stray_bracket_does_not_silence_the_answer() -> None:
    assert len(split("It is sad ( really. " + "More words follow here. " * 50)) > 10
    assert split("Sad :( Very sad. But fine.") == ["Sad :( Very sad. ", "But fine."]


def test_the_memory_of_an_answer_is_one_piece() -> None:
    splitter = SentenceSplitter()
    longest = max(len(piece) for _ in range(500) for piece in splitter.feed("A sentence of some words. "))
    assert longest < 100

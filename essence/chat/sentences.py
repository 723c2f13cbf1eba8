"""Cuts a streaming answer into pieces that can be spoken while the rest is still being written.

The scanner reads one character after the other, so what it yields can't depend on how a model's tokens fell, and it
cuts only before a character that it has seen: nothing that follows can take a cut back. Put together, the pieces are
the text to the last character.
"""

from __future__ import annotations

import regex

STOPS = frozenset(".!?…؟۔।॥‽")
"""End a sentence where white space and no small letter follows."""
WIDE_STOPS = frozenset("。！？｡．")
"""End a sentence whatever follows: these scripts put no space between sentences."""
CLAUSES = frozenset(",;:–—،؛")
WIDE_CLAUSES = frozenset("，、；：")
CLOSERS = frozenset("\"'’”»)]}*_~`）」』】》〉")
OPENING_BRACKETS, CLOSING_BRACKETS = frozenset("([{（「『【"), frozenset(")]}）」』】")
TABLE_EDGES = frozenset("|│┃║┌┏╔├┣╠└┗╚")
FENCES = frozenset("`~")

# Only abbreviations that a capital follows are needed: before a small letter a full stop never cuts. Words that end
# many a sentence ("me", "etc", "sun") are left out. English and Latin first, then de, fr, es, it, pt, nl, pl, ru, tr.
ABBREVIATIONS = frozenset(
    """
    dr mr mrs ms prof rev hon sr jr st mt ft gen col capt sgt lt gov sen vs approx dept inc ltd corp al cf viz
    hr hrn bzw evtl ggf inkl usf vgl bsp mio mrd mme mlle mgr dra srta ud uds vda dott avv sra dhr mevr drs bijv ul
    ks św np tzn tys гг ул им тыс млн млрд руб doç yrd sok cad vb örn bkz
    """.split()  # noqa: SIM905 (a hundred quoted words are harder to read)
)
NUMBERED = frozenset(
    """
    no nos nr fig figs eq sec ch vol p pp ed art kap abs abb tel núm pág str стр рис см
    jan feb mar apr jun jul aug sep sept oct nov dec
    """.split()  # noqa: SIM905 (as above)
)
"""Abbreviations before a number alone: "No. 5", but "I said no. Then …"."""
ORDINAL_DOT_LANGUAGES = frozenset(
    "bs cs da de et fi fo hr hu is lb lv nb nn no pl sk sl sr tr".split()  # noqa: SIM905 (as above)
)
"""Write "22." for "22nd", so that a full stop after a small number ends nothing."""

_WORD = regex.compile(r"[\p{L}\p{N}\p{M}’']+")
_IDEOGRAPH = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]")
_LAST_WORD = regex.compile(r"(?<![\p{L}\p{N}])[\p{L}\p{N}.]{1,16}$")
_DOTTED = regex.compile(r"(?:\p{L}\.)+\p{L}|\p{L}")
_LIST_NUMBER = regex.compile(r"(?:^|\n)[ \t]*\d{1,9}[.)]$")
_ENDS_AT = regex.compile(r"[ap]\.?m", regex.IGNORECASE)


def count_words(text: str) -> int:
    """Words as an ear counts them: of scripts without spaces, two characters are one."""
    ideographs = len(_IDEOGRAPH.findall(text))
    return len(_WORD.findall(_IDEOGRAPH.sub(" ", text) if ideographs else text)) + (ideographs + 1) // 2


class SentenceSplitter:
    """Splits one answer; make a new one for the next.

    A fence, a table, a `<think>` block, inline code and a bracket are never cut inside (the last two until twice
    `max_chars`, since a stray backtick must not silence the rest of the answer).
    """

    def __init__(
        self, *, language: str = "en", first_clause_words: int | None = 5, min_words: int = 3, max_chars: int = 300
    ) -> None:
        """Choose how early and how long the pieces are.

        Args:
            language: ISO 639-1; decides whether "22." may be an ordinal number.
            first_clause_words: The first piece may end at a comma once it has this many words; None waits for the
                sentence. Five words are about 2 s of speech (150 words a minute), in which a model of 12 tokens a
                second writes an average sentence of 18 words: the voice starts a second earlier and does not run dry.
            min_words: A shorter piece waits for the next one, unless nothing was spoken yet.
            max_chars: A longer sentence is cut at its last clause, else at its last space.
        """
        self._ordinal_dots = language.split("-")[0].lower() in ORDINAL_DOT_LANGUAGES
        self._first_clause_words, self._min_words, self._max_chars = first_clause_words, min_words, max_chars
        self._spoken = False
        self._text = ""
        self._line = ""  # the current line, without its indent
        self._end = ""  # the stop or comma that the text ends with, closers aside
        self._end_at = 0  # where in the text it is
        self._gap = False  # white space since then
        self._newlines = 0  # since the last visible character
        self._depth = 0  # open brackets
        self._ticks = self._code = 0  # the run of backticks that the text ends with; the run that opened inline code
        self._fence = ""
        self._table = self._thinking = False
        self._clause_at = self._space_at = 0  # the last places where a long sentence may be cut

    def feed(self, text: str) -> list[str]:
        """Take the next text, of any length, and give the pieces that are certain to be complete."""
        return [piece for character in text for piece in self._step(character)]

    def flush(self) -> list[str]:
        """Give what is left, once the answer has ended."""
        rest, self._text = self._text, ""
        return [rest] if rest else []

    def _step(self, character: str) -> list[str]:
        pieces = []
        if character.isspace():
            self._space(character)
        else:
            if self._cuts_before(character):
                pieces.append(self._take(len(self._text)))
            self._visible(character)
        self._text += character
        if len(self._text) >= self._max_chars and not self._in_block and (at := self._emergency_exit()):
            pieces.append(self._take(at))
        return pieces

    @property
    def _in_block(self) -> bool:
        return bool(self._fence) or self._table or self._thinking

    @property
    def _in_span(self) -> bool:
        return self._depth > 0 or self._code > 0

    def _take(self, at: int) -> str:
        piece, self._text = self._text[:at], self._text[at:]
        self._clause_at, self._space_at = max(0, self._clause_at - at), max(0, self._space_at - at)
        self._end_at = max(0, self._end_at - at)
        self._spoken = True
        return piece

    # What the text so far says

    def _space(self, character: str) -> None:
        self._gap = True
        self._settle_ticks()
        if not self._in_span and not self._in_block:
            self._space_at = len(self._text) + 1
        if character != "\n":
            self._line += character if self._line else ""
            return
        self._newlines += 1
        if self._fence and self._newlines == 1 and self._closes_fence():
            self._fence, self._end, self._end_at = "", "\n", len(self._text)
        if self._newlines == 2:
            self._depth = self._code = 0

    def _closes_fence(self) -> bool:
        line = self._line.strip()
        return len(line) >= len(self._fence) and not line.strip(self._fence[0]) and "\n" in self._text.strip()

    def _settle_ticks(self) -> None:
        if self._ticks and not self._fence:
            self._code = self._ticks if not self._code else 0 if self._code == self._ticks else self._code
        self._ticks = 0

    def _visible(self, character: str) -> None:
        if self._newlines or not self._text.strip():
            self._start_line(character)
        else:
            self._line += character
        self._newlines = 0
        if character == "`":
            self._ticks += 1
        else:
            self._settle_ticks()
        self._open_or_close_block(character)
        self._bracket(character)
        self._punctuate(character)

    def _start_line(self, character: str) -> None:
        self._line = character
        if not self._fence:
            self._table = character in TABLE_EDGES

    def _open_or_close_block(self, character: str) -> None:
        if not self._fence and character in FENCES and self._line[:3] == self._line == character * 3:
            self._fence, self._ticks, self._code = self._line, 0, 0
        elif self._fence and character == self._fence[0] and self._line == self._fence + character:
            # ```` opens with four: still the opening line, unless a line lies between
            self._fence = self._line if "\n" not in self._text.strip() else self._fence
        if character == ">" and not self._fence and not self._code:
            tail = self._text[-7:].lower()
            self._thinking = tail.endswith("<think") or (self._thinking and not tail.endswith("</think"))

    def _bracket(self, character: str) -> None:
        if self._code or self._in_block:
            return
        if character in OPENING_BRACKETS and self._text[-1:] not in (":", ";"):  # a smiley opens nothing
            self._depth += 1
        elif character in CLOSING_BRACKETS:
            self._depth = max(0, self._depth - 1)

    def _punctuate(self, character: str) -> None:
        if character in STOPS or character in WIDE_STOPS or character in CLAUSES or character in WIDE_CLAUSES:
            self._end, self._end_at, self._gap = character, len(self._text), False
        elif character not in CLOSERS or self._gap:
            self._end, self._gap = "", False

    # Where it may be cut

    def _cuts_before(self, character: str) -> bool:
        if self._in_block and not (self._table and self._newlines and character not in TABLE_EDGES):
            return False
        return (self._ends_line(character) or self._ends_sentence(character)) and self._is_worth_saying(character)

    def _is_worth_saying(self, character: str) -> bool:
        words = count_words(self._text)
        block_follows = self._newlines > 0 and (character in FENCES or character in TABLE_EDGES)
        return words >= (1 if block_follows or not self._spoken else self._min_words)

    def _ends_line(self, character: str) -> bool:
        if self._newlines >= 2 or (self._newlines and (self._table or self._end == "\n")):
            return True
        if not self._newlines or self._in_span:
            return False
        wrapped = character.islower() and not self._line.startswith("#")
        return not wrapped or self._end in STOPS or self._end == ":"

    def _ends_sentence(self, character: str) -> bool:
        end = self._end
        if not end or self._in_span or (character in CLOSERS and not self._gap):
            return False
        if end in WIDE_STOPS:
            return character not in WIDE_STOPS
        if end in WIDE_CLAUSES or (end in CLAUSES and self._gap):
            self._clause_at = len(self._text)
            return self._is_early_enough()
        return self._gap and end in STOPS and not character.islower() and not self._is_abbreviated(character)

    def _is_early_enough(self) -> bool:
        if self._spoken or self._first_clause_words is None:
            return False
        return count_words(self._text) >= self._first_clause_words

    def _is_abbreviated(self, following: str) -> bool:
        if self._end != ".":
            return False
        before = self._text[: self._end_at]
        found = _LAST_WORD.search(before, max(0, self._end_at - 16))
        if found is None:
            return False
        word = found[0].strip(".")
        if word.isdecimal():
            return self._is_ordinal(word)
        if word.lower() in ABBREVIATIONS or (following.isdecimal() and word.lower() in NUMBERED):
            return True
        return _DOTTED.fullmatch(word) is not None and word != "I" and _ENDS_AT.fullmatch(word) is None

    def _is_ordinal(self, number: str) -> bool:
        listed = _LIST_NUMBER.search(self._text[: self._end_at + 1], max(0, self._end_at - 24)) is not None
        return listed or (self._ordinal_dots and len(number) <= 2)

    def _emergency_exit(self) -> int:
        """Where an overlong sentence is cut, 0 for not yet."""
        if self._clause_at > self._max_chars // 3:
            return self._clause_at
        if self._space_at > 1:
            return self._space_at
        if self._in_span and len(self._text) < 2 * self._max_chars:
            return 0
        self._depth = self._code = self._ticks = 0  # never closed: no brackets, or not in this sentence
        return len(self._text)

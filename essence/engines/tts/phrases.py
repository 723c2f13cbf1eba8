"""Where a long sentence may be cut, so that the first audio comes early and no inference grows without limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

LONG_FIRST_PHONEMES = 140
"""About 6 s of speech. A first sentence beyond it starts with its first clause alone: its audio comes in less than
half the time, while a shorter one would pay more (12 ms of extra work, a pause of 0.1 s) than it gains."""
LONG_PHONEMES = 240
"""A VITS voice's work and memory grow faster than the sentence: real-time factor 0.04 at 120 phonemes, 0.06 at 300,
0.11 at 1200 and then 0.5 GB more. Beyond this length the parts cost less than the whole."""
LEAST_PHONEMES = 24
"""About 1 s. Shorter parts sound chopped."""

_CLAUSE_ENDS = frozenset(",;:—、，；：")


def phrases(sentences: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """Yield each sentence's phonemes in order, whole or in parts of at most `LONG_PHONEMES`.

    Parts are cut behind a clause's end, else at a space, else anywhere; the space at a cut is dropped.
    """
    first = True
    for sentence in sentences:
        rest = list(sentence)
        while (cut := _cut(rest, first=first)) is not None:
            part, rest = _split(rest, cut)
            yield part
            first = False
        if rest:
            yield rest
            first = False


def _cut(phonemes: Sequence[str], *, first: bool) -> int | None:
    """How many phonemes the next part takes; None for all."""
    if first and len(phonemes) > LONG_FIRST_PHONEMES and (end := _first_clause_end(phonemes)):
        return end
    return _last_cut(phonemes) if len(phonemes) > LONG_PHONEMES else None


def _split(phonemes: list[str], cut: int) -> tuple[list[str], list[str]]:
    """Two parts; neither has the space at the cut."""
    end = cut - 1 if phonemes[cut - 1] == " " else cut
    start = cut + 1 if phonemes[cut : cut + 1] == [" "] else cut
    return phonemes[:end], phonemes[start:]


def _first_clause_end(phonemes: Sequence[str]) -> int | None:
    ends = range(LEAST_PHONEMES, min(LONG_PHONEMES, len(phonemes) - LEAST_PHONEMES))
    return next((at + 1 for at in ends if phonemes[at] in _CLAUSE_ENDS), None)


def _last_cut(phonemes: Sequence[str]) -> int:
    """The last end of a clause, else of a word, that leaves no stump behind."""
    latest = min(LONG_PHONEMES, len(phonemes) - LEAST_PHONEMES)
    for ends in (_CLAUSE_ENDS, frozenset(" ")):
        for at in range(latest - 1, LEAST_PHONEMES - 1, -1):
            if phonemes[at] in ends:
                return at + 1
    return latest

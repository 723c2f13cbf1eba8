"""What of a written answer is said aloud, and in which words.

The answer is Markdown for the eye; the voice gets letters, digits, spaces and the punctuation that makes pauses, and
nothing else. Stages, each in a module: reasoning out (`essence.chat.reasoning`), markup to words (`markup`), numbers
and signs to words (`tokens`, `words`), and the whitelist (`alphabet`). What is said in place of what can't be read out:

- a block of code or a table: one short sentence in the answer's language ("I sent the code as text.");
- a link: its label; a bare address: its host ("example dot com"); an image: its description;
- inline code: its words where it is a name, else "this code";
- tool calls, reasoning, footnote and citation marks, HTML tags, emoji, box drawing: nothing.
"""

from __future__ import annotations

from essence.chat.reasoning import without_reasoning
from essence.chat.speakable.alphabet import has_speech, plain_letters, whitelisted
from essence.chat.speakable.markup import spoken_words
from essence.chat.speakable.phrases import phrases_of
from essence.chat.speakable.tokens import spell_out

__all__ = ["has_speech", "speakable"]

_STOPS = {"zh": "。", "ja": "。", "hi": "।", "mr": "।", "ne": "।", "bn": "।", "ur": "۔"}


def speakable(markdown: str, language: str = "en") -> str:
    """Give what a voice should say for an answer, or for one piece of `SentenceSplitter`.

    Args:
        markdown: The answer as the model wrote it.
        language: ISO 639-1 code of the answer, a region may follow ("pt-BR"). A language that June has no words for
            keeps its digits and loses its signs.

    Returns:
        One line, without white space around it; empty where there is nothing to say.
    """
    language = language.replace("_", "-").split("-")[0].lower()
    text = plain_letters(without_reasoning(markdown))
    text = spoken_words(text, phrases_of(language), stop=_STOPS.get(language, "."))
    return whitelisted(spell_out(text, language))

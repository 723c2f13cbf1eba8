"""Who may cause what. Provenance decides, not the model.

A model can be talked into anything by a text that it reads, so what it asks for is judged without it:

- Tools are the owner's: a guest's message, or a task that is nobody's message, may use none that shows or changes
  anything of theirs. For the owner, what changes nothing is allowed.
- Only words that the owner themselves typed or spoke authorize a change. A message that was passed on authorizes none.
- As long as the model has read nothing but the owner's words, June's own and what the owner made her keep, a change is
  theirs. Once others' words are in its sight (a quote, a page, a file, another tool's text), a change is done unasked
  only where the owner's words call for this very tool and each argument stands in them as it is; else they are asked.
- What can't be undone, and what was heard badly, is asked for each time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from essence.agent.first_look import asked_for
from essence.agent.job import Job
from essence.agent.tools.tool import AnyTool

Verdict = Literal["allowed", "ask", "refused"]
_EDGES = " .,;:!?\"'«»“”„‘’"


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules, for one setting of caution."""

    confidence: float
    """What was heard with less is asked for. [0 to 1]"""

    def judge(self, tool: AnyTool, arguments: str, job: Job, *, tainted: bool, described: bool = False) -> Verdict:
        """Whether a call may be made.

        Args:
            tool: What is called.
            arguments: As the model wrote them, JSON text.
            job: For whom.
            tainted: The model has read words of others.
            described: It reads them at least in the descriptions of its tools.
        """
        # What a server of others is asked carries words away, though it changes nothing.
        tells_others = tool.described_by_others and tainted
        if tool.public or (tool.effect == "none" and job.owner and not tells_others):
            return "allowed"
        if not job.words or job.request is None:
            return "refused"
        if tool.effect == "risk" or job.request.confidence < self.confidence:
            return "ask"
        return "allowed" if not (tainted or described) or _is_theirs(tool, arguments, job.words) else "ask"


def _is_theirs(tool: AnyTool, arguments: str, words: str) -> bool:
    said = _plain(words)
    return tool.name in asked_for(words) and all(_stands_in(text, said) for text in _texts(json.loads(arguments)))


def _stands_in(text: str, said: str) -> bool:
    """The owner wrote just this, at a stretch: the same words in another order are others' words."""
    plain = _plain(text)
    return bool(plain) and re.search(rf"(?<!\w){re.escape(plain)}(?!\w)", said) is not None


def _plain(text: str) -> str:
    """Without case, and without what models add around what they repeat: spaces, quotes, the end of a sentence."""
    return " ".join(text.casefold().split()).strip(_EDGES)


def _texts(value: object) -> list[str]:
    """Whatever is written in arguments, however deep. Nobody writes True or False: such a word is the model's own."""
    match value:
        case dict():
            return [text for inner in value.values() for text in _texts(inner)]
        case list():
            return [text for inner in value for text in _texts(inner)]
        case None:
            return []
        case _:
            return [str(value)]


def is_tainted(job: Job) -> bool:
    """Whether the task itself brings words of others."""
    return job.request is None or job.request.forwarded or bool(job.request.quoted) or not job.owner

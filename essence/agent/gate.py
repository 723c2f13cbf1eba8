"""Who may cause what. Provenance decides, not the model.

A model can be talked into anything by a text that it reads, so what it asks for is judged without it:

- Tools are the owner's: a guest's message, or a task that is nobody's message, may use none that shows or changes
  anything of theirs. For the owner, what changes nothing is allowed.
- Only words that the owner themselves typed or spoke authorize a change. A message that was passed on authorizes none.
- As long as the model has read nothing but the owner's words, June's own and what the owner made her keep, a change is
  theirs. Once others' words are in its sight (a quote, a page, a file, another tool's text), a change is done unasked
  only where the owner's words call for this very tool and every word of the arguments is theirs; else they are asked.
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
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules, for one setting of caution."""

    confidence: float
    """What was heard with less is asked for. [0 to 1]"""

    def judge(self, tool: AnyTool, arguments: str, job: Job, *, tainted: bool) -> Verdict:
        """Whether a call may be made.

        Args:
            tool: What is called.
            arguments: As the model wrote them, JSON text.
            job: For whom.
            tainted: The model has read words of others.
        """
        if tool.public or (tool.effect == "none" and job.owner):
            return "allowed"
        if not job.words or job.request is None:
            return "refused"
        if tool.effect == "risk" or job.request.confidence < self.confidence:
            return "ask"
        return "allowed" if not tainted or _is_theirs(tool, arguments, job.words) else "ask"


def _is_theirs(tool: AnyTool, arguments: str, words: str) -> bool:
    said = _words(words)
    return tool.name in asked_for(words) and all(_words(text) <= said for text in _texts(json.loads(arguments)))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _texts(value: object) -> list[str]:
    """Whatever is written in arguments, however deep."""
    match value:
        case dict():
            return [text for inner in value.values() for text in _texts(inner)]
        case list():
            return [text for inner in value for text in _texts(inner)]
        case None | bool():
            return []
        case _:
            return [str(value)]


def is_tainted(job: Job) -> bool:
    """Whether the task itself brings words of others."""
    return job.request is None or job.request.forwarded or bool(job.request.quoted) or not job.owner

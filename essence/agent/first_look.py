"""What a message plainly asks for, seen without a model: which tools are offered to a small one, which are authorized.

English only. A message that the table doesn't know is simply answered by a small model; a large one is offered all
tools anyway.
"""

from __future__ import annotations

import re

_DAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_FILE = r"(?:\bfile\b|\b[\w-]+\.(?:txt|md|csv|json)\b)"
_TABLE: dict[str, tuple[str, ...]] = {
    "schedule": (
        rf"\bevery (?:single |other )?(?:day|morning|evening|night|week|weekday|hour|month|\d+ \w+|{_DAYS})\b",
        r"\b(?:remind\w*|alarm)\b.{0,30}\b(?:daily|weekly|hourly)\b|\b(?:daily|weekly|hourly) (?:reminder|at|on)\b",
        r"\bon weekdays\b",
    ),
    "remind": (
        r"\bremind me\b",
        r"\breminder (?:for|to|at|in)\b",
        r"\b(?:set|start)\b.{0,30}\b(?:timer|alarm|reminder)\b",
        r"\b(?:timer|alarm) (?:for|in|at)\b",
        r"\b(?:timer|alarm)\b.{0,30}\b(?:\d+|an?|one|two|three|four|five|ten|fifteen|twenty|half)\b.{0,6}\b(?:min|hour|sec)",
        r"\bwake me\b",
        r"\b\d+[ -](?:second|minute|hour) timer\b",
        r"\btell me in\b",
        r"\bdon'?t let me forget\b",
    ),
    "cancel_reminder": (r"\b(?:cancel|delete|remove|stop|drop)\b.{0,40}\b(?:reminder|timer|alarm)",),
    "reminders": (r"\b(?:what|which|show|list|any)\b.{0,25}\b(?:reminders|timers|alarms)\b",),
    "remember": (
        r"\b(?:remember|memorize|keep in mind|(?:make|take) a note|note) (?:that|this|my|it|of|down|i)\b(?!.*\?\s*$)",
        r"^\W*(?:please )?(?:remember|note|memorize)\b(?! (?:what|when|who|where|if|how)\b)(?!.*\?\s*$)",
        r"\bdon'?t forget that\b",
    ),
    "recall": (
        r"\bwhat do you (?:remember|know) about\b",
        r"\bdo you (?:remember|know) (?:my|where|when|what|who|if)\b",
        r"\b(?:what|who|where|when)(?:'s| is| are| was| were) my\b",
        r"\b(?:what|where|when) did i\b(?!.{0,10}\b(?:say|talk))",
        r"\bwhat (?:did|have) i (?:tell|told|ask)\b.{0,20}\bremember\b",
        r"\bwhat (?:have|did) i (?:told|tell) you\b",
        r"\bwhat did i (?:say|tell you) about\b",
        r"\b(?:do|am|did) i (?:have|own|like|prefer|allergic)\b.*\?",
        r"\b(?:list|show|tell me)\b.{0,30}\b(?:memories|remember|know about me)\b",
    ),
    "correct_memory": (r"\b(?:correct|change|update)\b.{0,30}\b(?:memory|remember|note)\b",),
    "forget": (
        r"(?<!don't )\bforget\b(?! to\b)(?!.*\b(?:reminder|timer|alarm)).{0,60}"
        r"\b(?:that|what|my|about|it|this|everything)\b",
        r"\b(?:delete|erase|remove)\b.{0,40}\b(?:memory|memories|you (?:know|remember)|my)\b"
        r"(?!.{0,20}\b(?:reminder|timer|alarm|file))",
    ),
    "search_conversations": (
        r"\b(?:did|have) (?:we|i|you)\b.{0,30}\b(?:talk|say|said|discuss|mention|chat)",
        r"\b(?:search|look through|look in)\b.{0,25}\b(?:conversation|chat|history|messages)",
    ),
    "fetch_page": (
        r"https?://\S+",
        r"\b(?:open|read|fetch|summari[sz]e)\b.{0,20}\b(?:web ?page|page|site|website|link|url)\b",
    ),
    "list_files": (r"\b(?:list|show|which|what)\b.{0,20}\bfiles\b",),
    "read_file": (rf"\b(?:read|open|show)\b.{{0,30}}{_FILE}", rf"\bwhat(?:'s| is) in\b.{{0,20}}{_FILE}"),
    "write_file": (rf"\b(?:write|save|create|put|add)\b.{{0,80}}{_FILE}",),
    "run_command": (r"\b(?:run|execute)\b.{0,20}(?:`|\bcommand\b)",),
    "split_task": (r"\bsplit\b.{0,40}\b(?:task|steps|parts)\b",),
    "follow_up": (r"\bfollow[- ]up\b",),
}
_LOOKS = tuple((name, re.compile(look, re.IGNORECASE | re.DOTALL)) for name, looks in _TABLE.items() for look in looks)
# What is found first rules out what its words also look like.
_RULES_OUT = {
    "schedule": {"remind"},
    "cancel_reminder": {"remind", "forget", "schedule"},
    "reminders": {"remind", "recall"},
    "recall": {"remember", "search_conversations"},
    "forget": {"remember", "recall"},
    "remind": {"remember", "forget"},
    "write_file": {"remember", "read_file"},
    "correct_memory": {"remember", "recall", "forget"},
}


def asked_for(words: str) -> frozenset[str]:
    """Names of the tools that the words call for; usually none or one."""
    found = {name for name, look in _LOOKS if look.search(words.replace("’", "'"))}
    ruled_out: set[str] = set().union(*(_RULES_OUT.get(name, set()) for name in found))
    return frozenset(found - ruled_out)

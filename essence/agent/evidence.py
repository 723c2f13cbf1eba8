"""Does an answer claim what was not done? A claim without a successful tool call behind it is marked.

A heuristic over the answer's sentences, in English, German, French and Spanish: it knows how people say that something
was done. It errs on the side of the mark, which costs a line of text; a false "done" costs trust.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from essence.agent.tools.tool import Kind

NOT_VERIFIED = "Not verified"

_I = r"\b(?:i|we)(?:'ve| have| had| just)?(?: just| already| now| successfully| also)* "
_CLAIMS: dict[Kind, tuple[str, ...]] = {
    "reminder": (
        r"\b(?:reminder|timer|alarm)s?\b.{0,60}\b(?:set|created|scheduled|added|started|running|cancell?ed)\b",
        _I + r"(?:set|created|scheduled|added|started|cancell?ed)\b.{0,40}\b(?:reminder|timer|alarm)",
        r"\bi(?:'ll| will) (?:remind|wake|alert|notify|ping) you\b",
        r"\b(?:erinnerung|wecker|timer)\b.{0,40}\b(?:gestellt|gesetzt|eingerichtet|erstellt)\b",
        r"\bich (?:werde dich erinnern|erinnere dich)\b",
        r"\b(?:rappel|minuteur|alarme)\b.{0,40}\b(?:créée?|programmée?|réglée?|ajoutée?)(?!\w)",
        r"\b(?:recordatorio|temporizador|alarma)\b.{0,40}\b(?:cread|programad|puest|añadid)[oa]\b",
    ),
    "memory": (
        _I + r"(?:remembered|memorized|noted|made a note|saved|stored)\b",
        r"\bi(?:'ll| will) remember\b",
        r"^\W*noted\b",
        r"\bich habe\b.{0,60}\b(?:gemerkt|notiert|gespeichert)\b",
        r"\bje l'ai (?:noté|enregistré|mémorisé)",
        r"\blo he (?:anotado|guardado)",
    ),
    "forgetting": (
        _I + r"(?:forgotten|deleted|removed|erased)\b",
        r"\bich habe\b.{0,60}\b(?:gelöscht|vergessen|entfernt)\b",
        r"\bj'ai (?:supprimé|effacé|oublié)",
        r"\bhe (?:borrado|eliminado|olvidado)",
    ),
    "file": (
        _I + r"(?:written|wrote|saved|created|updated|edited)\b.{0,60}(?:\bfile\b|\.\w{1,4}\b)",
        r"\bfile\b.{0,40}\b(?:has been|was|is) (?:written|saved|created|updated|deleted)\b",
        r"\bdatei\b.{0,40}\b(?:geschrieben|gespeichert|erstellt|gelöscht)\b",
    ),
    "command": (
        _I + r"(?:ran|run|executed|installed|restarted|deployed)\b",
        r"\bcommand\b.{0,30}\b(?:ran|succeeded|was executed|has been executed)\b",
    ),
    "task": (_I + r"(?:split|created|added|opened)\b.{0,40}\b(?:task|subtask|follow-up|ticket)s?\b",),
    "outside": (
        _I + r"(?:sent|posted|published|e-?mailed|messaged|called|phoned|submitted|uploaded|shared)\b",
        _I + r"(?:booked|ordered|bought|paid|purchased|transferred|turned (?:on|off))\b",
        r"\b(?:e-?mail|message|note|order|booking|payment|post|invitation)\b.{0,20}"
        r"\b(?:sent|posted|placed|made|published|confirmed)\b",
        r"\bich habe\b.{0,60}\b(?:gesendet|geschickt|gebucht|bestellt|bezahlt|angerufen)\b",
        r"\bj'ai (?:envoyé|réservé|commandé|payé|appelé)",
        r"\bhe (?:enviado|reservado|pedido|pagado|llamado)",
    ),
}
_LOOKS = tuple((kind, re.compile(look, re.IGNORECASE)) for kind, looks in _CLAIMS.items() for look in looks)
_DONE = re.compile(
    r"^\W*(?:done|all done|all set|it'?s done|finished|completed|task completed?)\b"
    r"|^\W*(?:erledigt|fertig|c'est fait|hecho|listo)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|cannot|never|unable|failed|if|would|could|should|can|nicht|kein\w*|pas|no|nunca)\b|n't\b",
    re.IGNORECASE,
)
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


def unproven(answer: str, proven: Collection[Kind], *, changed: bool) -> bool:
    """Whether an answer claims something that nothing shows to be done.

    Args:
        answer: What the owner would read.
        proven: What successful tool calls of this task did.
        changed: Any of them changed something.
    """
    return any(
        _is_unproven(sentence, proven, changed=changed)
        for sentence in _BETWEEN_SENTENCES.split(answer.replace("’", "'"))
        if not sentence.rstrip().endswith("?")
    )


def _is_unproven(sentence: str, proven: Collection[Kind], *, changed: bool) -> bool:
    claimed = {kind for kind, look in _LOOKS if (found := look.search(sentence)) and _is_said(sentence, found)}
    if len(claimed) > 1:
        claimed.discard("memory")  # "I have saved the file": the verb is shared, the thing tells which
    if claimed:
        return not claimed <= set(proven)
    done = _DONE.search(sentence)
    return done is not None and not changed


def _is_said(sentence: str, claim: re.Match[str]) -> bool:
    """Rather than denied, or only thought of."""
    return _DENIES.search(sentence[: claim.end()]) is None


def marked(answer: str) -> str:
    """The answer with a mark that its owner sees."""
    return (
        f"{answer.rstrip()}\n\n⚠️ {NOT_VERIFIED}: I have no record of having done this. Please check, or ask me again."
    )

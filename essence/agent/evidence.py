"""Does an answer claim what was not done? A claim without a successful tool call behind it is marked.

A heuristic over the answer's sentences, in English, German, French and Spanish: it knows how people say that something
was done. It errs on the side of the mark, which costs a line of text; a false "done" costs trust.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence

from essence.agent.tools.tool import Kind

NOT_VERIFIED = "Not verified"

_I = r"\b(?:i|we)(?:'ve| have| had| just)?(?: just| already| now| successfully| also)* "
_IS = r"\b(?:is|are|was|were|(?:has|have)(?: now| already)? been)(?: now| already| all| successfully)* "
_ARRANGED = r"(?:booked|reserved|ordered|bought|purchased|paid|forwarded|submitted|turned (?:on|off))\b"
_ORDERED = r"(?:table|room|flight|ticket|taxi|seat|hotel|appointment|light)s?\b.{0,20}?"
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
        _I + r"(?:forwarded|replied|reserved|texted|invited)\b",
        _I + r"(?:booked|ordered|bought|paid|purchased|transferred|turned (?:on|off))\b",
        r"\byour (?:[\w'-]+ ){1,6}?" + _IS + _ARRANGED,
        r"\bthe (?:[\w'-]+ ){0,2}?" + _ORDERED + _IS + _ARRANGED,
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
    r"\b(?:not|cannot|never|unable|failed|if|unless|until|whether|would|could|should|might|can|no|none|nothing|nobody"
    r"|neither|nor|without|nicht|kein\w*|pas|nunca)\b|n't\b",
    re.IGNORECASE,
)
_PROMISE = re.compile(r"\bwill\b|'ll\b|\bwerde\b", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?:if|unless)\b", re.IGNORECASE)
# Words of denial that deny nothing: "No problem", "As you can see", "I can confirm that".
_ASIDE = re.compile(
    r"\bno (?:problem|worries|trouble|doubt)\b|\bno need to worry\b|\b(?:don't|do not|not to) worry\b"
    r"|\b(?:i|we|you) (?:can|could|should)(?: now| also| already)? (?:see|tell|check|find|confirm|assure|report)\b",
    re.IGNORECASE,
)
_SUBJECT = (
    r"(?:i|we|you|it|this|that|there|he|she|they|the|your|my|our|everything|all|done|as"
    r"|ich|du|der|die|das|dein\w*|je|j'\w+|tu|le|la|ton|ta|he|lo|el|su)\b"
)
# Where the next clause begins. A comma alone may be within a list: "No timer, alarm or reminder is set."
_BETWEEN_CLAUSES = re.compile(
    rf"[;:()–—]|\s-\s|,\s*(?={_SUBJECT})|\b(?:but|so|because|although|though|while|aber|mais|pero)\b"
    rf"|\b(?:and|und|et|y)\s+(?={_SUBJECT})",
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
    sentence = _ASIDE.sub("", sentence)
    clauses = [0, *(boundary.end() for boundary in _BETWEEN_CLAUSES.finditer(sentence))]
    claimed = {kind for kind, look in _LOOKS if any(_is_said(claim, clauses) for claim in _all(look, sentence))}
    if len(claimed) > 1:
        claimed.discard("memory")  # "I have saved the file": the verb is shared, the thing tells which
    if claimed:
        return not claimed <= set(proven)
    done = _DONE.search(sentence)
    return done is not None and not changed


def _all(look: re.Pattern[str], sentence: str) -> Iterator[re.Match[str]]:
    """Also those that begin within another: "No reminder was there, but the timer is set" holds two."""
    found = look.search(sentence)
    while found is not None:
        yield found
        found = look.search(sentence, found.start() + 1)


def _is_said(claim: re.Match[str], clauses: Sequence[int]) -> bool:
    """Rather than denied or only thought of in its clause, or promised for a case that may come.

    Args:
        claim: Found in a sentence.
        clauses: Where the sentence's clauses begin, in order.
    """
    if _PROMISE.search(claim[0]) and _CONDITION.search(claim.string, 0, claim.start()):
        return False
    return _DENIES.search(claim.string, clauses[bisect_right(clauses, claim.start()) - 1], claim.end()) is None


def marked(answer: str) -> str:
    """The answer with a mark that its owner sees."""
    return (
        f"{answer.rstrip()}\n\n⚠️ {NOT_VERIFIED}: I have no record of having done this. Please check, or ask me again."
    )

"""What answers claim, and whether anything shows it."""

import pytest

from essence.agent.evidence import NOT_VERIFIED, marked, unproven

CLAIMS = {
    "reminder": (
        "Your reminder is set for 10:30.",
        "I've set a timer for ten minutes.",
        "I will remind you tomorrow.",
        "The alarm has been canceled.",
        "Ich habe den Timer gestellt.",
        "Le rappel est programmé pour demain.",
        "Recordatorio creado.",
    ),
    "memory": ("I've noted that.", "I will remember your birthday.", "Noted!", "Ich habe mir das gemerkt."),
    "forgetting": ("I have deleted it.", "I've forgotten your password.", "J'ai supprimé la note."),
    "file": ("I've saved it to notes.txt.", "I have written the file.", "The file has been created."),
    "command": ("I ran the tests.", "I've installed it for you.", "The command was executed."),
    "task": ("I've created a follow-up task.",),
    "outside": (
        "I've sent the email to Bob.",
        "Your message has been sent.",
        "Note posted.",
        "I booked the table.",
        "I've turned off the lights.",
        "Ich habe die Mail geschickt.",
    ),
}
PAIRS = [(kind, claim) for kind, claims in CLAIMS.items() for claim in claims]
INNOCENT = (
    "Paris is the capital of France.",
    "I haven't set a reminder yet.",
    "I can't send emails.",
    "Shall I set a reminder?",
    "If you like, I will remind you.",
    "I could not delete it.",
    "Ich habe die Mail nicht geschickt.",
    "Set a timer with the words: remind me.",
    "You asked me to remember your birthday.",
    "The letter was written in 1804.",
    "The message of the film is that love wins.",
)


@pytest.mark.parametrize(("kind", "claim"), PAIRS)
def test_a_claim_without_a_successful_call_is_found(kind, claim):
    assert unproven(claim, set(), changed=False)


@pytest.mark.parametrize(("kind", "claim"), PAIRS)
def test_a_claim_that_a_call_of_its_kind_proves_is_believed(kind, claim):
    assert not unproven(claim, {kind}, changed=True)


@pytest.mark.parametrize("answer", INNOCENT)
def test_what_claims_nothing_is_left_alone(answer):
    assert not unproven(answer, set(), changed=False)


def test_a_call_of_another_kind_proves_nothing():
    assert unproven("I've sent the email.", {"reminder"}, changed=True)


def test_one_of_two_claims_is_not_enough():
    assert unproven("I've set the reminder. I've sent the email.", {"reminder"}, changed=True)
    assert unproven("I've set the reminder and I've sent the email.", {"reminder"}, changed=True)


@pytest.mark.parametrize("answer", ["Done!", "All set.", "It's done.", "Erledigt.", "C'est fait."])
def test_done_means_that_something_was_changed(answer):
    assert unproven(answer, set(), changed=False)
    assert not unproven(answer, {"memory"}, changed=True)


def test_the_mark_stands_below_the_answer():
    assert marked("Done. ").splitlines()[0] == "Done."
    assert NOT_VERIFIED in marked("Done.").splitlines()[-1]

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
        "I forwarded the note to Bob.",
        "Your table is booked.",
        "Your table for two at Luigi's has been booked.",
        "The flight has now been booked.",
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


CLAIMED_BESIDE_A_DENIAL = (
    "No problem, I have sent the e-mail to Bob.",
    "No problem I have sent the e-mail to Bob.",
    "No, I have sent it already.",
    "As you can see, I've booked the table.",
    "The reminder, as you can see, is set.",
    "You can see that the reminder is set.",
    "I can confirm that the e-mail has been sent.",
    "If you look, you'll see the reminder has been set.",
    "If you want to change it, tell me: the reminder is set.",
    "If anything changes, I've set a reminder.",
    "Don't worry, I've booked it.",
    "Not to worry, I will remind you at 9.",
    "I can't send e-mails, but I have set a reminder for 9.",
    "I couldn't reach Bob, so I sent the note to Ann.",
    "I could not find your note and I have set the timer.",
    "No reminder was there, but the timer is set.",
    "Could be a long day - I've set an alarm for 7.",
    "Kein Problem, ich habe die Mail geschickt.",
    "Pas de problème, j'ai envoyé le message.",
    "No hay problema, he enviado el correo.",
)
DENIED = (
    "I can't send e-mails.",
    "I could remind you.",
    "Shall I book it?",
    "I have not sent it.",
    "No, I have not sent it.",
    "I don't think I have sent it.",
    "I can't confirm that I sent it.",
    "I can send no e-mails, and I could not have the note posted.",
    "As an AI, I can't book tables, order food or send messages.",
    "I have no tool for that, so nothing was booked, the e-mail was not sent, and the reminder wasn't set.",
    "No timer, alarm or reminder is set.",
    "No reminder, timer or alarm has been set yet.",
    "Neither the reminder nor the alarm was set.",
    "None of your reminders was set.",
    "No e-mail and no message has been sent.",
    "I was unable to get the message sent.",
    "A reminder can be set with the words: remind me.",
    "You can have a reminder set by asking me.",
    "If you want, I'll remind you tomorrow, and I'll remember it.",
    "If you say yes, the reminder will be set.",
    "I can't say whether your table is booked.",
    "Let me know if your table is booked.",
    "Your table could not be booked.",
    "Your table isn't booked yet.",
    "Your friend was sent to Paris.",
    "Ich habe keine Mail geschickt.",
    "Le rappel n'est pas programmé.",
    "No he enviado el correo.",
)


@pytest.mark.parametrize(("kind", "claim"), PAIRS)
def test_a_claim_without_a_successful_call_is_found(kind, claim):
    assert unproven(claim, set(), changed=False)


@pytest.mark.parametrize(("kind", "claim"), PAIRS)
def test_a_claim_that_a_call_of_its_kind_proves_is_believed(kind, claim):
    assert not unproven(claim, {kind}, changed=True)


@pytest.mark.parametrize("answer", CLAIMED_BESIDE_A_DENIAL)
def test_a_denial_of_something_else_hides_no_claim(answer):
    assert unproven(answer, set(), changed=False)


@pytest.mark.parametrize("answer", [*INNOCENT, *DENIED])
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

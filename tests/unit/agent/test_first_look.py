"""What messages plainly ask for; held out from those of the benchmark."""

import pytest

from essence.agent.first_look import asked_for


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        ("Set an alarm for half past six", "remind"),
        ("Remind me to phone Mum in an hour", "remind"),
        ("I need a reminder for the meeting at 3", "remind"),
        ("timer 3 minutes for the eggs", "remind"),
        ("Remind me daily at noon to drink water", "schedule"),
        ("Do I have any allergies?", "recall"),
        ("What did I say about the wifi?", "recall"),
        ("Remind me every evening to close the windows", "schedule"),
        ("Cancel the timer", "cancel_reminder"),
        ("Delete the reminder about the dentist", "cancel_reminder"),
        ("Do I have any timers running?", "reminders"),
        ("Please note that the meeting moved to room 5", "remember"),
        ("Don’t forget that I am vegetarian", "remember"),
        ("Make a note that the boiler was serviced", "remember"),
        ("Who is my dentist?", "recall"),
        ("What did I tell you about the garden?", "recall"),
        ("List everything you know about me", "recall"),
        ("Forget my old address", "forget"),
        ("Did we talk about Rome last week?", "search_conversations"),
        ("Summarize https://example.com/news", "fetch_page"),
        ("Save the list to shopping.txt", "write_file"),
        ("What's in notes.md?", "read_file"),
        ("Which files are in the workspace?", "list_files"),
        ("Run the command `ls -l`", "run_command"),
        ("Split this task into steps", "split_task"),
    ],
)
def test_the_tool_is_seen(words, tool):
    assert asked_for(words) == {tool}


@pytest.mark.parametrize(
    "words",
    [
        "What is the capital of France?",
        "Tell me a story about a dragon",
        "How do I remember names better?",
        "Good morning!",
        "Why is the sky blue?",
        "I forgot my umbrella today",
        "Alarm clocks are awful",
        "",
    ],
)
def test_what_asks_for_no_tool_is_simply_answered(words):
    assert asked_for(words) == frozenset()

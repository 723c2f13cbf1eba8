"""What a person at a terminal sees of `history`."""

import asyncio
import json
import stat

import pytest
import typer

from essence.commands import history
from essence.config import StoreSettings
from essence.dialogue import Address, Turn
from essence.store import open_store

GROUP = Address("telegram", "-100123")
SAID = [Turn("user", "hello \x1b[2Jthere"), Turn("assistant", "Hi 🎈\nyou.")]


@pytest.fixture
def in_store(monkeypatch, tmp_path):
    """Runs something in the store that STORE_URL names, as a chat service would."""
    url = f"sqlite:///{tmp_path}/june.db"
    monkeypatch.setenv("STORE_URL", url)
    monkeypatch.chdir(tmp_path)

    def run(work):
        async def main():
            async with open_store(url, StoreSettings()) as store:
                return await work(store)

        return asyncio.run(main())

    run(lambda store: store.conversations.append(GROUP, SAID, key="k", person_id="7"))
    return run


@pytest.fixture
def answer(monkeypatch):
    """What the person types where they are asked whether they are sure; None: nobody is there to ask."""

    def types(yes):
        def confirm(question, *, abort, err):
            if not yes:
                raise typer.Abort

        monkeypatch.setattr(typer, "confirm", confirm)

    return types


def kept(in_store, address=GROUP):
    return len(in_store(lambda store: store.conversations.read(address, turns=100, chars=10_000)))


def test_a_history_is_shown_with_times_and_speakers_and_no_escape_sequences(in_store, capsys):
    assert history.main(["telegram", "-100123"]) == 0
    shown = capsys.readouterr().out
    assert "7: hello \ufffd[2Jthere\n" in shown
    assert "June: Hi 🎈\nyou.\n" in shown
    assert kept(in_store) == 2


def test_a_history_is_exported_to_standard_output_as_json_lines(in_store, capsys):
    assert history.main(["telegram", "-100123", "--export", "-"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["role"], line["text"], line["person_id"]) for line in lines] == [
        (turn.role, turn.text, "7") for turn in SAID
    ]


def test_a_history_is_exported_to_a_file_that_nobody_else_may_read(in_store, tmp_path, capsys):
    assert history.main(["telegram", "-100123", "--export", "out.jsonl"]) == 0
    path = tmp_path / "out.jsonl"
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == [turn.text for turn in SAID]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "2 turns were written" in capsys.readouterr().err
    assert kept(in_store) == 2


def test_a_history_is_deleted_once_it_was_exported(in_store, tmp_path):
    assert history.main(["telegram", "-100123", "--export", "out.jsonl", "--delete", "--yes"]) == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    assert kept(in_store) == 0


def test_nothing_is_deleted_where_the_export_can_t_be_written(in_store):
    assert history.main(["telegram", "-100123", "--export", "none/out.jsonl", "--delete", "--yes"]) == 2
    assert kept(in_store) == 2


@pytest.mark.parametrize(("yes", "left"), [(True, 0), (False, 2)])
def test_a_history_is_deleted_only_if_the_person_is_sure(in_store, answer, yes, left):
    answer(yes)
    assert history.main(["telegram", "-100123", "--delete"]) == (0 if yes else 1)
    assert kept(in_store) == left


@pytest.mark.parametrize(("yes", "left"), [(True, 0), (False, 2)])
def test_a_person_is_forgotten_only_if_the_person_is_sure(in_store, answer, yes, left):
    answer(yes)
    assert history.main(["--forget", "telegram", "7"]) == (0 if yes else 1)
    assert kept(in_store) == left


def test_a_person_is_forgotten_without_asking_where_that_is_wished(in_store, capsys):
    assert history.main(["--forget", "telegram", "7", "--yes"]) == 0
    assert "telegram 7 is forgotten; 2 entries were deleted." in capsys.readouterr().out
    assert kept(in_store) == 0


def test_a_thread_is_a_conversation_of_its_own(in_store, capsys):
    topic = Address("telegram", "-100123", "9")
    in_store(lambda store: store.conversations.append(topic, [Turn("user", "topical")], key="t", person_id="7"))
    assert history.main(["telegram", "-100123", "--thread", "9"]) == 0
    assert "topical" in (shown := capsys.readouterr().out)
    assert "hello" not in shown
    assert history.main(["telegram", "-100123", "--thread", "9", "--delete", "--yes"]) == 0
    assert (kept(in_store), kept(in_store, topic)) == (2, 0)


def test_an_unknown_conversation_is_said_in_words(in_store, capsys):
    assert history.main(["discord", "1"]) == 0
    assert "June keeps nothing of this conversation." in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [[], ["telegram"], ["signal", "7"], ["telegram", "7", "--forget", "telegram", "7"], ["telegram", "7", "--exprot"]],
)
def test_a_call_that_can_t_be_meant_is_refused(in_store, argv, capsys):
    assert history.main([*argv, "--yes"]) == 2
    assert capsys.readouterr().err
    assert kept(in_store) == 2


@pytest.mark.parametrize("argv", [["telegram", "7"], ["telegram", "7", "--delete"], ["--forget", "telegram", "7"]])
def test_another_process_s_memory_can_t_be_reached(in_store, monkeypatch, argv, capsys):
    monkeypatch.setenv("STORE_URL", "memory://")
    assert history.main(argv) == 1
    assert "no other process can reach the memory" in capsys.readouterr().err
